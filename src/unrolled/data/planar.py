"""Points drawn in the unit square, and what is asked about them: their convex hull, their Delaunay triangles.

Answers are sequences of point numbers from 1, in the order of Vinyals et al. 2015 (arXiv:1506.03134), so that each set
of points has one right answer:

    hull        counter-clockwise, from the point with the lowest number
    triangles   three rising numbers each, in the order of their incentres, by x and then by y

Truth is scipy's (the extra `geometry`): Qhull.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from unrolled.errors import OptionError

#: Sides of the square are 1; fewer points than this have no hull and no triangle.
FEWEST = 3


def draw_points(generator: np.random.Generator, rows: int, count: int) -> np.ndarray:
    """(rows, count, 2), uniform in the unit square."""
    return generator.random((rows, count, 2))


def convex_hull(points: np.ndarray) -> np.ndarray:
    """Numbers from 1 of the points (N, 2) on the hull, counter-clockwise from the lowest. N ≥ 3, not all on a line."""
    corners = _spatial().ConvexHull(points).vertices + 1  # counter-clockwise in the plane, by its documentation
    return np.roll(corners, -int(corners.argmin()))


def delaunay(points: np.ndarray) -> np.ndarray:
    """(triangles, 3), numbers from 1 of the points (N, 2). N ≥ 3, not all on a line."""
    found = np.sort(_spatial().Delaunay(points).simplices, axis=1)
    corners = points[found]  # (triangles, 3, 2)
    # The incentre is the mean of the corners, each weighted by the length of the side that it does not touch.
    opposite = np.linalg.norm(corners[:, (1, 2, 0)] - corners[:, (2, 0, 1)], axis=-1)
    incentres = (opposite[..., None] * corners).sum(1) / opposite.sum(1)[:, None]
    return found[np.lexsort((incentres[:, 1], incentres[:, 0]))] + 1


def area(corners: np.ndarray) -> float:
    """Of the polygon with these corners (K, 2) in order, by the shoelace formula: positive where counter-clockwise."""
    x, y = corners.T
    return 0.5 * float(x @ np.roll(y, -1) - y @ np.roll(x, -1))


def is_simple(corners: np.ndarray) -> bool:
    """Whether no two sides of the polygon with these corners (K, 2) cross."""
    start, end = corners, np.roll(corners, -1, axis=0)

    def side(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
        """On which side of each line a–b each point c lies: (lines, points)."""
        ab, ac = (b - a)[:, None], c[None] - a[:, None]
        return np.sign(ab[..., 0] * ac[..., 1] - ab[..., 1] * ac[..., 0])

    # Side i parts the ends of side j, and side j those of side i. Neighbours share an end, which is on neither side.
    parted = side(start, end, start) * side(start, end, end) < 0
    return not (parted & parted.T).any()


def _spatial() -> Any:
    try:
        import scipy.spatial
    except ImportError:
        raise OptionError(
            "hulls and triangles are computed with scipy, which is not installed: pip install 'unrolled[geometry]'"
        ) from None
    return scipy.spatial
