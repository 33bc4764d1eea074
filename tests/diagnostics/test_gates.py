"""Saturation of gates, counted by hand, and found in a cell whose gates were set."""

from __future__ import annotations

import math

import pytest
import torch

from unrolled.cells.cell import state_like
from unrolled.cells.elman import Elman
from unrolled.cells.lstm import LSTM
from unrolled.diagnostics.gates import saturation, saturation_points, saturation_table
from unrolled.diagnostics.units import activity
from unrolled.errors import DataError
from unrolled.kernels.kernel import Pass
from unrolled.kernels.reference import Reference
from unrolled.models.language_model import LanguageModel

FORGET = torch.tensor([[0.05, 0.95, 0.5], [0.0, 0.91, 0.1], [0.09, 1.0, 0.9], [0.5, 0.2, 0.95]])
SIGNALS = {"hidden": FORGET - 0.5, "forget": FORGET, "candidate": 2 * FORGET - 1}


def test_shares_by_hand():
    found = saturation(SIGNALS)
    assert list(found) == ["forget"]
    assert found["forget"].left.tolist() == [0.75, 0.0, 0.0]  # 0.1 itself is not below it
    assert found["forget"].right.tolist() == [0.0, 0.75, 0.25]  # nor 0.9 above it


def test_the_picture_and_the_table():
    figure = saturation_points(SIGNALS)
    (series,) = figure.series
    assert (series.name, series.x, series.y) == ("forget", (0.75, 0.0, 0.0), (0.0, 0.75, 0.25))
    assert (figure.x_label, figure.y_label) == ("share of time below 0.1", "share of time above 0.9")
    (edge,) = figure.lines
    assert {(0.0, 1.0), (1.0, 0.0)} <= set(zip(edge.x, edge.y, strict=True))
    shut = {"update": torch.tensor([[0.01, 0.99, 0.5]] * 9 + [[0.5, 0.5, 0.5]])}
    table = saturation_table({**SIGNALS, **shut})
    assert table.columns == ("gate", "below 0.1", "above 0.9", "units shut", "units open", "units")
    assert table.rows == (
        ("forget", pytest.approx(0.25), pytest.approx(1 / 3), 0, 0, 3),
        ("update", pytest.approx(0.3), pytest.approx(0.3), 1, 1, 3),
    )


def test_gates_that_are_set_are_found_set():
    """An LSTM's unit 1 with an open forget gate, unit 2 with a shut input gate, from what the kernel recorded."""
    cell = LSTM(2, 3)
    with torch.no_grad():
        cell.W.zero_()
        cell.U.zero_()
        cell.b.zero_()
        cell.b[3] = math.log(19)  # f_1 = 0.95
        cell.b[1] = -math.log(19)  # i_2 = 0.05
    x = torch.randn(5, 1, 2)
    gates = Reference().run([Pass(cell, x, state_like(cell, x))], ["gates"])[0].gates
    found = saturation({name: values[:, 0] for name, values in gates.items()})
    assert found["forget"].right.tolist() == [1.0, 0.0, 0.0]
    assert found["input"].left.tolist() == [0.0, 1.0, 0.0]
    assert not found["output"].left.any() and not found["output"].right.any()


def test_it_takes_what_units_do_over_a_text():
    torch.manual_seed(0)
    model = LanguageModel(LSTM, 5, 0, (4,))
    with torch.no_grad():
        model.recurrent.cells()[0][0].U.mul_(20)
    (signals,) = activity(model, torch.tensor([0, 3, 1, 4, 4, 2, 0, 1, 2] * 5))
    figure = saturation_points(signals)
    assert [one.name for one in figure.series] == ["input", "forget", "output"]
    assert all(len(one.x) == 4 for one in figure.series)
    assert all(0 <= x + y <= 1 + 1e-9 for one in figure.series for x, y in zip(one.x, one.y, strict=True))
    assert any(x + y > 0.5 for one in figure.series for x, y in zip(one.x, one.y, strict=True))


def test_where_there_is_no_gate_it_is_said():
    model = LanguageModel(Elman, 5, 0, (4,))
    (signals,) = activity(model, torch.arange(5).repeat(8))
    with pytest.raises(DataError, match="of the signals hidden, candidate of this cell, none does"):
        saturation(signals)
    with pytest.raises(DataError, match=r"\(none\)"):
        saturation({})
