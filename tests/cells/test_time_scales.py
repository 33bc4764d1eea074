"""Chrono initialisation: what is kept of a unit, read off the cell's own steps."""

from __future__ import annotations

import pytest
import torch

from unrolled.cells import registry
from unrolled.cells.elman import Elman
from unrolled.cells.time_scales import spread_time_scales_
from unrolled.errors import OptionError
from unrolled.kernels.kernel import Pass
from unrolled.kernels.reference import Reference

LONGEST = 100
#: Cell → its gate that keeps.
KEEPING = {
    "lstm": "forget",
    "peephole-lstm": "forget",
    "projected-lstm": "forget",
    "coupled-lstm": "forget",
    "gru": "update",
    "reset-before-gru": "update",
}


@pytest.mark.parametrize("name", KEEPING)
def test_what_is_kept_a_step_gives_time_scales_spread_from_2_to_the_longest(name: str) -> None:
    """With x and h zero a gate is σ(b): kept f a step, a unit's time scale is 1/(1 − f)."""
    torch.manual_seed(2)
    cell = registry.find(name)(3, 400)
    spread_time_scales_(cell, LONGEST)
    state = cell.initial_state((1,), torch.device("cpu"), torch.float32)
    (trace,) = Reference().run([Pass(cell, torch.zeros(1, 1, 3), state)], ("gates",))
    scales = 1 / (1 - trace.gates[KEEPING[name]].double().flatten())
    assert 1.99 < scales.min() < 3 and 99 < scales.max() < 100.01
    torch.testing.assert_close(scales.mean(), torch.tensor(51.0).double(), rtol=0.1, atol=0)
    if "input" in cell.GATES:
        torch.testing.assert_close(trace.gates["input"] + trace.gates["forget"], torch.ones(1, 1, 400))


def test_a_cell_without_such_a_gate_is_refused() -> None:
    with pytest.raises(OptionError, match=r"elman is none of those known: coupled-lstm, gru"):
        spread_time_scales_(Elman(2, 3), LONGEST)
