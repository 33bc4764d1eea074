"""Classing texts: figures by hand, people's own tables and archives, what is held out, what a sample shows."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

import unrolled
from unrolled.errors import DataError, OptionError, UserError
from unrolled.recipes import sentiment
from unrolled.recipes.recipe import Data

from .stand_in import write_by_class, write_reviews


def read(file: Path, **options: object) -> tuple[sentiment.SentimentOptions, Data]:
    asked = sentiment.SentimentOptions(data=str(file), batch_size=8, sizes=(4,), embedding=4, **options)
    return asked, sentiment.data(asked, file.parent, None)


def test_the_figures_by_hand(tmp_path: Path) -> None:
    """A model that says 5 with probability ¾ whatever it reads."""
    options, data = read(write_reviews(tmp_path / "r.csv"))
    assert data.assets["classes"] == ["1", "5"]
    model, part = sentiment.model(options, data.assets), data.held_out["test"]
    with torch.no_grad():
        model.output.weight.zero_()
        model.output.bias.copy_(torch.tensor([0.0, math.log(3)]))
    fives, count = int((part.classes == 1).sum()), len(part.classes)
    figures = sentiment.metric(model, part)
    assert figures["accuracy"] == pytest.approx(100 * fives / count)
    assert figures["loss"] == pytest.approx((fives * math.log(4 / 3) + (count - fives) * math.log(4)) / count)
    assert figures["accuracy of the commonest class"] in (
        pytest.approx(100 * fives / count),
        pytest.approx(100 - 100 * fives / count),
    )
    # One word tells all, and counting words is enough to see it.
    assert figures["accuracy of naive Bayes"] > 90


def test_what_is_held_out_is_not_trained_on_and_does_not_hang_on_the_seed(tmp_path: Path) -> None:
    file = write_reviews(tmp_path / "r.csv")
    parts = [read(file, seed=seed)[1].held_out for seed in (0, 1)]
    assert parts[0]["test"].texts == parts[1]["test"].texts and parts[0]["valid"].texts == parts[1]["valid"].texts
    one = parts[0]["test"]
    assert len(one.texts) == len(parts[0]["valid"].texts) == 12 and len(one.training.tokens) == 96
    # Every text is somewhere once: the words of the table, of which each begins with its own number's row.
    rows = sorted(one.tokens + parts[0]["valid"].tokens + one.training.tokens)
    assert len(rows) == 120


def test_words_that_came_once_and_new_ones_are_unknown(tmp_path: Path) -> None:
    _, data = read(write_reviews(tmp_path / "r.csv"))
    reading = sentiment.classifying(data.assets)
    batch = reading.batch([reading.tokens("The CAT never-seen"), reading.tokens("")])
    values, lengths = batch.ragged("inputs").values, batch.ragged("inputs").lengths
    assert lengths.tolist() == [3, 0]
    assert [data.assets["words"][number] for number in values[:, 0].tolist()] == ["the", "cat", "(unknown)"]


def test_the_embedding_starts_from_what_words_speak_for(tmp_path: Path) -> None:
    options, data = read(write_reviews(tmp_path / "r.csv"))
    first = sentiment.model(options, data.assets).embedding.weight[:, :2].detach()
    known = data.assets["words"]
    awful, lovely, the = (first[known.index(word)] for word in ("awful", "lovely", "the"))
    # Classes are 1 and 5.
    assert awful[0] > 0.2 and awful[1] == -awful[0] and lovely[1] > 0.2 and abs(the[0]) < 0.1
    options, data = read(tmp_path / "r.csv", start="noise")
    assert data.assets["odds"] == []
    noise = sentiment.model(options, data.assets).embedding.weight
    assert 0.05 < noise.std() < 0.15
    many = tmp_path / "many.csv"
    many.write_text("text;label\n" + "".join(f"some words here;{n % 6}\n" for n in range(60)))
    with pytest.raises(
        OptionError, match="--embedding 4: expected 6, the number of classes, or more; or --start noise"
    ):
        read(many)


def test_characters_and_archives_by_class_and_the_longest(tmp_path: Path) -> None:
    _, data = read(write_by_class(tmp_path / "p.zip"), symbols="characters", longest=5, least=1)
    assert data.assets["classes"] == ["neg", "pos"]
    assert set(data.assets["words"][1:]) <= set(
        "the cat sat on a mat and saw that rain fell in spain when one awful lovely"
    )
    assert int(data.train.batch(0).ragged("inputs").lengths.max()) == 5
    assert "120 texts (neg 60, pos 60): 96 to train on, 12 to validate, 12 to test" in data.summary


def test_it_learns_which_word_tells(tmp_path: Path) -> None:
    file = write_reviews(tmp_path / "r.csv", count=300)
    few = {"steps": 60, "batch_size": 16, "sizes": (8,), "embedding": 16, "rate": 2e-2, "threads": 1}
    run = unrolled.train("sentiment", data=str(file), runs=str(tmp_path / "runs"), **few)
    assert run.evaluate()["accuracy"] > 95
    good, bad = run.predict(["a lovely cat", "an awful cat"])
    assert (good.label, bad.label) == ("5", "1") and good.probability > 0.8
    assert good.probabilities["1"] == pytest.approx(1 - good.probability, abs=1e-6)
    coloured, strength, table = run.inspect("saliency", text="the awful cat sat")
    assert coloured.tokens == ("the ", "awful ", "cat ", "sat ")
    assert max(coloured.values) == coloured.values[1] and min(strength.values) > 0
    assert coloured.title.startswith("What speaks for '1', p = ") and table.rows[0][0] == "1"
    with pytest.raises(OptionError, match="answers a text as a whole; leave --symbol out"):
        run.inspect("saliency", text="the awful cat", symbol=2)
    with pytest.raises(DataError, match="without anything that can be read"):
        run.inspect("saliency", text=" \t ")


def test_a_sample_shows_texts_and_what_is_said_of_them(tmp_path: Path) -> None:
    options, data = read(write_reviews(tmp_path / "r.csv"))
    lines = sentiment.sample(sentiment.model(options, data.assets), data.assets, 0).splitlines()
    assert len(lines) == sentiment.SHOWN
    assert all("no more   " in line and ("5 (0." in line or "1 (0." in line) for line in lines)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"least": 0}, "--least 0: expected 1 or more"),
        ({"longest": 0}, "--longest 0: expected 1 or more"),
        ({"held_out": 0.5}, "--held-out 0.5: expected above 0 and below 0.5"),
        ({"embedding": -1}, "--embedding -1: expected 0"),
        ({"embedding": 0}, "--embedding 0: expected 1 or more, or --start noise"),
        ({"word_dropout": 1.0}, "--word-dropout 1.0: expected at least 0 and below 1"),
    ],
)
def test_mistakes_in_one_line(option: dict, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        sentiment.SentimentOptions(**option)


def test_data_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNROLLED_CACHE", str(tmp_path))
    monkeypatch.delenv("UNROLLED_DATA", raising=False)
    for data, said in (("", "sentence_polarity: not on this machine yet"), ("reviews.csv", "no such file")):
        with pytest.raises(UserError, match=said) as raised:
            sentiment.data(sentiment.SentimentOptions(data=data), tmp_path, None)
        assert "\n" not in str(raised.value)
