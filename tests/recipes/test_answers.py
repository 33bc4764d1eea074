"""The recipes that answer: their figures by hand, their baselines, what a sample shows, and mistakes in one line."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import nn

import unrolled
from unrolled.batch import NOT_ASKED, Batch, Ragged
from unrolled.cells.elman import Elman
from unrolled.data.named import find
from unrolled.data.pictures import load_digits
from unrolled.errors import DataError, OptionError, UserError
from unrolled.models.sequence_classifier import SequenceClassifier
from unrolled.models.sequence_regressor import SequenceRegressor
from unrolled.models.tagger import Tagger
from unrolled.recipes import adding, answers, copy_memory, is_it_raining, permuted_pixels, registry, who_is_he

from .stand_in import write_digits


def saying(model: nn.Module, answer: list[float]) -> nn.Module:
    """The model, made to give the same answer always: its output's bias."""
    with torch.no_grad():
        model.output.weight.zero_()
        model.output.bias.copy_(torch.tensor(answer))
    return model


def test_the_figure_of_adding_by_hand() -> None:
    """Wanted 0.5 and 1.5, said 0.75 twice: (0.0625 + 0.5625) / 2; who says 1: 0.25."""
    model = saying(SequenceRegressor(Elman, 2, [3], 1), [0.75])
    part = [Batch({"inputs": torch.rand(4, 2, 2), "targets": torch.tensor([0.5, 1.5]).reshape(1, 2, 1)})]
    assert adding.metric(model, part) == {
        "loss": pytest.approx(0.3125),
        "loss of a constant guess": pytest.approx(0.25),
    }


def test_the_figures_of_copying_by_hand() -> None:
    """A model that always says symbol 3 with probability a half, and the other eight alike."""
    model = saying(Tagger(Elman, 10, [3], 9), [math.log(8) if k == 3 else 0.0 for k in range(9)])
    targets = torch.full((24, 1), 8)
    targets[-10:, 0] = torch.tensor([3, 3, 3, 0, 1, 2, 4, 5, 6, 7])
    figures = copy_memory.metric(model, [Batch({"inputs": torch.zeros_like(targets), "targets": targets})])
    assert figures["loss"] == pytest.approx((3 * math.log(2) + 21 * math.log(16)) / 24)
    assert figures["loss without memory"] == pytest.approx(10 * math.log(8) / 24)
    assert figures["recalled"] == pytest.approx(30)


def test_the_figures_of_pictures_by_hand(tmp_path: Path) -> None:
    digits = load_digits(write_digits(tmp_path / "digits.npz"), 14, permuted=True).test
    model = saying(SequenceClassifier(Elman, 1, [3], 10), [0.0] * 4 + [math.log(9)] + [0.0] * 5)
    part = permuted_pixels.HeldOutPictures(digits, list(range(20)))
    fours = sum(digit == 4 for digit in digits.digits)
    figures = permuted_pixels.metric(model, part)
    assert figures["accuracy"] == pytest.approx(100 * fours / 20)
    assert figures["loss"] == pytest.approx((fours * math.log(2) + (20 - fours) * math.log(18)) / 20)


def test_the_figures_of_who_is_he_by_hand() -> None:
    """Names 1, 1, 2 wanted, 1 always said: one of two before the names, one of one behind them."""
    model = saying(Tagger(Elman, 5, [3], 3), [0.0, math.log(2), 0.0])
    targets = torch.tensor([[1, 2, NOT_ASKED], [NOT_ASKED, NOT_ASKED, 1]])
    lengths = torch.tensor([2, 1, 2])
    part = Batch(
        {
            "inputs": Ragged(torch.zeros_like(targets), lengths),
            "targets": Ragged(targets, lengths),
            "first": torch.tensor([[True, True, False]]),
        }
    )
    assert who_is_he.metric(model, [part]) == {
        "loss": pytest.approx((2 * math.log(2) + math.log(4)) / 3),
        "accuracy": pytest.approx(200 / 3),
        "accuracy, he before the names": pytest.approx(50),
        "accuracy, he behind the names": pytest.approx(100),
    }


def test_the_figures_of_is_it_raining_by_hand() -> None:
    model = saying(Tagger(Elman, 4, [3], 2), [0.0, math.log(3)])
    lengths = torch.tensor([3, 1])
    fields = {
        "inputs": torch.zeros(3, 2, 4),
        "targets": torch.tensor([[1, 0], [1, 0], [0, 0]]),
        "refers": torch.tensor([[False, False], [True, True], [True, True]]),
    }
    part = Batch({name: Ragged(values, lengths) for name, values in fields.items()})
    assert is_it_raining.metric(model, [part]) == {
        "loss": pytest.approx((2 * math.log(4 / 3) + 2 * math.log(4)) / 4),
        "accuracy": pytest.approx(50),
        "accuracy, the report says it": pytest.approx(50),
        "accuracy, it refers to days before": pytest.approx(50),
    }


