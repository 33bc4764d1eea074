"""The baseline of text classification, against scikit-learn's naive Bayes over the same counts."""

from __future__ import annotations

import random

import numpy as np
import pytest

from unrolled.recipes.naive_bayes import log_odds, naive_bayes, terms

from .stand_in import WORDS


def test_terms_are_words_and_pairs_of_neighbours() -> None:
    assert terms(["not", "so", "bad"]) == ["not", "so", "bad", "not so", "so bad"]
    assert terms([]) == []


def test_it_says_what_scikit_learn_says() -> None:
    text = pytest.importorskip("sklearn.feature_extraction.text", reason="the extra `estimators` is not installed")
    from sklearn.naive_bayes import MultinomialNB

    draw = random.Random(0)
    texts = [draw.choices(WORDS, weights=range(1, len(WORDS) + 1), k=draw.randint(0, 12)) for _ in range(300)]
    classes = np.array([draw.choice([0, 1, 1, 2]) for _ in texts])
    others = [draw.choices([*WORDS, "new"], k=draw.randint(0, 12)) for _ in range(200)]
    counter = text.CountVectorizer(analyzer=terms)
    oracle = MultinomialNB(alpha=1.0).fit(counter.fit_transform(texts), classes)
    np.testing.assert_array_equal(naive_bayes(texts, classes, others, 3), oracle.predict(counter.transform(others)))


def test_a_class_without_texts_is_never_said() -> None:
    said = naive_bayes([["a"], ["b"]], np.array([0, 2]), [["a"], ["b"], ["c"], []], 3)
    assert said[:2].tolist() == [0, 2] and 1 not in said


def test_log_odds_by_hand() -> None:
    """Word 1 is in both texts of class 0, in none of class 1; word 2 in one of each; a second time does not count."""
    found = log_odds([np.array([1, 1, 2]), np.array([1]), np.array([2])], np.array([0, 0, 1]), 3, 2)
    # With one added to each: class 0 counts 1, 3, 2 of 6, class 1 counts 1, 1, 2 of 4.
    half = np.log([(1 / 6) / (1 / 4), (3 / 6) / (1 / 4), (2 / 6) / (2 / 4)]) / 2
    np.testing.assert_allclose(found, np.stack([half, -half], 1))
