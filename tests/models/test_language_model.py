"""The language model's numbers, by hand: its loss, its gradients through time, its steps."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from unrolled import states
from unrolled.batch import Batch, Ragged
from unrolled.cells import registry
from unrolled.cells.cell import needs_beside
from unrolled.cells.conditioned import ConditionedElman
from unrolled.cells.elman import Elman
from unrolled.cells.gru import GRU
from unrolled.cells.lstm import LSTM
from unrolled.errors import OptionError
from unrolled.models.language_model import LanguageModel

V = "helo"


def ids(text: str) -> torch.Tensor:
    return torch.tensor([[V.index(letter)] for letter in text])


def pair(symbols: torch.Tensor, targets: torch.Tensor) -> Batch:
    return Batch({"symbols": symbols, "targets": targets})


def hello() -> LanguageModel:
    return LanguageModel(Elman, 4, 0, [3]).double()


def test_the_loss_of_hello_is_minus_the_sum_of_log_p_by_hand():
    model = hello()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
    p = {name: value.detach().numpy() for name, value in model.named_parameters()}
    U, W, b = (p[f"recurrent.layers.0.0.{key}"] for key in "UWb")
    h, expected = np.zeros(3), 0.0
    for letter, following in zip("hell", "ello", strict=True):
        h = np.tanh(U @ np.eye(4)[V.index(letter)] + W @ h + b)
        y = p["softmax.weight"] @ h + p["softmax.bias"]
        expected -= math.log(math.exp(y[V.index(following)]) / sum(math.exp(v) for v in y))
    loss = model.loss(pair(ids("hell"), ids("ello")), model.initial_state(1))
    assert loss.total.item() == pytest.approx(expected, rel=1e-12)
    assert loss.count.item() == 4
    np.testing.assert_allclose(loss.state[0][0].hidden[0].detach().numpy(), h, rtol=1e-12)


def test_a_model_that_knows_nothing_loses_ln_v_a_symbol():
    model = LanguageModel(GRU, 50, 8, [16])
    with torch.no_grad():
        model.softmax.weight.zero_()
    symbols = torch.randint(50, (7, 3))
    loss = model.loss(pair(symbols, symbols), model.initial_state(3))
    assert loss.total.item() / loss.count.item() == pytest.approx(math.log(50), rel=1e-6)


@pytest.mark.parametrize(
    "cell",
    [cell for cell in registry.built_in().values() if not needs_beside(cell(2, 2))],
    ids=lambda cell: cell.NAME,
)
@pytest.mark.parametrize("embedding", [0, 3])
def test_gradients_through_time_equal_finite_differences(cell, embedding):
    """C2, over all T, for every parameter; one direction in the space of all of them, and each largest element."""
    torch.manual_seed(0)
    model = LanguageModel(cell, 4, embedding, [5, 3], kernel="reference").double()
    with torch.no_grad():
        for parameter in model.parameters():  # with biases of zero, units of a ReLU would stand on its kink
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    batch = pair(ids("hellohell"), ids("ellohello"))
    model.loss(batch, model.initial_state(1)).total.backward()
    for name, parameter in model.named_parameters():
        place = parameter.grad.abs().argmax()
        flat = parameter.detach().view(-1)
        slopes = []
        for sign in (1, -1):
            flat[place] += sign * 1e-6
            with torch.no_grad():
                slopes.append(model.loss(batch, model.initial_state(1)).total.item())
            flat[place] -= sign * 1e-6
        numeric = (slopes[0] - slopes[1]) / 2e-6
        assert parameter.grad.view(-1)[place].item() == pytest.approx(numeric, rel=1e-5, abs=1e-7), name


def test_the_recurrent_gradient_is_the_closed_sum_over_k():
    """dL_T/dW = Σ_k (∂L_T/∂h_T) (Π_{j>k} ∂h_j/∂h_{j-1}) ∂⁺h_k/∂W, for the loss at the last step alone."""
    torch.manual_seed(0)
    model = hello()
    symbols = ids("hellohel")
    read = model.read(symbols, model.initial_state(1), record=("states",))
    loss = torch.nn.functional.cross_entropy(read.logits[-1], ids("l")[0])
    cell = model.recurrent.cells()[0][0]
    (automatic,) = torch.autograd.grad(loss, cell.W)
    with torch.no_grad():
        h = torch.cat([torch.zeros(1, 1, 3).double(), read.traces[0][0].states.hidden])[:, 0]
        wrong = read.logits[-1, 0].softmax(-1)
        wrong[V.index("l")] -= 1
        delta, total = model.softmax.weight.T @ wrong, torch.zeros_like(cell.W)
        for k in range(len(symbols), 0, -1):
            before = delta * (1 - h[k] ** 2)
            total += torch.outer(before, h[k - 1])
            delta = cell.W.T @ before
    torch.testing.assert_close(automatic, total)


@pytest.mark.parametrize("cell", [Elman, LSTM, GRU])
def test_truncation_carries_the_state_forward_and_cuts_the_gradient(cell):
    """C2, truncated: two windows with the state detached give the whole's loss, but a gradient of their own:

    each window's, from a constant start. With the state not detached the gradients add up to the whole's.
    """
    torch.manual_seed(0)
    model = LanguageModel(cell, 4, 0, [5]).double()
    text = "hellohellohello"
    whole = pair(ids(text[:-1]), ids(text[1:]))
    windows = [pair(ids(text[a:b]), ids(text[a + 1 : b + 1])) for a, b in ((0, 6), (6, 14))]

    def gradient(total):
        return torch.cat([g.flatten() for g in torch.autograd.grad(total, list(model.parameters()))])

    full = model.loss(whole, model.initial_state(1)).total
    first = model.loss(windows[0], model.initial_state(1))
    kept = model.loss(windows[1], first.state)
    torch.testing.assert_close(first.total + kept.total, full)
    torch.testing.assert_close(gradient(first.total + kept.total), gradient(full))

    first = model.loss(windows[0], model.initial_state(1))
    cut = model.loss(windows[1], states.detach(first.state))
    torch.testing.assert_close(first.total + cut.total, full)
    truncated = gradient(first.total + cut.total)
    constant = states.map_state(lambda leaf: leaf.detach().clone(), first.state)
    alone = gradient(model.loss(windows[0], model.initial_state(1)).total) + gradient(
        model.loss(windows[1], constant).total
    )
    torch.testing.assert_close(truncated, alone)
    assert (truncated - gradient(model.loss(whole, model.initial_state(1)).total)).norm() > 1e-3


@pytest.mark.parametrize("garbage", [0, -1, 10**6])
def test_a_ragged_batch_is_its_rows_one_by_one_whatever_stands_past_them(garbage):
    torch.manual_seed(0)
    model = LanguageModel(GRU, 4, 3, [5, 4]).double()
    words = ["hell", "h", "hello", "lo"]
    lengths = torch.tensor([len(word) - 1 for word in words])
    symbols, targets = torch.full((4, 4), garbage), torch.full((4, 4), garbage)
    for row, word in enumerate(words):
        if len(word) > 1:
            symbols[: len(word) - 1, row : row + 1] = ids(word[:-1])
            targets[: len(word) - 1, row : row + 1] = ids(word[1:])
    batch = pair(Ragged(symbols, lengths), Ragged(targets, lengths))
    together = model.loss(batch, model.initial_state(4))
    alone = [model.loss(pair(ids(w[:-1]), ids(w[1:])), model.initial_state(1)) for w in words if len(w) > 1]
    summed = sum(one.total for one in alone)
    torch.testing.assert_close(together.total, summed)
    assert together.count.item() == lengths.sum().item() == sum(one.count.item() for one in alone)
    kept = states.select(together.state, torch.tensor([0, 2, 3]))
    torch.testing.assert_close(kept, states.concatenate([one.state for one in alone]))
    parameters = list(model.parameters())
    torch.testing.assert_close(torch.autograd.grad(together.total, parameters), torch.autograd.grad(summed, parameters))


@pytest.mark.parametrize("embedding", [0, 3])
def test_step_by_step_equals_reading(embedding):
    model = LanguageModel(LSTM, 4, embedding, [5, 3], dropout=0.5).eval()
    symbols = torch.randint(4, (6, 2))
    read = model.read(symbols, model.initial_state(2))
    step, state = model.stepper(), model.initial_state(2)
    for t in range(6):
        logits, state = step(symbols[t], state)
        torch.testing.assert_close(logits, read.logits[t])
    torch.testing.assert_close(state, read.state)
    torch.testing.assert_close(model.advance(symbols[0], model.initial_state(2))[0], read.logits[0])


def test_one_hot_input_is_an_embedding_of_the_identity():
    one_hot, embedded = LanguageModel(GRU, 4, 0, [5]), LanguageModel(GRU, 4, 4, [5])
    embedded.load_state_dict({**one_hot.state_dict(), "embedding.weight": torch.eye(4)})
    symbols = torch.randint(4, (6, 2))
    start = one_hot.initial_state(2)
    torch.testing.assert_close(one_hot.read(symbols, start).logits, embedded.read(symbols, start).logits)


def test_losses_are_summed_in_float32_at_least():
    symbols = torch.randint(4, (6, 2))
    single, double = LanguageModel(GRU, 4, 3, [5]), LanguageModel(GRU, 4, 3, [5]).double()
    with torch.autocast("cpu", torch.bfloat16):
        assert single.loss(pair(symbols, symbols), single.initial_state(2)).total.dtype == torch.float32
        assert single.advance(symbols[0], single.initial_state(2))[0].dtype == torch.float32
    assert double.loss(pair(symbols, symbols), double.initial_state(2)).total.dtype == torch.float64
    assert double.advance(symbols[0], double.initial_state(2))[0].dtype == torch.float64


def test_a_plain_field_beside_a_ragged_one_is_refused():
    model = hello()
    mixed = Batch({"symbols": Ragged(ids("hell"), torch.tensor([4])), "targets": ids("ello")})
    with pytest.raises(TypeError, match="'symbols' is ragged"):
        model.loss(mixed, model.initial_state(1))


def test_each_dropout_falls_on_its_own_place():
    for place, expected in (("dropout", 0.0), ("embedding_dropout", 0.0), ("layer_dropout", 0.4)):
        model = LanguageModel(LSTM, 5, 8, (16, 16), **{place: 0.4})
        assert model.recurrent.noise.dropout.rate == expected
        assert (model.dropout.rate, model.embedding_dropout.rate) == (
            0.4 * (place == "dropout"),
            0.4 * (place == "embedding_dropout"),
        )


def test_dropout_draws_one_mask_a_window_for_the_embedding_and_one_before_the_softmax(monkeypatch):
    torch.manual_seed(0)
    model = LanguageModel(LSTM, 5, 8, (16,), dropout=0.5, embedding_dropout=0.25).train()
    seen = {}
    record = model.recurrent.record

    def watched(x, *arguments, **named):
        seen["input"] = x
        seen["recorded"] = record(x, *arguments, **named)
        return seen["recorded"]

    monkeypatch.setattr(model.recurrent, "record", watched)
    model.softmax.register_forward_pre_hook(lambda _, inputs: seen.update(softmax=inputs[0]))
    symbols = torch.randint(5, (7, 3))
    model.read(symbols, model.initial_state(3))
    masks = (
        (seen["input"] / model.embedding(symbols), 1 / 0.75),
        (seen["softmax"] / seen["recorded"].output, 1 / 0.5),
    )
    for mask, scale in masks:
        torch.testing.assert_close(mask, mask[:1].expand_as(mask))
        kept = mask[0] > 0
        assert kept.any() and not kept.all()
        torch.testing.assert_close(mask[0][kept], torch.full_like(mask[0][kept], scale))
    model.eval().read(symbols, model.initial_state(3))
    torch.testing.assert_close(seen["input"], model.embedding(symbols))


def test_a_cell_that_needs_more_than_a_sequence_is_refused_in_one_line():
    with pytest.raises(OptionError, match=r"'conditioned-elman' needs a condition, a vector of 1 beside the sequence"):
        LanguageModel(ConditionedElman, 4, 0, [3])