def test_a_chrono_start_is_given_to_every_layer_and_refused_where_no_gate_keeps() -> None:
    options = adding.AddingOptions(cell="lstm", start="chrono", length=50, sizes=(100, 100))
    for layer in adding.model(options, {}).recurrent.cells():
        forget = layer[0].b.view(4, 100)[1]
        assert forget.min() >= 0 and math.log(40) < forget.max() <= math.log(49)
    plain = adding.model(adding.AddingOptions(cell="lstm"), {}).recurrent.cells()[0][0]
    assert (plain.b.view(4, 64)[1] == 1).all()
    with pytest.raises(OptionError, match="a chrono start needs a cell with a gate that keeps, and elman is none"):
        adding.model(adding.AddingOptions(cell="elman", start="chrono"), {})


def test_measuring_leaves_the_model_as_it_was_and_takes_its_type() -> None:
    model = SequenceRegressor(Elman, 2, [3], 1, dropout=0.5).double()
    batch = Batch({"inputs": torch.rand(4, 2, 2), "targets": torch.rand(1, 2, 1)})
    first, second = (next(answers.measured(model, [batch])) for _ in range(2))
    assert first.answer.dtype == torch.float64
    assert torch.equal(first.answer, second.answer)
    assert list(answers.measured(model, [batch])) and model.training


def test_memory_is_what_it_takes(tmp_path: Path) -> None:
    """Where a report refers to days before, no memory guesses, and a memory learns."""
    few = {"steps": 150, "batch_size": 32, "sizes": (32,), "rate": 0.01, "threads": 1, "runs": str(tmp_path)}
    without = unrolled.train("is-it-raining", cell="memoryless", **few).evaluate("valid")
    having = unrolled.train("is-it-raining", cell="elman", **few).evaluate("valid")
    assert without["accuracy, the report says it"] > 99
    assert 40 < without["accuracy, it refers to days before"] < 60
    assert having["accuracy, it refers to days before"] > 75


def test_what_is_said_afterwards_takes_two_directions(tmp_path: Path) -> None:
    few = {"steps": 120, "sizes": (32,), "rate": 0.01, "threads": 1, "runs": str(tmp_path)}
    forward = unrolled.train("who-is-he", directions="forward", **few).evaluate("valid")
    both = unrolled.train("who-is-he", directions="both", **few).evaluate("valid")
    assert forward["accuracy, he before the names"] < 30
    assert forward["accuracy, he behind the names"] > 80
    assert both["accuracy, he before the names"] > 80


@pytest.mark.parametrize(
    ("recipe", "lines", "said"),
    [
        ("adding", 5, "the model says"),
        ("copy-memory", 3, "200 steps later"),
        ("who-is-he", 8, "he is "),
        ("is-it-raining", None, "is it raining? "),
    ],
)
def test_a_sample_shows_what_is_asked_and_what_is_said(recipe: str, lines: int | None, said: str) -> None:
    found = registry.find(recipe)
    options = found.Options(sizes=(4,))
    assets = found.data(options, Path(), None).assets
    text = found.sample(found.model(options, assets), assets, 3)
    shown = text.splitlines()
    assert all(said in line for line in shown)
    assert lines is None or len(shown) == lines


@pytest.mark.parametrize(
    ("recipe", "option", "said"),
    [
        ("adding", {"length": 1}, "--length 1: expected 2 or more"),
        ("adding", {"data": "book.txt"}, "--data book.txt: adding draws its own examples; leave --data out"),
        ("copy-memory", {"delay": 0}, "--delay 0: expected 1 or more"),
        ("copy-memory", {"sizes": ()}, "--sizes .*expected one or more sizes"),
        ("permuted-pixels", {"batch_size": 0}, "--batch-size 0: expected 1 or more"),
        ("who-is-he", {"embedding": -1}, "--embedding -1: expected 0"),
        ("who-is-he", {"dropout": 1.0}, "--dropout 1.0: expected at least 0 and below 1"),
        ("is-it-raining", {"rate": 0.0}, "--rate 0.0: expected above 0"),
        ("is-it-raining", {"clip": -1.0}, "--clip -1.0: expected 0"),
        ("adding", {"warmup": -1}, "--warmup -1: expected 0 or more"),
        ("adding", {"weight_decay": -1.0}, "--weight-decay -1.0: expected 0 or more"),
    ],
)
def test_mistakes_in_one_line(recipe: str, option: dict, said: str) -> None:
    with pytest.raises(OptionError, match=said) as raised:
        registry.find(recipe).Options(**option)
    assert "\n" not in str(raised.value)


def test_pictures_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNROLLED_CACHE", str(tmp_path))
    monkeypatch.delenv("UNROLLED_DATA", raising=False)
    for data, said in (
        ("", "mnist: not on this machine yet"),
        ("mnst", "no data set of that name. Did you mean 'mnist'"),
    ):
        options = permuted_pixels.PermutedPixelsOptions(data=data)
        with pytest.raises(DataError, match=said) as raised:
            permuted_pixels.data(options, tmp_path, None)
        assert isinstance(raised.value, UserError) and "\n" not in str(raised.value)
    write_digits((tmp_path / "data" / "images").mkdir(parents=True) or tmp_path / "data" / "images" / "mnist.npz")
    assert find("mnist").is_file()
    data = permuted_pixels.data(permuted_pixels.PermutedPixelsOptions(batch_size=9), tmp_path, None)
    assert (data.train.batches_per_epoch, len(data.held_out["valid"].numbers)) == (6, 6)
    kept = set(data.held_out["valid"].numbers)
    assert not kept & set(range(60)) - kept and len(kept) == 6
