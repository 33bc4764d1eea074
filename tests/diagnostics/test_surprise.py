"""Surprise against the whole text read at once, and the figures made of it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from unrolled.cells.lstm import LSTM
from unrolled.diagnostics import surprise as module
from unrolled.diagnostics.surprise import alternatives_table, coloured_text, surprise
from unrolled.errors import DataError, OptionError
from unrolled.models.language_model import LanguageModel

LETTERS = "abcde"


@pytest.fixture
def model() -> LanguageModel:
    torch.manual_seed(0)
    model = LanguageModel(LSTM, 5, 4, (6,), dropout=0.5)
    with torch.no_grad():
        model.softmax.weight.mul_(4)
    return model


def exact(model: LanguageModel, symbols: torch.Tensor, state=None) -> torch.Tensor:
    """(T − 1, V) log-probabilities, one step at a time."""
    model.eval()
    advance, rows = model.stepper(), []
    state = model.initial_state(1) if state is None else state
    with torch.no_grad():
        for symbol in symbols[:-1]:
            logits, state = advance(symbol[None], state)
            rows.append(logits[0].log_softmax(-1))
    return torch.stack(rows)


@pytest.mark.parametrize("window", [1, 3, 8, 512])
def test_it_is_what_one_step_after_the_other_gives_whatever_the_window(model, window, monkeypatch):
    monkeypatch.setattr(module, "WINDOW", window)
    symbols = torch.tensor([0, 3, 3, 1, 4, 2, 0, 1, 1])
    found = surprise(model, symbols, alternatives=2)
    wanted = exact(model, symbols)
    assert math.isnan(found.log_probabilities[0])
    torch.testing.assert_close(found.log_probabilities[1:], wanted.gather(-1, symbols[1:, None])[:, 0])
    top = wanted.sort(-1, descending=True)
    assert torch.equal(found.alternatives[1:], top.indices[:, :2])
    torch.testing.assert_close(found.alternative_log_probabilities[1:], top.values[:, :2])
    assert found.mean() == pytest.approx(-wanted.gather(-1, symbols[1:, None]).mean().item(), abs=1e-6)


def test_a_state_that_was_carried_in_counts(model):
    symbols = torch.tensor([0, 3, 3, 1, 4, 2])
    with torch.no_grad():
        state = model.eval().read(symbols[:3, None], model.initial_state(1)).state
    whole = surprise(model, symbols)
    rest = surprise(model, symbols[3:], state)
    torch.testing.assert_close(rest.log_probabilities[1:], whole.log_probabilities[4:])


def test_dropout_is_off_while_it_looks_and_as_it_was_afterwards(model):
    symbols = torch.tensor([0, 3, 1, 2])
    model.train()
    first = surprise(model, symbols)
    assert model.training
    assert torch.equal(first.log_probabilities[1:], surprise(model, symbols).log_probabilities[1:])
    model.eval()
    surprise(model, symbols)
    assert not model.training


def test_figures_say_what_was_found(model):
    symbols = torch.tensor([0, 3, 3, 1, 4, 2])
    found = surprise(model, symbols, alternatives=2)
    text = coloured_text(found, "addbec", 5)
    assert "".join(text.tokens) == "addbec"
    assert text.scale == (0.0, pytest.approx(math.log(5)))
    assert math.isnan(text.values[0])
    assert text.values[1:] == pytest.approx((-found.log_probabilities[1:]).tolist())

    table = alternatives_table(found, lambda symbol: LETTERS[symbol], rows=2)
    most = sorted(range(1, 6), key=lambda i: found.log_probabilities[i])[:2]
    assert [row[0] for row in table.rows] == sorted(i + 1 for i in most)
    every = alternatives_table(found, lambda symbol: LETTERS[symbol], rows=None)
    assert [row[0] for row in every.rows] == [2, 3, 4, 5, 6]
    assert set(table.rows) <= set(every.rows)


def test_alternatives_are_the_softmax_of_what_the_network_gives(model):
    """The network by hand, in NumPy: its LSTM as in the equations, then a softmax."""
    weights = {name: value.detach().double().numpy() for name, value in model.state_dict().items()}
    U, W, b = (weights[f"recurrent.layers.0.0.{letter}"] for letter in "UWb")
    symbols = [0, 3, 3, 1, 4, 2]
    h, c, rows = np.zeros(6), np.zeros(6), []

    def sigmoid(a):
        return 1 / (1 + np.exp(-a))

    for symbol in symbols[:-1]:
        i, f, candidate, o = np.split(U @ weights["embedding.weight"][symbol] + W @ h + b, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(candidate)
        h = sigmoid(o) * np.tanh(c)
        logits = weights["softmax.weight"] @ h + weights["softmax.bias"]
        rows.append(np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum())
    found = surprise(model, torch.tensor(symbols), alternatives=3)
    table = alternatives_table(found, lambda symbol: LETTERS[symbol], rows=None)
    for row, probabilities, came in zip(table.rows, rows, symbols[1:], strict=True):
        best = np.argsort(-probabilities)[:3]
        assert row[1] == LETTERS[came]
        assert row[2] == pytest.approx(probabilities[came], rel=1e-5)
        assert row[3] == pytest.approx(-np.log(probabilities[came]), rel=1e-5)
        assert row[4] == "  ".join(f"{LETTERS[symbol]} {probabilities[symbol]:.1%}" for symbol in best)


def test_what_cannot_be_measured(model):
    with pytest.raises(DataError, match="2 symbols or more"):
        surprise(model, torch.tensor([1]))
    with pytest.raises(DataError, match="2 symbols or more"):
        surprise(model, torch.zeros(4, 1, dtype=torch.int64))
    with pytest.raises(OptionError, match="alternatives"):
        surprise(model, torch.tensor([1, 2]), alternatives=-1)
