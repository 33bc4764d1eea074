"""Points in a plane out of a person's file: two numbers a line, parted by a comma, a semicolon, a tab or blanks.

Where a semicolon or a tab parts them, a comma is a decimal one.
"""

from __future__ import annotations

import math
import re

import numpy as np

from unrolled.data import reading
from unrolled.data.planar import FEWEST
from unrolled.errors import DataError

#: More points than this are not pointed at: a network that learnt from tens of them has no idea of thousands.
MOST = 1000


def read_points(content: str, name: str) -> np.ndarray:
    """(N, 2) float64; a first line of words (x, y) and empty lines do not count. name: for messages.

    DataError where a line is not two finite numbers, or where there are too few points, too many, or all on a line.
    """
    points: list[tuple[float, float]] = []
    for number, line in enumerate(reading.split_lines(content), 1):
        parted = re.search(r"[;\t]", line.strip())
        cells = re.split(r"\s*[;\t]\s*" if parted else r"\s*,\s*|\s+", line.strip())
        if cells == [""]:
            continue
        plain = [cell.replace(",", ".") if parted else cell for cell in cells]
        numbers = [value for cell in plain if (value := _finite(cell)) is not None]
        if len(numbers) == 2 == len(cells):
            points.append((numbers[0], numbers[1]))
        elif points or numbers or len(cells) != 2:
            raise DataError(
                f"{name}, line {number}: expected the two numbers of a point, as in `0.25, 0.5`; {line.strip()!r} came"
            )
    found = np.array(points).reshape(-1, 2)
    check_points(found, name)
    return found


def check_points(points: np.ndarray, name: str) -> None:
    """DataError where there are too few points (N, 2), too many, or all of them on a line."""
    if not FEWEST <= len(points) <= MOST:
        raise DataError(f"{name}: {len(points):,} points; expected from {FEWEST} to {MOST:,}, one a line")
    if np.linalg.matrix_rank(to_square(points) - to_square(points)[0], tol=1e-9) < 2:
        raise DataError(f"{name}: all points lie on one line, so that no area is among them: give others")


def to_square(points: np.ndarray) -> np.ndarray:
    """The points moved and scaled, alike in both directions, into the unit square: no answer changes by it."""
    low = points.min(0)
    # All in one place: nothing to scale.
    return (points - low) / (np.ptp(points, axis=0).max() or 1.0)


def _finite(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
