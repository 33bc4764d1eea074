"""Each variation beside the LSTM: where they must be the same, and what only one of them can do."""

from __future__ import annotations

import pytest
import torch

from unrolled.cells.cell import count_parameters, state_like
from unrolled.cells.layer_norm_lstm import LayerNormLSTM
from unrolled.cells.lstm import LSTM, LSTMState
from unrolled.cells.lstm_variations import CoupledLSTM, NoForgetLSTM, PeepholeLSTM, ProjectedLSTM
from unrolled.errors import ShapeError
from unrolled.kernels.kernel import Pass
from unrolled.kernels.reference import Reference

F, H = 3, 4


def run(cell, x, state=None, record=()):
    return Reference().run([Pass(cell, x, state_like(cell, x) if state is None else state)], record)[0]


def inputs(steps=6):
    return torch.randn(steps, 2, F, dtype=torch.float64)


def blocks(cell, name):
    """The block of each gate, by its name."""
    return dict(zip(cell.GATES, cell.get_parameter(name).detach().chunk(len(cell.GATES)), strict=True))


@pytest.mark.parametrize(
    ("cell", "count"),
    [
        (PeepholeLSTM(7, 11), 4 * 11 * (11 + 7 + 1) + 3 * 11),
        (CoupledLSTM(7, 11), 3 * 11 * (11 + 7 + 1)),
        (NoForgetLSTM(7, 11), 3 * 11 * (11 + 7 + 1)),
        (ProjectedLSTM(7, 11, projection_size=5), 4 * 11 * (5 + 7 + 1) + 5 * 11),
        (LayerNormLSTM(7, 11), 4 * 11 * (11 + 7 + 1) + 10 * 11),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_number_of_parameters_is_the_docstring_s(cell, count):
    assert count_parameters(cell) == count


@pytest.mark.parametrize("make", [PeepholeLSTM, CoupledLSTM, ProjectedLSTM, LayerNormLSTM])
def test_the_forget_gate_alone_starts_open(make):
    for bias in (1.0, -2.0):
        cell = make(F, H, forget_bias=bias)
        assert all((block == (bias if gate == "forget" else 0)).all() for gate, block in blocks(cell, "b").items())
    assert (blocks(make(F, H), "b")["forget"] == 1).all()


def test_a_peephole_lstm_starts_as_the_lstm():
    cell, plain = PeepholeLSTM(F, H).double(), LSTM(F, H).double()
    plain.load_state_dict({name: value for name, value in cell.state_dict().items() if name != "p"})
    x = inputs()
    torch.testing.assert_close(run(cell, x).output, run(plain, x).output, rtol=0, atol=0)


def test_without_a_forget_gate_the_cell_state_is_the_sum_of_all_that_came_in():
    cell = NoForgetLSTM(F, H).double()
    trace = run(cell, inputs(40), record=("gates",))
    torch.testing.assert_close(trace.state.cell, (trace.gates["input"] * trace.gates["candidate"]).sum(0))


def test_without_a_forget_gate_it_is_the_lstm_whose_gate_is_held_open():
    cell, plain = NoForgetLSTM(F, H).double(), LSTM(F, H).double()
    with torch.no_grad():
        for name in "UWb":
            blocks(plain, name)["forget"].zero_()
            for gate, block in blocks(cell, name).items():
                blocks(plain, name)[gate].copy_(block)
        blocks(plain, "b")["forget"].fill_(100)
    x = inputs()
    torch.testing.assert_close(run(cell, x).output, run(plain, x).output)


def test_a_coupled_cell_state_is_an_average_and_never_leaves_one():
    cell = CoupledLSTM(F, H).double()
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.normal_(std=3)
    trace = run(cell, 5 * inputs(60), record=("states",))
    assert trace.states.cell.abs().max() <= 1
    # The LSTM's, with the same numbers, does leave it.
    plain = NoForgetLSTM(F, H).double()
    plain.load_state_dict(cell.state_dict())
    assert run(plain, 5 * inputs(60)).state.cell.abs().max() > 2


def test_a_projected_lstm_has_a_narrow_output_and_a_wide_memory():
    cell = ProjectedLSTM(F, 6)
    assert cell.output_size == cell.projection_size == 3
    state = state_like(cell, torch.zeros(1, 2, F))
    assert (state.hidden.shape, state.cell.shape) == ((2, 3), (2, 6))
    assert run(cell, torch.zeros(5, 2, F)).output.shape == (5, 2, 3)


@pytest.mark.parametrize(("hidden_size", "projection_size"), [(4, 0), (4, 4), (4, 5), (1, None)])
def test_a_projection_that_does_not_narrow_is_refused(hidden_size, projection_size):
    with pytest.raises(ShapeError, match="projection_size of ProjectedLSTM was"):
        ProjectedLSTM(F, hidden_size, projection_size)


@pytest.mark.parametrize("name", ["U", "W"])
def test_a_normalised_product_does_not_feel_the_size_of_its_weights(name):
    """But for ε, which is small beside the variance of these products."""
    cell, plain = LayerNormLSTM(F, H).double(), LSTM(F, H).double()
    state = LSTMState(*torch.randn(2, 2, H, dtype=torch.float64))
    x = inputs()
    before, plain_before = run(cell, x, state).output, run(plain, x, state).output
    with torch.no_grad():
        for one in (cell, plain):
            one.get_parameter(name).mul_(3)
    torch.testing.assert_close(run(cell, x, state).output, before, rtol=1e-3, atol=1e-3)
    assert (run(plain, x, state).output - plain_before).abs().max() > 0.1


def test_a_normalised_cell_state_is_carried_as_it_is():
    cell = LayerNormLSTM(F, H).double()
    trace = run(cell, inputs(), record=("states", "gates"))
    gates = trace.gates
    c = gates["forget"][1] * trace.states.cell[0] + gates["input"][1] * gates["candidate"][1]
    torch.testing.assert_close(trace.states.cell[1], c)
