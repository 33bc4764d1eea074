"""What the ground of all cells says of itself: starts, sizes, states, errors."""

from __future__ import annotations

import pytest
import torch

from unrolled.cells import registry
from unrolled.cells.cell import check_state, count_parameters, project_input, state_like
from unrolled.cells.elman import ElmanState
from unrolled.cells.gru import GRU
from unrolled.cells.lstm import LSTM, LSTMState
from unrolled.errors import ShapeError


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("elman", lambda F, H: H * (H + F + 1)),
        ("lstm", lambda F, H: 4 * H * (H + F + 1)),
        ("gru", lambda F, H: 3 * H * (H + F + 1) + H),
        ("reset-before-gru", lambda F, H: 3 * H * (H + F + 1)),
    ],
)
def test_the_number_of_parameters_is_the_docstring_s(name, formula):
    assert count_parameters(registry.find(name)(7, 11)) == formula(7, 11)


@pytest.mark.parametrize("name", ["elman", "elman-relu", "elman-sigmoid", "lstm", "gru", "reset-before-gru"])
def test_recurrent_blocks_start_orthogonal_and_input_blocks_with_glorot_s_variance(name):
    cell = registry.find(name)(300, 100)
    for block in cell.W.split(100):
        torch.testing.assert_close(block @ block.T, torch.eye(100), atol=1e-5, rtol=0)
    for block in cell.U.split(100):
        assert block.var().item() == pytest.approx(2 / 400, rel=0.05)


def test_the_forget_gate_alone_starts_open():
    cell = LSTM(2, 3)
    assert cell.b.tolist() == [0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    assert LSTM(2, 3, forget_bias=-2.0).b[3:6].tolist() == [-2, -2, -2]


def test_symbols_are_looked_up_in_any_whole_type():
    U, b = torch.randn(4, 3), torch.randn(4)
    for dtype in (torch.int64, torch.int32, torch.uint8):
        u = project_input(torch.tensor([[2, 0]], dtype=dtype), U, b)
        torch.testing.assert_close(u, torch.stack([U[:, 2] + b, U[:, 0] + b])[None])


@pytest.mark.parametrize(("F", "H", "word"), [(0, 3, "input_size"), (3, 0, "hidden_size"), (3, -1, "hidden_size")])
def test_a_size_below_one_is_refused(F, H, word):
    with pytest.raises(ShapeError, match=f"{word} of GRU was"):
        GRU(F, H)


def test_the_initial_state_takes_the_type_of_the_weights_and_the_places_of_x():
    cell = LSTM(3, 4).double()
    state = state_like(cell, torch.zeros(5, 2, 3))
    assert [(leaf.shape, leaf.dtype) for leaf in state] == [((2, 4), torch.float64)] * 2
    assert state_like(cell, torch.zeros(5, 2, dtype=torch.int64)).hidden.shape == (2, 4)
    assert state_like(cell, torch.zeros(5, 2, 7, 8, 3)).hidden.shape == (2, 7, 8, 4)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (ElmanState(torch.zeros(2, 4)), r"state of \['hidden', 'cell'\]; a state of \['hidden'\] came"),
        (LSTMState(torch.zeros(2, 4), torch.zeros(1, 4)), r"state 'cell' of LSTM must be \(2, 4\).*\(1, 4\).* came"),
        (LSTMState(torch.zeros(2, 4), torch.zeros(2, 4).double()), "state 'cell' of LSTM.*float32.*float64.* came"),
    ],
)
def test_a_state_that_does_not_fit_is_refused(state, words):
    with pytest.raises(ShapeError, match=words):
        check_state(LSTM(3, 4), state, torch.zeros(5, 2, 3))
