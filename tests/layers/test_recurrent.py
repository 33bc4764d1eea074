"""A stack equals its layers run by hand, and says what does not fit."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn

from unrolled import states
from unrolled.cells.elman import Elman
from unrolled.cells.gru import GRU, ResetBeforeGRU
from unrolled.cells.lstm import LSTM, LSTMState
from unrolled.errors import KernelError, ShapeError
from unrolled.layers.recurrent import Recurrent

T, B, F = 6, 3, 4
LENGTHS = torch.tensor([6, 0, 4])


def double(stack: Recurrent) -> Recurrent:
    return stack.double().eval()


def x(rows: int = B) -> torch.Tensor:
    return torch.randn(T, rows, F, dtype=torch.float64)


def test_sizes_per_layer():
    stack = Recurrent(LSTM, F, [5, 3, 2])
    assert [[(c.input_size, c.hidden_size) for c in layer] for layer in stack.cells()] == [[(4, 5)], [(5, 3)], [(3, 2)]]
    wide = Recurrent(LSTM, F, [5, 3], two_directions=True)
    assert [[(c.input_size, c.hidden_size) for c in layer] for layer in wide.cells()] == [[(4, 5)] * 2, [(10, 3)] * 2]
    assert (stack.output_size, wide.output_size) == (2, 6)
    assert stack(torch.randn(T, B, F))[0].shape == (T, B, 2)


@pytest.mark.parametrize("kernel", ["auto", "fused", "reference"])
@pytest.mark.parametrize("two_directions", [False, True])
def test_the_whole_stack_equals_torchs(kernel, two_directions):
    torch.manual_seed(1)
    stack = double(Recurrent(LSTM, F, [5, 5], two_directions, kernel=kernel))
    theirs = nn.LSTM(F, 5, num_layers=2, bidirectional=two_directions).double()
    with torch.no_grad():
        for number, layer in enumerate(stack.cells()):
            for cell, suffix in zip(layer, ("", "_reverse"), strict=False):
                getattr(theirs, f"weight_ih_l{number}{suffix}").copy_(cell.U)
                getattr(theirs, f"weight_hh_l{number}{suffix}").copy_(cell.W)
                getattr(theirs, f"bias_ih_l{number}{suffix}").copy_(cell.b.normal_())
                getattr(theirs, f"bias_hh_l{number}{suffix}").zero_()
    batch = x()
    start = states.map_state(torch.randn_like, stack.initial_state(B))
    flat = [state for layer in start for state in layer]
    output, (h, c) = theirs(batch, (torch.stack([s.hidden for s in flat]), torch.stack([s.cell for s in flat])))
    ours, final = stack(batch, start)
    torch.testing.assert_close(ours, output)
    after = [state for layer in final for state in layer]
    torch.testing.assert_close(torch.stack([s.hidden for s in after]), h)
    torch.testing.assert_close(torch.stack([s.cell for s in after]), c)


@pytest.mark.parametrize("two_directions", [False, True])
@pytest.mark.parametrize("cell", [LSTM, GRU, ResetBeforeGRU])
def test_ragged_rows_give_what_they_give_alone(cell, two_directions):
    stack = double(Recurrent(cell, F, [5, 3], two_directions))
    batch = x()
    together, final = stack(batch, lengths=LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        assert not together[length:, row].any()
        if length:
            alone, alone_final = stack(batch[:length, row : row + 1])
            torch.testing.assert_close(together[:length, row : row + 1], alone)
            torch.testing.assert_close(states.select(final, slice(row, row + 1)), alone_final)


def test_state_in_and_state_out_make_one_sequence_of_two():
    stack = double(Recurrent(GRU, F, [5, 3]))
    batch = x()
    whole, final = stack(batch)
    first, carried = stack(batch[:2])
    second, after = stack(batch[2:], carried)
    torch.testing.assert_close(torch.cat([first, second]), whole)
    torch.testing.assert_close(after, final)


def test_a_gradient_flows_through_the_carried_state():
    stack = double(Recurrent(GRU, F, [5, 3]))
    first = x().requires_grad_()
    _, carried = stack(first)
    stack(x(), carried)[0].sum().backward()
    assert first.grad.abs().sum() > 0
    stack(x(), states.detach(carried))[0].sum().backward()  # the graph behind is cut: no second backward through it


def test_the_stepper_equals_the_sequence():
    stack = double(Recurrent(LSTM, F, [5, 3]))
    batch = x()
    whole, final = stack(batch)
    step, state = stack.stepper(), stack.initial_state(B)
    for t in range(T):
        output, state = step(batch[t], state)
        torch.testing.assert_close(output, whole[t])
    torch.testing.assert_close(state, final)


def test_the_record_holds_every_layer_s_states_and_gates_and_changes_nothing():
    stack = double(Recurrent(LSTM, F, [5, 3], two_directions=True))
    batch = x()
    plain, final = stack(batch, lengths=LENGTHS)
    recorded = stack.record(batch, lengths=LENGTHS)
    torch.testing.assert_close(recorded.output, plain)
    torch.testing.assert_close(recorded.state, final)
    assert [len(layer) for layer in recorded.traces] == [2, 2]
    for layer, width in zip(recorded.traces, (5, 3), strict=True):
        for trace in layer:
            assert list(trace.gates) == list(LSTM.GATES)
            assert trace.states.cell.shape == (T, B, width)
    forward, backward = recorded.traces[1]
    torch.testing.assert_close(torch.cat([forward.output, backward.output], -1), plain)
    torch.testing.assert_close(forward.states.hidden[-1], final[1][0].hidden)
    torch.testing.assert_close(backward.states.hidden[0], final[1][1].hidden)


def test_dropout_stands_between_layers_and_not_after_the_last():
    one, two = Recurrent(GRU, F, [5], dropout=0.9), Recurrent(GRU, F, [5, 5], dropout=0.9)
    batch = torch.randn(T, B, F)
    torch.testing.assert_close(one(batch)[0], one.eval()(batch)[0])
    torch.manual_seed(0)
    training = two(batch)[0]
    assert not torch.equal(training, two.eval()(batch)[0])
    by_hand = two.cells()[1][0]
    first, _ = Recurrent(lambda F, H: two.cells()[0][0], F, [5])(batch)
    torch.manual_seed(0)
    dropped = two.noise.dropout.train()(first)
    torch.testing.assert_close(Recurrent(lambda F, H: by_hand, 5, [5])(dropped)[0], training)


def test_a_cell_with_options_is_made_by_a_function():
    stack = Recurrent(partial(LSTM, forget_bias=3.0), F, [2])
    assert stack.cells()[0][0].b[2:4].tolist() == [3, 3]


def test_bfloat16_autocast_runs_a_stack_with_its_state_kept_in_float32():
    stack = Recurrent(LSTM, F, [5, 3])
    batch = torch.randn(T, B, F)
    with torch.autocast("cpu", torch.bfloat16):
        output, state = stack(batch)
        again, _ = stack(batch, state)
    assert {leaf.dtype for _, leaf in states.leaves(state)} == {torch.float32}
    exact, exact_state = stack(batch)
    torch.testing.assert_close(output.float(), exact, atol=2e-2, rtol=0)
    torch.testing.assert_close(again.float(), stack(batch, exact_state)[0], atol=2e-2, rtol=0)


def test_what_does_not_fit_is_refused_in_words():
    stack = Recurrent(LSTM, F, [5, 3])
    with pytest.raises(ShapeError, match="sizes was empty"):
        Recurrent(LSTM, F, [])
    with pytest.raises(ShapeError, match="Linear is not one"):
        Recurrent(nn.Linear, F, [5])
    with pytest.raises(ShapeError, match=r"LSTM wants x as \(T, B, 4\)"):
        stack(torch.randn(T, B, F + 1))
    with pytest.raises(ShapeError, match=r"2 layer\(s\) of 1 direction\(s\); one with .*'0.0.hidden', '0.0.cell'\]"):
        stack(torch.randn(T, B, F), Recurrent(LSTM, F, [5]).initial_state(B))
    with pytest.raises(ShapeError, match="layer"):
        stack(torch.randn(T, B, F), LSTMState(torch.zeros(B, 5), torch.zeros(B, 5)))
    with pytest.raises(ShapeError, match=r"state 'hidden' of LSTM must be \(3, 5\).*\(2, 5\)"):
        stack(torch.randn(T, B, F), stack.initial_state(2))
    with pytest.raises(ShapeError, match="cannot be stepped"):
        Recurrent(LSTM, F, [5], two_directions=True).stepper()
    with pytest.raises(KernelError, match="ResetBeforeGRU has no twin"):
        Recurrent(ResetBeforeGRU, F, [5], kernel="fused")(torch.randn(T, B, F))


def test_swapping_the_directions_is_seen():
    stack = double(Recurrent(Elman, F, [5], two_directions=True))
    batch = x()
    (forward, backward), output = stack.cells()[0], stack(batch)[0]
    torch.testing.assert_close(output[..., :5], Recurrent(lambda F, H: forward, F, [5])(batch)[0])
    reversed_by_hand = Recurrent(lambda F, H: backward, F, [5])(batch.flip(0))[0].flip(0)
    torch.testing.assert_close(output[..., 5:], reversed_by_hand)
