"""Text to symbols and back, every character once and whole."""

from __future__ import annotations

import builtins
import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unrolled.data.vocabulary import (
    BPEVocabulary,
    ByteVocabulary,
    CharacterVocabulary,
    Vocabulary,
    vocabulary_from_assets,
)
from unrolled.errors import CheckpointError, OptionError, PromptError

#: No halves of surrogate pairs: these are no text.
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SAMPLE = "the cat sat on the mat, the cat saw the rat; naïve café 日本語 🙂\n" * 20


@pytest.fixture(scope="module")
def pieces() -> BPEVocabulary:
    return BPEVocabulary.learn(iter([SAMPLE]), 300)


def round_trip(vocabulary: Vocabulary, text: str) -> None:
    ids = vocabulary.encode(text)
    assert ids.dtype == vocabulary.dtype
    assert vocabulary.decode(ids) == text
    decoder = vocabulary.decoder()
    assert "".join(decoder.feed(symbol) for symbol in ids.tolist()) + decoder.finish() == text
    again = vocabulary_from_assets(json.loads(json.dumps(vocabulary.to_assets())))
    assert type(again) is type(vocabulary)
    assert again.encode(text).tolist() == ids.tolist()
    assert again.size == vocabulary.size


@given(TEXT.filter(bool))
def test_characters_are_numbered_by_code_point_and_come_back(text: str) -> None:
    vocabulary = CharacterVocabulary.of(text)
    expected = sorted(set(text))
    assert vocabulary.size == len(expected)
    assert vocabulary.encode(text).tolist() == [expected.index(character) for character in text]
    round_trip(vocabulary, text)


@given(TEXT)
def test_bytes_are_those_of_utf8_and_come_back(text: str) -> None:
    assert ByteVocabulary().encode(text).tolist() == list(text.encode("utf-8"))
    round_trip(ByteVocabulary(), text)


@given(TEXT)
def test_pieces_come_back(pieces: BPEVocabulary, text: str) -> None:
    round_trip(pieces, text)


def test_pieces_are_learnt_from_what_is_frequent(pieces: BPEVocabulary) -> None:
    assert 256 < pieces.size <= 300
    assert len(pieces.encode("the cat")) < len("the cat") / 2
    assert len(pieces.encode("xyzzy")) == 5


def test_the_type_is_the_smallest_that_holds_every_symbol() -> None:
    characters = "".join(chr(0x4E00 + place) for place in range(257))
    assert CharacterVocabulary(characters[:256]).dtype == np.uint8
    assert CharacterVocabulary(characters).dtype == np.uint16
    wide = "".join(chr(point) for point in range(0x10000, 0x10000 + 65537))
    assert CharacterVocabulary(wide).dtype == np.uint32
    assert CharacterVocabulary(wide).encode(wide[-1]).tolist() == [65536]


def test_a_streamed_character_comes_once_it_is_whole() -> None:
    decoder = ByteVocabulary().decoder()
    assert [decoder.feed(value) for value in "é🙂!".encode()] == ["", "é", "", "", "", "🙂", "!"]
    assert decoder.finish() == ""
    assert decoder.feed(0xE2) == ""
    assert decoder.finish() == "\ufffd"


def test_bytes_that_are_no_utf8_are_replaced_not_refused() -> None:
    assert ByteVocabulary().decode([0x61, 0xFF, 0x62]) == "a\ufffdb"


def test_symbols_may_be_a_tensor_and_must_be_known() -> None:
    vocabulary = CharacterVocabulary("abc")
    assert vocabulary.decode(torch.tensor([2, 0])) == "ca"
    assert vocabulary.decode([]) == ""
    with pytest.raises(IndexError, match="0 to 2 were expected; -1 to 1"):
        vocabulary.decode([1, -1])
    with pytest.raises(IndexError, match="0 to 3"):
        vocabulary.decode([0, 3])


@pytest.mark.parametrize(
    ("text", "place", "way_out"),
    [
        ("xé", "'é' (U+00E9) at line 1, column 2", "write 'e' instead"),
        ("ab\n\ncab“", "'“' (U+201C) at line 3, column 4", "write '\"' instead"),
        ("aB", "'B' (U+0042) at line 1, column 2", "write 'b' instead"),
        ("a🙂🙂", "'🙂' (U+1F642) at line 1, column 2", "leave it out; known are"),
    ],
)
def test_an_unknown_character_is_named_with_its_place_and_a_way_out(text: str, place: str, way_out: str) -> None:
    with pytest.raises(PromptError) as refusal:
        CharacterVocabulary('\n"abcex').encode(text)
    assert place in str(refusal.value)
    assert way_out in str(refusal.value)
    assert (", and 1 more" in str(refusal.value)) == (text.count("🙂") == 2)


def test_half_a_character_is_refused_and_a_byte_of_the_command_line_is_not(pieces: BPEVocabulary) -> None:
    for vocabulary in (ByteVocabulary(), pieces):
        with pytest.raises(PromptError, match=r"character 2 is '\\ud800' \(U\+D800\)"):
            vocabulary.encode("a\ud800")
    # What Python makes of the byte 0xFF in an argument.
    assert ByteVocabulary().encode("a\udcff").tolist() == [0x61, 0xFF]


@pytest.mark.parametrize(
    "assets",
    [
        {},
        {"kind": "words"},
        {"kind": "characters"},
        {"kind": "characters", "characters": "aa"},
        {"kind": "characters", "characters": 3},
        {"kind": "bpe"},
        {"kind": "bpe", "tokenizer": "{}"},
    ],
)
def test_a_damaged_vocabulary_is_a_damaged_checkpoint(assets: dict) -> None:
    with pytest.raises(CheckpointError, match="use another checkpoint"):
        vocabulary_from_assets(assets)


def test_characters_must_be_distinct_and_some() -> None:
    for wrong in ("", "aba"):
        with pytest.raises(ValueError, match="distinct characters"):
            CharacterVocabulary(wrong)


def test_without_the_extra_the_way_to_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: object) -> object:
        if name == "tokenizers":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(OptionError, match=r"pip install 'unrolled\[bpe\]'"):
        BPEVocabulary.learn(iter(["text"]), 300)
    with pytest.raises(OptionError, match=r"pip install 'unrolled\[bpe\]'"):
        vocabulary_from_assets({"kind": "bpe", "tokenizer": "{}"})


def test_pieces_hold_the_bytes_at_least() -> None:
    with pytest.raises(OptionError, match="256 or more was expected, not 255"):
        BPEVocabulary.learn(iter(["text"]), 255)
