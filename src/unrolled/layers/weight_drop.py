"""Weight drop (Merity et al. 2017, arXiv:1708.02182): DropConnect on the recurrent weights W, one mask a sequence.

The cell keeps its parameter W, under its own name, and reads another tensor in its place while a sequence runs: so a
kernel that reads `cell.W` (torch's own operators, for one) and one that asks `cell.prepare` are both served, and
neither `state_dict` nor `parameters` knows of it. One mask serves all rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch.nn.functional as F
from torch import Tensor, nn

from unrolled.cells.cell import Cell
from unrolled.errors import OptionError

#: The parameter on which it acts: the recurrent weights of a cell, by the letter of the equations.
RECURRENT = "W"


def check(cell: Cell) -> None:
    """OptionError where the cell has no W of its own."""
    if not isinstance(dict(cell.named_parameters(recurse=False)).get(RECURRENT), nn.Parameter):
        raise OptionError(
            f"weight drop acts on the recurrent weights W; {type(cell).__name__} has none, only "
            f"{[name for name, _ in cell.named_parameters()]}"
        )


def draw(cell: Cell, rate: float) -> Tensor:
    """W with each weight at zero with probability `rate`, the others scaled up by 1/(1 − rate)."""
    return F.dropout(cell.get_parameter(RECURRENT), rate)


@contextmanager
def reading(cells: Sequence[Cell], W: Sequence[Tensor | None]) -> Iterator[None]:
    """Within it, each cell reads its W (its own, where None)."""
    given = [(vars(cell), own) for cell, own in zip(cells, W, strict=True) if own is not None]
    # What stands in an object's own dictionary is found before what nn.Module looks up among its parameters.
    for held, own in given:
        held[RECURRENT] = own
    try:
        yield
    finally:
        for held, _ in given:
            del held[RECURRENT]
