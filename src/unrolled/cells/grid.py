"""The contract of a cell over a grid, whose step goes from places to their neighbours instead of from time to time.

The state at a place (i, j) follows from x there and from the states above it, (i−1, j), and left of it, (i, j−1). So
all places of an anti-diagonal, where i + j is one number, can be taken at once: `unrolled.layers.grid` does. A grid
cell is no `Cell`: it has no time, and no kernel of sequences runs it; the registry of cells does not list it. Letters:

    B pictures, N places, F features in, H hidden units
    x (B, rows, columns, F) input, u what `project` makes of it, features last in both
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from unrolled.cells.cell import Step
from unrolled.errors import ShapeError
from unrolled.states import State, map_state


class Neighbours(NamedTuple):
    above: State  # each leaf (B, N, ...), as that on the left
    left: State


class GridCell(nn.Module, ABC):
    """One step of a recurrence over a grid.

    input_size: F, features of a place. hidden_size: H, units of a place, which are its output too.
    """

    #: The blocks of `u` and of the weights, in their order.
    GATES: ClassVar[tuple[str, ...]] = ()

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size)):
            if size < 1:
                raise ShapeError(f"{name} of {type(self).__name__} was {size}; it must be 1 or more")
        self.input_size = input_size
        self.hidden_size = hidden_size

    @abstractmethod
    def project(self, x: Tensor) -> Tensor:
        """All work that needs no state, for all places at once: x (..., F) → u (..., G·H)."""

    @abstractmethod
    def border(self, shape: Sequence[int], device: torch.device, dtype: torch.dtype) -> State:
        """The state outside the grid, which the first row and column have above and left: leaves (*shape, ...)."""

    @abstractmethod
    def step(self, u: Tensor, neighbours: Neighbours) -> Step:
        """N places at once, u (B, N, G·H), none a neighbour of another → output (B, N, H), states, gates."""

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}"


def neighbours_of(before: State) -> Neighbours:
    """The neighbours of the N places of an anti-diagonal, from the N + 1 states of the one before, from the top down.

    A place's left neighbour stands in its own row, the one above it in the row before: one state apart.
    """
    return Neighbours(map_state(lambda leaf: leaf[:, :-1], before), map_state(lambda leaf: leaf[:, 1:], before))
