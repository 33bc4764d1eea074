"""Models that answer: their numbers by hand in NumPy, over ragged rows, in one direction and in two."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from unrolled.batch import NOT_ASKED, Batch, Ragged
from unrolled.cells.elman import Elman
from unrolled.cells.lstm import LSTM
from unrolled.models.sequence_classifier import SequenceClassifier
from unrolled.models.sequence_regressor import SequenceRegressor
from unrolled.models.tagger import Tagger

LENGTHS = (4, 2, 1)
T, B, F, H = 4, 3, 2, 5


def numbers(model: torch.nn.Module) -> dict[str, np.ndarray]:
    """Every parameter drawn anew, and given as NumPy."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
    return {name: value.detach().numpy() for name, value in model.named_parameters()}


def hidden(p: dict[str, np.ndarray], xs: np.ndarray, direction: int = 0) -> list[np.ndarray]:
    """h of an Elman cell after each x of one row, by the equations; direction 1 reads backwards."""
    U, W, b = (p[f"recurrent.layers.0.{direction}.{letter}"] for letter in "UWb")
    h, found = np.zeros(H), []
    for x in xs[:: -1 if direction else 1]:
        h = np.tanh(U @ x + W @ h + b)
        found.append(h)
    return found[:: -1 if direction else 1]


def features() -> tuple[np.ndarray, Ragged]:
    """x (T, B, F), and the same with NaN past each length."""
    x = np.random.default_rng(0).normal(size=(T, B, F))
    values = torch.tensor(x)
    for row, length in enumerate(LENGTHS):
        values[length:, row] = math.nan
    return x, Ragged(values, torch.tensor(LENGTHS))


@pytest.mark.parametrize("two", [False, True])
def test_a_class_by_hand(two: bool) -> None:
    model = SequenceClassifier(Elman, F, [H], 3, two_directions=two).double()
    p = numbers(model)
    x, inputs = features()
    classes, total = [2, 0, 1], 0.0
    for row, length in enumerate(LENGTHS):
        read = hidden(p, x[:length, row])[-1]
        if two:
            read = np.concatenate([read, hidden(p, x[:length, row], 1)[0]])
        logits = p["output.weight"] @ read + p["output.bias"]
        total -= math.log(math.exp(logits[classes[row]]) / np.exp(logits).sum())
    batch = Batch({"inputs": inputs, "targets": torch.tensor([classes])})
    loss = model.loss(batch, model.initial_state(B))
    assert loss.total.item() == pytest.approx(total, rel=1e-12)
    assert loss.count.item() == B


@pytest.mark.parametrize("two", [False, True])
def test_values_by_hand(two: bool) -> None:
    model = SequenceRegressor(Elman, F, [H], 2, two_directions=two).double()
    p = numbers(model)
    x, inputs = features()
    wanted = np.array([[0.5, 1.0], [-1.0, 0.0], [2.0, 3.0]])
    predicted = model.predict(Batch({"inputs": inputs})).detach().numpy()
    for row, length in enumerate(LENGTHS):
        read = hidden(p, x[:length, row])[-1]
        if two:
            read = np.concatenate([read, hidden(p, x[:length, row], 1)[0]])
        np.testing.assert_allclose(predicted[row], p["output.weight"] @ read + p["output.bias"], rtol=1e-12)
    loss = model.loss(Batch({"inputs": inputs, "targets": torch.tensor(wanted)[None]}), model.initial_state(B))
    assert loss.total.item() == pytest.approx(((predicted - wanted) ** 2).sum(), rel=1e-12)
    assert loss.count.item() == 2 * B


@pytest.mark.parametrize("two", [False, True])
@pytest.mark.parametrize("embedding", [0, 4])
def test_tags_in_step_by_hand(two: bool, embedding: int) -> None:
    """Of symbols, one-hot and embedded; only what is asked for counts, and nothing past a length."""
    symbols, tags = 6, 3
    model = Tagger(Elman, symbols, [H], tags, embedding_size=embedding, two_directions=two).double()
    p = numbers(model)
    vectors = p["embedding.weight"] if embedding else np.eye(symbols)
    draw = np.random.default_rng(1)
    ids = torch.tensor(draw.integers(0, symbols, (T, B)))
    targets = torch.tensor(draw.integers(0, tags, (T, B)))
    targets[1, 0] = NOT_ASKED
    total, count = 0.0, 0
    for row, length in enumerate(LENGTHS):
        xs = vectors[ids[:length, row].numpy()]
        read = np.array(hidden(p, xs))
        if two:
            read = np.concatenate([read, np.array(hidden(p, xs, 1))], -1)
        for t in range(length):
            if targets[t, row] != NOT_ASKED:
                logits = p["output.weight"] @ read[t] + p["output.bias"]
                total -= math.log(math.exp(logits[targets[t, row]]) / np.exp(logits).sum())
                count += 1
        ids[length:, row] = 999
        targets[length:, row] = 999
    lengths = torch.tensor(LENGTHS)
    loss = model.loss(
        Batch({"inputs": Ragged(ids, lengths), "targets": Ragged(targets, lengths)}), model.initial_state(B)
    )
    assert loss.total.item() == pytest.approx(total, rel=1e-12)
    assert loss.count.item() == count == sum(LENGTHS) - 1


def test_plain_rows_give_what_ragged_rows_of_full_length_give() -> None:
    x = torch.randn(T, B, F)
    whole = Ragged(x, torch.full((B,), T))
    for model in (SequenceClassifier(LSTM, F, [H], 3), Tagger(LSTM, F, [H], 3, two_directions=True)):
        plain, ragged = (model.predict(Batch({"inputs": inputs})) for inputs in (x, whole))
        torch.testing.assert_close(plain, ragged)


def test_a_tagger_goes_on_from_a_state() -> None:
    model = Tagger(LSTM, F, [H], 3)
    x = torch.randn(T, B, F)
    whole, _ = model.answer(Batch({"inputs": x}), model.initial_state(B))
    first, state = model.answer(Batch({"inputs": x[:2]}), model.initial_state(B))
    second, _ = model.answer(Batch({"inputs": x[2:]}), state)
    torch.testing.assert_close(torch.cat([first, second]), whole)


def test_dropout_is_on_while_training_and_off_afterwards() -> None:
    for cls in (SequenceClassifier, SequenceRegressor, Tagger):
        model = cls(Elman, F, [H], 3, dropout=0.5)
        batch = Batch({"inputs": torch.randn(T, B, F)})
        assert not torch.equal(model.predict(batch), model.predict(batch))
        model.eval()
        assert torch.equal(model.predict(batch), model.predict(batch))


def test_a_row_of_length_0_is_answered_from_the_bias() -> None:
    model = SequenceClassifier(Elman, F, [H], 3, two_directions=True)
    inputs = Ragged(torch.randn(T, 2, F), torch.tensor([T, 0]))
    torch.testing.assert_close(model.predict(Batch({"inputs": inputs}))[1], model.output.bias)
