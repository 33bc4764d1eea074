"""Hulls and triangles against the definitions, read off brute force; areas and crossings by hand."""

from __future__ import annotations

import math
import sys
from itertools import combinations

import numpy as np
import pytest

from unrolled.data import planar
from unrolled.errors import OptionError


def left_of(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def hull_by_definition(points: np.ndarray) -> list[int]:
    """A side of the hull has all other points on its left; sides follow each other from the lowest number on."""
    n = range(len(points))
    follows = {
        i: j
        for i in n
        for j in n
        if i != j and all(left_of(points[i], points[j], points[k]) > 0 for k in n if k not in (i, j))
    }
    hull = [min(follows)]
    while (after := follows[hull[-1]]) != hull[0]:
        hull.append(after)
    return hull


def triangles_by_definition(points: np.ndarray) -> set[tuple[int, ...]]:
    """Three points whose circle has no other point in it."""

    def is_empty(corners: tuple[int, ...]) -> bool:
        a, b, c = points[list(corners)]
        # The centre is as far from a as from b and from c: two linear equations.
        centre = np.linalg.solve(2 * np.stack([b - a, c - a]), [b @ b - a @ a, c @ c - a @ a])
        return bool((np.linalg.norm(points - centre, axis=1) >= np.linalg.norm(a - centre) - 1e-12).all())

    return {corners for corners in combinations(range(len(points)), 3) if is_empty(corners)}


def drawn(count: int, number: int) -> np.ndarray:
    return planar.draw_points(np.random.default_rng(number), 1, count)[0]


@pytest.mark.parametrize("count", [3, 4, 7, 15])
def test_hulls_and_triangles_are_what_the_definitions_say(count: int) -> None:
    for number in range(6):
        points = drawn(count, number)
        assert (planar.convex_hull(points) - 1).tolist() == hull_by_definition(points)
        found = planar.delaunay(points) - 1
        assert {tuple(one) for one in found.tolist()} == triangles_by_definition(points)
        assert (np.diff(found, axis=1) > 0).all()


def test_triangles_stand_in_the_order_of_their_incentres() -> None:
    """Each incentre is as far from all three sides."""
    points = drawn(12, 3)
    centres = []
    for a, b, c in points[planar.delaunay(points) - 1]:
        sides = [(a, b), (b, c), (c, a)]
        if left_of(a, b, c) < 0:
            sides = [(q, p) for p, q in sides]
        # x from which the distance to each side is r: three linear equations in (x, y, r).
        rows, right = [], []
        for p, q in sides:
            along = (q - p) / np.linalg.norm(q - p)
            rows.append([-along[1], along[0], -1.0])
            right.append(-along[1] * p[0] + along[0] * p[1])
        centres.append(np.linalg.solve(np.array(rows), right)[0])
    assert centres == sorted(centres) and len(centres) > 8


def test_areas_and_crossings_by_hand() -> None:
    square = np.array([[0, 0], [2, 0], [2, 2], [0, 2]], float)
    assert planar.area(square) == 4 and planar.area(square[::-1]) == -4
    assert planar.is_simple(square)
    assert not planar.is_simple(square[[0, 2, 1, 3]])
    dented = np.array([[0, 0], [4, 0], [4, 4], [2, 1], [0, 4]], float)
    assert planar.is_simple(dented)
    assert planar.area(dented) == 10
    star = np.array([[math.cos(a), math.sin(a)] for a in np.arange(5) * 4 * math.pi / 5])
    assert not planar.is_simple(star)


def test_without_scipy_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.spatial", None)
    with pytest.raises(OptionError, match=r"pip install 'unrolled\[geometry\]'"):
        planar.convex_hull(drawn(4, 0))
