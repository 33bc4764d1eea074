"""Tokens by number: order, what is unknown, words of any language, padding."""

from __future__ import annotations

import numpy as np
import pytest

from unrolled.data.tokens import UNKNOWN, TokenVocabulary, class_numbers, padded, plain_word, split_words, words
from unrolled.errors import CheckpointError, DataError


def test_the_most_frequent_come_first_and_the_rare_are_unknown() -> None:
    found = TokenVocabulary.of([["b", "a", "b"], ["c", "a", "b", "z"]], least=2)
    assert found.tokens == (UNKNOWN, "b", "a")
    np.testing.assert_array_equal(found.encode(["a", "z", "b", "never"]), [2, 0, 1, 0])
    assert TokenVocabulary.from_assets(found.to_assets()).tokens == found.tokens
    assert TokenVocabulary.of([[UNKNOWN, "a"]]).tokens == (UNKNOWN, "a")
    with pytest.raises(CheckpointError, match="names a token twice"):
        TokenVocabulary(["a", "a"])


def test_words_and_marks() -> None:
    assert words("Don't panic, Jean-Claud!") == ["don't", "panic", ",", "jean-claud", "!"]
    assert split_words("«Здравствуй» U.S. 3.5 名前") == ["«", "Здравствуй", "»", "U.S", ".", "3.5", "名前"]
    assert words(" \n") == []
    assert plain_word("No42B") == "no00b"


def test_classes_by_number() -> None:
    np.testing.assert_array_equal(class_numbers(["b", "a", "b"], ["a", "b"]), [1, 0, 1])
    with pytest.raises(DataError, match="'c' is none of the classes that were trained on: a, b"):
        class_numbers(["a", "c"], ["a", "b"])


def test_side_by_side() -> None:
    values, lengths = padded([np.array([1, 2, 3]), np.array([], np.int64), np.array([4])])
    np.testing.assert_array_equal(values, [[1, 0, 4], [2, 0, 0], [3, 0, 0]])
    np.testing.assert_array_equal(lengths, [3, 0, 1])
    assert padded([np.array([], np.int64)])[0].shape == (1, 1)
