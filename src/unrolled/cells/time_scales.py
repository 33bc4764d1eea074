"""Gates that start with time scales of their own: chrono initialisation (Tallec & Ollivier 2018, arXiv:1804.11188).

A gate f = σ(b) that keeps a fraction f of a unit a step forgets it over about 1/(1 − f) = 1 + e^b steps. With

    b_keep = ln(τ − 1),  τ uniform in [2, T]         and, where what is written has a gate of its own, b_write = −b_keep

the units of a layer start with time scales all over a task of T steps, instead of forgetting within the first few.
"""

from __future__ import annotations

import torch

from unrolled.cells.cell import Cell
from unrolled.cells.gru import GRU, ResetBeforeGRU
from unrolled.cells.lstm import LSTM
from unrolled.cells.lstm_variations import CoupledLSTM, PeepholeLSTM, ProjectedLSTM
from unrolled.errors import OptionError

#: Cells whose bias b holds such gates: what keeps, and what writes where that is another one.
_GATES: dict[type[Cell], tuple[str, str]] = {
    LSTM: ("forget", "input"),
    PeepholeLSTM: ("forget", "input"),
    ProjectedLSTM: ("forget", "input"),
    CoupledLSTM: ("forget", ""),
    GRU: ("update", ""),
    ResetBeforeGRU: ("update", ""),
}


def spread_time_scales_(cell: Cell, longest: int) -> None:
    """Start the gates of `cell` with time scales from 2 to `longest` steps (2 or more), each unit its own.

    OptionError where the cell has no bias of a gate that keeps.
    """
    if type(cell) not in _GATES:
        known = ", ".join(sorted(one.NAME for one in _GATES))
        raise OptionError(
            f"a chrono start needs a cell with a gate that keeps, and {type(cell).NAME} is none of those known: {known}"
        )
    keep, write = _GATES[type(cell)]
    with torch.no_grad():
        blocks = cell.get_parameter("b").view(len(cell.GATES), cell.hidden_size)
        time_scales = 2 + (longest - 2) * torch.rand(cell.hidden_size, dtype=blocks.dtype, device=blocks.device)
        blocks[cell.GATES.index(keep)] = torch.log(time_scales - 1)
        if write:
            blocks[cell.GATES.index(write)] = -torch.log(time_scales - 1)
