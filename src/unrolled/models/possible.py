"""What may be pointed at next, so that every sequence of pointers is an answer: a hull, a tour, a set of triangles.

Symbols are 0 for the end and 1 … N for the points. Rows go on side by side; one that has ended points at the end for
ever. The rules know no coordinates: which hull is the right one is left to the model.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from unrolled.layers.pointer import END

#: Corners of the smallest polygon.
CORNERS = 3


class Possible(ABC):
    """One answer in each of B rows over N points, as it grows: ask for `mask`, then say what was taken by `take`."""

    def __init__(self, rows: int, points: int, device: torch.device) -> None:
        self.points = points
        self.ended = torch.zeros(rows, dtype=torch.bool, device=device)
        self.taken = torch.zeros(rows, points + 1, dtype=torch.bool, device=device)
        self.steps = 0

    def mask(self) -> Tensor:
        """(B, N + 1) bool, true where a row may point; at least one in each."""
        possible = self._mask()
        possible[self.ended] = False
        possible[:, END] |= self.ended
        return possible

    @abstractmethod
    def _mask(self) -> Tensor:
        """As `mask`, for rows that have not ended: a tensor of its own."""

    def take(self, symbols: Tensor) -> None:
        """What each row points at now, (B,) int64."""
        self.taken.scatter_(1, symbols[:, None], True)
        self.ended = self.ended | (symbols == END)
        self.steps += 1


class Hull(Possible):
    """A polygon from its lowest number on: no point twice, none below the first, three corners at least."""

    def __init__(self, rows: int, points: int, device: torch.device) -> None:
        super().__init__(rows, points, device)
        self.first = torch.zeros(rows, dtype=torch.int64, device=device)

    def _mask(self) -> Tensor:
        numbers = torch.arange(self.points + 1, device=self.taken.device)
        possible = ~self.taken & (numbers > self.first[:, None])
        if self.steps == 0:  # two more with higher numbers must be left
            possible &= numbers <= self.points - CORNERS + 1
        possible[:, END] = self.steps >= CORNERS
        return possible

    def take(self, symbols: Tensor) -> None:
        if self.steps == 0:
            self.first = symbols
        super().take(symbols)


class Tour(Possible):
    """Every point once, from point 1 on, and then the end."""

    def _mask(self) -> Tensor:
        possible = ~self.taken
        possible[:, 2:] &= self.steps > 0
        possible[:, END] = self.steps == self.points
        return possible


class Triangles(Possible):
    """Three rising numbers again and again, none of these triangles twice, at most 2 N − 5 of them: more none has."""

    def __init__(self, rows: int, points: int, device: torch.device) -> None:
        super().__init__(rows, points, device)
        n = torch.arange(points, device=device)
        rising = (n[:, None, None] < n[None, :, None]) & (n[None, :, None] < n[None, None, :])
        self.free = rising.expand(rows, -1, -1, -1).clone()  # (B, N, N, N), the triangles that are left
        self.corners: list[Tensor] = []

    def _mask(self) -> Tensor:
        left = self.free
        for corner in self.corners:
            left = left[torch.arange(len(left)), corner]
        points = left.flatten(2).any(-1) if left.dim() > 2 else left
        may_end = not self.corners and self.steps > 0
        if may_end and self.steps >= CORNERS * (2 * self.points - 5):
            points = torch.zeros_like(points)
        return torch.cat([points.new_full((len(points), 1), may_end), points], 1)

    def take(self, symbols: Tensor) -> None:
        super().take(symbols)
        # A row that has ended takes any corner: nothing is asked of it any more.
        self.corners.append((symbols - 1).clamp(min=0))
        if len(self.corners) == CORNERS:
            i, j, k = self.corners
            self.free[torch.arange(len(symbols), device=symbols.device), i, j, k] = False
            self.corners = []


#: By the name that a recipe gives them.
POSSIBLE: dict[str, type[Possible]] = {"hull": Hull, "tour": Tour, "triangles": Triangles}
