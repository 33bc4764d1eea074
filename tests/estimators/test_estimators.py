"""The estimators by scikit-learn's own checks, and on what these do not know: texts, ragged sequences, sentences."""

from __future__ import annotations

import pickle
import random
import warnings

import numpy as np
import pytest
import torch

pytest.importorskip("sklearn", reason="the extra `estimators` is not installed")

from sklearn.exceptions import NotFittedError, SkipTestWarning
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import check_estimator

from unrolled.estimators.classifier import RecurrentClassifier
from unrolled.estimators.forecaster import RecurrentForecaster, windows
from unrolled.estimators.tagger import RecurrentTagger

from ..recipes.stand_in import WORDS

#: Checks of scikit-learn that are excused, and why.
EXCUSED = {
    "check_array_api_input": "runs only where SCIPY_ARRAY_API is set before SciPy is imported",
    "check_classifier_data_not_an_array": "its second half needs pandas, which nothing here does",
    "check_regressor_data_not_an_array": "the same",
}
FEW = {"sizes": (8,), "epochs": 5, "rate": 0.05, "random_state": 0}


@pytest.mark.parametrize(
    "estimator",
    [RecurrentClassifier(**FEW), RecurrentTagger(random_state=0), RecurrentForecaster(**{**FEW, "epochs": 1})],
)
def test_scikit_learns_own_checks(estimator: RecurrentClassifier | RecurrentTagger | RecurrentForecaster) -> None:
    """A tagger reads no arrays, so that only those checks apply to it that fit nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkipTestWarning)
        warnings.filterwarnings("ignore", "invalid value encountered in cast", RuntimeWarning, "sklearn")
        results = check_estimator(estimator, on_skip=None, on_fail=None)
    failed = {one["check_name"]: str(one["exception"]) for one in results if one["status"] == "failed"}
    assert not failed
    assert {one["check_name"] for one in results if one["status"] == "skipped"} <= EXCUSED.keys()
    assert len(results) > (0 if isinstance(estimator, RecurrentTagger) else 45)


def test_texts_of_any_length() -> None:
    draw = random.Random(0)
    stars = [draw.choice(["good", "bad"]) for _ in range(120)]
    texts = [
        " ".join([*draw.choices(WORDS, k=draw.randint(0, 8)), f"{one}-ish", *draw.choices(WORDS, k=3)]) for one in stars
    ]
    model = RecurrentClassifier(**{**FEW, "epochs": 8})
    assert cross_val_score(model, np.array(texts, dtype=object), stars, cv=3).mean() > 0.9
    model.fit(texts, stars)
    assert model.predict(["a good-ish cat", "so bad-ish"]).tolist() == ["good", "bad"]
    # A row's answer does not hang on the rows beside it, and is kept by a pickle.
    alone = np.concatenate([model.predict_proba([text]) for text in texts[:5]])
    np.testing.assert_allclose(alone, model.predict_proba(texts)[:5], rtol=1e-10)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(texts), model.predict_proba(texts))


def test_ragged_sequences_of_vectors_and_the_same_again_from_the_same_seed() -> None:
    """Which of two features is larger at the first step; what follows is noise."""
    draw = np.random.default_rng(0)
    X = [draw.normal(size=(draw.integers(1, 6), 2)) for _ in range(150)]
    y = [int(row[0, 0] > row[0, 1]) for row in X]
    before = torch.get_rng_state()
    model = RecurrentClassifier(sizes=(16,), epochs=15, rate=0.03, pooling="last", random_state=3).fit(X, y)
    assert model.score(X, y) > 0.9
    again = RecurrentClassifier(sizes=(16,), epochs=15, rate=0.03, pooling="last", random_state=3).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), again.predict_proba(X))
    assert torch.equal(torch.get_rng_state(), before), "fit changed the caller's random state"


def test_sentences() -> None:
    draw = random.Random(0)
    sentences = [
        [draw.choice(WORDS) + draw.choice(["ing", "er"]) for _ in range(draw.randint(1, 6))] for _ in range(80)
    ]
    tags = [["VBG" if word.endswith("ing") else "NN" for word in one] for one in sentences]
    model = RecurrentTagger(sizes=(8,), letters=8, epochs=10, random_state=0).fit(sentences, tags)
    assert model.score([["newing", "newer"], ["seeing"]], [["VBG", "NN"], ["VBG"]]) == 1.0
    assert model.predict([["a-ing"], [], ["b-er", "c-ing"]]) == [["VBG"], [], ["NN", "VBG"]]
    assert model.score([["walking", "talker"]], [["NN", "NN"]]) == 0.5


def test_a_series_in_windows() -> None:
    """A noisy sine: forecast better than by what was last, with spreads of the noise's size; several steps at once."""
    X, y = windows(np.arange(10.0), 3, 2)
    assert X.shape == (6, 3) and X[1].tolist() == [1, 2, 3] and y[1].tolist() == [4, 5]
    assert windows(np.arange(10.0), 3)[1].tolist() == [3, 4, 5, 6, 7, 8, 9]
    draw = np.random.default_rng(0)
    series = 50 + 10 * np.sin(np.arange(500) * 2 * np.pi / 12) + draw.normal(size=500)
    X, y = windows(series, 12, 3)
    model = RecurrentForecaster(sizes=(16,), epochs=8, rate=0.02, random_state=0).fit(X[:400], y[:400])
    mean, sd = model.predict(X[400:], return_std=True)
    assert mean.shape == sd.shape == (86, 3)
    error = np.abs(mean - y[400:]).mean()
    assert error < 1.6 < np.abs(X[400:, -1:] - y[400:]).mean()
    assert 0.8 < np.median(sd) < 2
    assert model.score(X[400:], y[400:]) > 0.9
    alone = np.concatenate([model.predict(X[n : n + 1]) for n in (400, 440)])
    np.testing.assert_allclose(alone, mean[[0, 40]], rtol=1e-10)
    with pytest.raises(
        ValueError, match=r"a series of 8 \+ 3 numbers or more was expected, one axis long; \(10,\) came"
    ):
        windows(np.arange(10.0), 8, 3)


def test_mistakes() -> None:
    with pytest.raises(ValueError, match="as many tags as words were expected for each sentence"):
        RecurrentTagger().fit([["a", "b"]], [["X"]])
    with pytest.raises(ValueError, match="each sentence is a list of words; a text came: split it first"):
        RecurrentTagger().fit(["a b"], [["X", "Y"]])
    with pytest.raises(NotFittedError):
        RecurrentTagger().predict([["a"]])
    model = RecurrentClassifier(**FEW).fit([np.zeros((2, 3)), np.ones((1, 3))], [0, 1])
    with pytest.raises(ValueError, match=r"arrays \(T, 3\) of finite numbers were expected, of any lengths T"):
        model.predict([np.zeros((2, 2))])
    with pytest.raises(ValueError, match="fit was given sequences, and here are texts: give the same form"):
        model.predict(["a text"])
