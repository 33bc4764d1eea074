"""What is random in a stack of recurrent layers, drawn once a sequence and told apart from the layers themselves.

Whatever kernel runs them, in whatever order and however often (layers/recomputation.py), the layers use what was drawn
here beforehand. Everything comes from torch's generator, for the rows of the whole global batch (layers/dropout.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from unrolled import states
from unrolled.cells.cell import Cell, LinearRecurrentCell, state_like
from unrolled.errors import OptionError
from unrolled.layers import weight_drop as weight_dropping
from unrolled.layers import zoneout as zoning
from unrolled.layers.dropout import Dropout, check_rate, draw_state_mask
from unrolled.layers.zoneout import Rates
from unrolled.states import State


class Drawn(NamedTuple):
    """What is random in one layer.

    between: (T, B, ..., features) multipliers on what comes from the layers below.
    By direction: zoneout, (T, B, ...) in each leaf; recurrent, multipliers (B, ...) on the state that enters the
    recurrent product; W, which the cell reads in place of its own.
    """

    between: Tensor | None
    zoneout: tuple[State | None, ...]
    recurrent: tuple[State | None, ...]
    W: tuple[Tensor | None, ...]


class Noise(nn.Module):
    """Dropout between layers and on the recurrent product, zoneout, weight drop: see `Recurrent` for each.

    In training masks are drawn; in evaluation nothing is, and zoneout takes its expectation.
    """

    def __init__(
        self, dropout: float, variational: bool, recurrent_dropout: float, zoneout: Rates, weight_drop: float
    ) -> None:
        super().__init__()
        self.dropout = Dropout(dropout, variational)
        self.recurrent_dropout = check_rate(recurrent_dropout, "recurrent_dropout")
        self.zoneout = zoning.check(zoneout)
        self.weight_drop = check_rate(weight_drop, "weight_drop")

    def check(self, cell: Cell) -> None:
        """OptionError where a cell of this kind cannot be given what is asked for."""
        if self.recurrent_dropout and not isinstance(cell, LinearRecurrentCell):
            raise OptionError(
                f"recurrent dropout masks what enters the recurrent product; {type(cell).__name__} has no such product "
                "of its own (`recur`). Zoneout serves every cell"
            )
        if self.weight_drop:
            weight_dropping.check(cell)
        zoning.expected(cell, state_like(cell, torch.empty(0, 1, 1)), self.zoneout, 1)

    def draw(
        self, layers: Sequence[Sequence[Cell]], state: State, shape: Sequence[int], widths: Sequence[int]
    ) -> list[Drawn]:
        """For each layer, the lowest first, and within it for each direction.

        shape: (T, B, ...) of the input, without its features. widths: features that each layer reads from below.
        """
        in_training = self.dropout.rate or self.recurrent_dropout or self.weight_drop
        if not (self.zoneout or (self.training and in_training)):
            return [Drawn(None, *[(None,) * len(cells)] * 3) for cells in layers]
        weight = next((p for layer in layers for cell in layer for p in cell.parameters()), torch.empty(0))
        like = torch.empty(0, dtype=states.real_type(weight), device=weight.device)
        zone = zoning.draw if self.training else zoning.expected
        recurrent, weights = self.training and self.recurrent_dropout, self.training and self.weight_drop
        drawn = []
        for number, (cells, before) in enumerate(zip(layers, state, strict=True)):
            drawn.append(
                Drawn(
                    self.dropout.draw((*shape, widths[number]), like) if number else None,
                    tuple(zone(cell, start, self.zoneout, shape[0]) for cell, start in zip(cells, before, strict=True)),
                    tuple(draw_state_mask(start, self.recurrent_dropout) if recurrent else None for start in before),
                    tuple(weight_dropping.draw(cell, self.weight_drop) if weights else None for cell in cells),
                )
            )
        return drawn
