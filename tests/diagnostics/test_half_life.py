"""Half-lives against a memory that is left alone until half of it is gone."""

from __future__ import annotations

import math

import pytest
import torch

from unrolled.cells.elman import Elman
from unrolled.cells.gru import GRU, ResetBeforeGRU
from unrolled.cells.lstm import LSTM, LSTMState
from unrolled.diagnostics.half_life import half_life_curves, half_life_table, half_lives, keeping_gate
from unrolled.errors import OptionError
from unrolled.kernels.choose import stepper


def test_after_a_half_life_half_is_left():
    gates = torch.tensor([[0.5, 0.9, 0.99], [0.5, 0.8, 0.99], [0.5, 0.85, 0.99]], dtype=torch.float64)
    for unit, life in enumerate(half_lives(gates).tolist()):
        mean = math.exp(sum(math.log(value) for value in gates[:, unit].tolist()) / 3)
        assert mean**life == pytest.approx(0.5)
    assert half_lives(gates)[0].item() == pytest.approx(1.0)
    assert half_lives(gates)[2].item() == pytest.approx(68.97, abs=0.01)


def test_a_gate_that_never_forgets_and_one_that_forgets_at_once():
    assert half_lives(torch.tensor([[1.0, 0.0], [1.0, 0.5]])).tolist() == [math.inf, 0.0]


def test_a_cells_own_memory_shrinks_as_its_gate_says():
    cell = LSTM(2, 3).double()
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.zero_()
        cell.b.view(4, 3)[cell.GATES.index(keeping_gate(cell))] = torch.tensor([0.0, 1.0, 3.0])
    step, memory = stepper(cell), torch.ones(1, 3, dtype=torch.float64)
    state, gates = LSTMState(torch.zeros_like(memory), memory), []
    for _ in range(8):
        _, state, found = step(torch.zeros(1, 2, dtype=torch.float64), state)
        gates.append(found["forget"][0])
    lives = half_lives(torch.stack(gates).detach())
    assert state.cell[0].tolist() == pytest.approx((0.5 ** (8 / lives)).tolist())


def test_which_gate_keeps():
    assert [keeping_gate(cell(2, 3)) for cell in (LSTM, GRU, ResetBeforeGRU)] == ["forget", "update", "update"]
    with pytest.raises(OptionError, match="Elman has no gate that is known"):
        keeping_gate(Elman(2, 3))


def test_figures():
    gates = [torch.tensor([[0.5, 0.9]]), torch.tensor([[0.99]])]
    lives = [half_lives(gate) for gate in gates]
    first, second = half_life_curves(lives).series
    assert first.y == pytest.approx((math.log(0.5) / math.log(0.9), 1.0), rel=1e-5) and first.x == (1, 2)
    assert len(second.y) == 1
    table = half_life_table(lives, gates, rows=2)
    assert [row[:2] for row in table.rows] == [(2, 1), (1, 2)]
    assert table.rows[1][3] == pytest.approx(0.9)
