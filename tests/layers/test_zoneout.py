"""Zoneout: the paper's equations, in NumPy, with masks given and in expectation; what is kept, and how much of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from odd_cells import Counting

from unrolled import states
from unrolled.cells import registry
from unrolled.cells.cell import Cell, needs_beside
from unrolled.cells.elman import Elman
from unrolled.cells.gru import GRU
from unrolled.cells.lru import LRU
from unrolled.cells.lstm import LSTM, LSTMState
from unrolled.cells.min_recurrences import MinGRU
from unrolled.errors import KernelError, OptionError, ShapeError
from unrolled.kernels.kernel import Pass
from unrolled.kernels.reference import Reference
from unrolled.layers import zoneout
from unrolled.layers.dropout import rows_of
from unrolled.layers.recurrent import Recurrent

T, B, F, H = 6, 3, 4, 5
LENGTHS = torch.tensor([6, 0, 4])


def able(cell: Cell) -> list[str]:
    """The leaves that zoneout acts on."""
    start = cell.initial_state((1,), torch.device("cpu"), torch.float32)
    return [name for name, leaf in states.leaves(start) if states.differentiable(leaf) and name not in cell.JOINT]


ZONED_OUT = [name for name, cell in registry.built_in().items() if not needs_beside(cell(2, 2)) and able(cell(2, 2))]


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def zoned_out_lstm(cell: LSTM, x, h, c, keep_h, keep_c):
    """As Krueger et al. (2016) write it: c_t and h_t each kept by a mask of its own, and h_t made of the new c_t."""
    U, W, b = (cell.get_parameter(name).detach().numpy() for name in "UWb")
    every = []
    for t in range(len(x)):
        i, f, g, o = np.split(x[t] @ U.T + h @ W.T + b, 4, -1)
        new_c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        new_h = sigmoid(o) * np.tanh(new_c)
        c, h = keep_c[t] * c + (1 - keep_c[t]) * new_c, keep_h[t] * h + (1 - keep_h[t]) * new_h
        every.append((h, c))
    return np.stack([one[0] for one in every]), np.stack([one[1] for one in every])


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_masks_that_are_given_act_as_in_the_paper(direction):
    cell, x = LSTM(F, H).double(), torch.randn(T, B, F).double()
    start = LSTMState(torch.randn(B, H).double(), torch.randn(B, H).double())
    keep = LSTMState(torch.rand(T, B, H) < 0.3, torch.rand(T, B, H) < 0.6)
    one = Pass(cell, x, start, direction=direction, zoneout=keep)
    (trace,) = Reference().run([one], ("states",))
    order = slice(None) if direction == "forward" else slice(None, None, -1)
    read = [value.double().numpy()[order] for value in (x, *keep)]
    h, c = zoned_out_lstm(cell, read[0], start.hidden.numpy(), start.cell.numpy(), *read[1:])
    np.testing.assert_allclose(trace.output.detach().numpy()[order], h, rtol=1e-12)
    np.testing.assert_allclose(trace.states.hidden.detach().numpy()[order], h, rtol=1e-12)
    np.testing.assert_allclose(trace.states.cell.detach().numpy()[order], c, rtol=1e-12)
    assert (trace.state.hidden.detach().numpy() == trace.states.hidden.detach().numpy()[order][-1]).all()


def test_in_evaluation_the_expectation_of_each_leaf_is_kept():
    stack = Recurrent(LSTM, F, [H], zoneout={"hidden": 0.05, "cell": 0.5}).double().eval()
    x = torch.randn(T, B, F).double()
    zeros = np.zeros((B, H))
    h, c = zoned_out_lstm(stack.cells()[0][0], x.numpy(), zeros, zeros, [0.05] * T, [0.5] * T)
    output, ((final,),) = stack(x)
    np.testing.assert_allclose(output.detach().numpy(), h, rtol=1e-12)
    np.testing.assert_allclose(final.cell.detach().numpy(), c[-1], rtol=1e-12)
    step, state = stack.stepper(), stack.initial_state(B)
    for t in range(T):
        given, state = step(x[t], state)
        torch.testing.assert_close(given, output[t])
    assert Recurrent(LSTM, F, [H], zoneout=0.1).train().stepper().zoneout_rates == 0.1


def test_a_unit_is_kept_with_the_rate_each_step_anew_and_as_the_seed_says():
    rate, steps, rows, units = 0.3, 40, 10, 60
    stack = Recurrent(LSTM, F, [units], zoneout=rate)
    x = torch.randn(steps, rows, F)

    def kept(seed):
        torch.manual_seed(seed)
        ((trace,),) = stack.record(x, states.map_state(torch.randn_like, stack.initial_state(rows))).traces
        return [leaf[1:] == leaf[:-1] for leaf in trace.states]

    hidden, cell = kept(1)
    n = hidden.numel()
    for one in (hidden, cell):
        assert abs(one.sum().item() - n * rate) < 5 * (n * rate * (1 - rate)) ** 0.5
    both = (hidden & cell).sum().item()
    assert abs(both - n * rate**2) < 5 * (n * rate**2 * (1 - rate**2)) ** 0.5, "each leaf draws its own mask"
    assert not torch.equal(hidden[0], hidden[1])
    assert all(torch.equal(a, b) for a, b in zip(kept(1), (hidden, cell), strict=True))
    assert not torch.equal(kept(2)[0], hidden)


@pytest.mark.parametrize("name", ZONED_OUT)
@pytest.mark.parametrize("training", [True, False])
def test_over_every_cell_a_rate_of_0_changes_nothing_and_1_keeps_the_state_for_ever(name, training):
    torch.manual_seed(0)
    one = registry.find(name)(F, 4)
    x = torch.randn(T, B, F)
    plain = Recurrent(lambda F, H: one, F, [4], kernel="reference").train(training)
    never = Recurrent(lambda F, H: one, F, [4], kernel="reference", zoneout=0.0).train(training)
    start = plain(x)[1]
    assert torch.equal(never(x, start)[0], plain(x, start)[0])
    always = Recurrent(lambda F, H: one, F, [4], zoneout=1.0).train(training)
    after = dict(states.leaves(always(x, start)[1][0][0]))
    for leaf, before in states.leaves(start[0][0]):
        assert torch.equal(after[leaf], before) == (leaf in able(one)), leaf


@pytest.mark.parametrize("name", ZONED_OUT)
def test_over_every_cell_halves_steps_and_padding_in_evaluation(name):
    torch.manual_seed(0)
    stack = Recurrent(registry.find(name), F, [4, 4], zoneout=0.3).double().eval()
    x = torch.randn(T, B, F).double()
    whole, final = stack(x)
    first, carried = stack(x[:2])
    second, after = stack(x[2:], carried)
    torch.testing.assert_close(torch.cat([first, second]), whole)
    torch.testing.assert_close(after, final)
    step, state = stack.stepper(), stack.initial_state(B)
    for t in range(T):
        output, state = step(x[t], state)
        torch.testing.assert_close(output, whole[t])
    past = torch.arange(T)[:, None] >= LENGTHS
    ragged, _ = stack(x.masked_fill(past[..., None], float("nan")), lengths=LENGTHS)
    torch.testing.assert_close(ragged[:4, 2:], stack(x[:4, 2:])[0])
    assert not ragged[past].any()


def test_a_complex_state_is_kept_whole_and_its_output_read_from_what_was_kept():
    stack = Recurrent(LRU, F, [H], zoneout=0.5).double()
    cell = stack.cells()[0][0]
    x = torch.randn(T, B, F).double()
    recorded = stack.record(x)
    h = recorded.traces[0][0].states
    kept = h[1:] == h[:-1]
    assert 0.2 < kept.float().mean() < 0.8
    torch.testing.assert_close(recorded.output, cell.readout(h, cell.project(x, cell.prepare())))


def test_the_output_of_a_cell_whose_state_is_its_output_is_the_kept_state():
    for cell in (MinGRU, Elman, GRU, LSTM):
        ((trace,),) = Recurrent(cell, F, [H], zoneout=0.5).record(torch.randn(T, B, F)).traces
        first = next(leaf for _, leaf in states.leaves(trace.states))
        assert torch.equal(trace.output, first)


def test_counters_are_counted_on():
    _, ((state,),) = Recurrent(Counting, F, [F], zoneout=1.0)(torch.randn(T, B, F), lengths=LENGTHS)
    assert not state.hidden.any()
    assert state.steps.tolist() == LENGTHS.tolist()


def test_rows_of_several_processes_are_kept_as_those_of_one():
    stack = Recurrent(LSTM, F, [H, H], True, zoneout=0.4, recurrent_dropout=0.3, dropout=0.2, weight_drop=0.1).double()
    x = torch.randn(T, 7, F).double()

    def seen(rows, part):
        torch.manual_seed(5)
        with rows_of(rows):
            return stack(part)[0], torch.rand(1)

    whole, place = seen(None, x)
    first, second = seen((0, 7), x[:, :3]), seen((3, 7), x[:, 3:])
    torch.testing.assert_close(torch.cat([first[0], second[0]], 1), whole)
    assert first[1] == second[1] == place


def test_what_cannot_be_zoned_out_is_refused_in_words():
    with pytest.raises(OptionError, match=r"names \['memory'\]; the leaves of LSTM .* \['hidden', 'cell'\]"):
        Recurrent(LSTM, F, [H], zoneout={"memory": 0.1})
    for name in ("mlstm", "time-skip"):
        with pytest.raises(OptionError, match="has no leaf of its state that can be zoned out"):
            Recurrent(registry.find(name), F, [H], zoneout=0.1)
    for rate in (-0.1, 1.1, float("nan")):
        with pytest.raises(OptionError, match="from 0 to 1"):
            Recurrent(LSTM, F, [H], zoneout=rate)
    with pytest.raises(KernelError, match="knows no zoneout"):
        Recurrent(LSTM, F, [H], zoneout=0.1, kernel="fused")(torch.randn(T, B, F))
    cell, x = LSTM(F, H), torch.randn(T, B, F)
    start = cell.initial_state((B,), x.device, x.dtype)
    with pytest.raises(ShapeError, match=r"zoneout 'cell' must be \(6, 3, 5\).*\(3, 5\) came"):
        Pass(cell, x, start, zoneout=LSTMState(None, torch.zeros(B, H)))
    with pytest.raises(ShapeError, match=r"zoneout must have the leaves"):
        Pass(cell, x, start, zoneout=torch.zeros(T, B, H))
    with pytest.raises(ShapeError, match=r"mask 'hidden' must be \(3, 5\)"):
        Pass(cell, x, start, mask=LSTMState(torch.ones(H), torch.ones(B, H)))
    assert zoneout.draw(cell, start, 0.0, T) is None
    assert zoneout.draw(cell, start, {"cell": 0.2}, T).hidden is None
