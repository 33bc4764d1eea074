"""Lines drawn in braille: each character cell is two dots wide and four high."""

from __future__ import annotations

import math
from collections.abc import Sequence

#: The bit of each dot, by [row][column] in the cell (Unicode block U+2800).
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))

Point = tuple[float, float]


class Canvas:
    """`columns` by `rows` cells. A cell has one colour, that of the line drawn last through it."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self._dots = [[0] * columns for _ in range(rows)]
        self._owners: list[list[int | None]] = [[None] * columns for _ in range(rows)]

    def line(self, points: Sequence[Point], owner: int) -> None:
        """Join the points, each (0 … 1 from the left, 0 … 1 from below); one with NaN in it breaks the line."""
        last: tuple[int, int] | None = None
        for x, y in points:
            if math.isnan(x) or math.isnan(y):
                last = None
                continue
            here = (round(x * (2 * self.columns - 1)), round((1 - y) * (4 * self.rows - 1)))
            self._join(last or here, here, owner)
            last = here

    def _join(self, start: tuple[int, int], end: tuple[int, int], owner: int) -> None:
        steps = max(abs(end[0] - start[0]), abs(end[1] - start[1]), 1)
        for i in range(steps + 1):
            x = round(start[0] + (end[0] - start[0]) * i / steps)
            y = round(start[1] + (end[1] - start[1]) * i / steps)
            self._dots[y // 4][x // 2] |= _DOTS[y % 4][x % 2]
            self._owners[y // 4][x // 2] = owner

    def row(self, number: int) -> list[tuple[str, int | None]]:
        """(character, the line it belongs to) of each cell of a row, top row first."""
        cells = zip(self._dots[number], self._owners[number], strict=True)
        return [(chr(0x2800 + dots) if dots else " ", owner) for dots, owner in cells]
