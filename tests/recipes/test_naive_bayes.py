"""The baseline of text classification, against scikit-learn's naive Bayes over the same counts."""

from __future__ import annotations

import random

import numpy as np
import pytest

from unrolled.recipes.naive_bayes import naive_bayes, terms

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
