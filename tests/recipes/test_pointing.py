"""The recipes that point: their figures by hand, what a sample shows, mistakes, and that they learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import unrolled
from unrolled.errors import OptionError
from unrolled.recipes import convex_hull, delaunay, registry, salesman
from unrolled.recipes.pointing import Answered

SQUARE = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0.5, 0.25]])


def answered(said: list[int], right: list[int]) -> Answered:
    return Answered(SQUARE, np.array(said), np.array(right))


def test_the_figures_of_hulls_by_hand() -> None:
    """One right, one short of a corner (half of the area), one that crosses itself, one with a dent (7/8)."""
    hull = [0, 1, 2, 3]
    found = [answered(said, hull) for said in ([0, 1, 2, 3], [0, 1, 2], [0, 2, 1, 3], [0, 4, 1, 2, 3])]
    assert convex_hull.judge(found) == {
        "accuracy": pytest.approx(25),
        "area": pytest.approx(100 * (1 + 1 / 2 + 7 / 8) / 3),
        "crossing": pytest.approx(25),
    }


def test_the_figures_of_triangles_by_hand() -> None:
    right = [0, 1, 4, 1, 2, 4, 2, 3, 4, 0, 3, 4]
    another_order = [2, 3, 4, 0, 3, 4, 0, 1, 4, 1, 2, 4]
    half = [0, 1, 4, 1, 2, 4, 0, 1, 2]
    found = [answered(said, right) for said in (right, another_order, half, [*right, 0, 1, 2])]
    assert delaunay.judge(found) == {
        "accuracy": pytest.approx(50),
        "coverage": pytest.approx(100 * (1 + 1 + 1 / 2 + 1) / 4),
    }


def test_the_figures_of_tours_by_hand() -> None:
    """A square and a point by its lower side: 3 + √5/2 round; by way of the diagonals it is longer."""
    best, long = [0, 4, 1, 2, 3], [0, 4, 2, 1, 3]
    figures = salesman.judge([answered(best, best), answered(long, best)])
    side, far = (0.5**2 + 0.25**2) ** 0.5, (0.5**2 + 0.75**2) ** 0.5
    lengths = [2 * side + 3, side + far + 1 + 2**0.5 + 1]
    # From a corner: to the point, to the next corner, round.
    assert figures == {
        "length": pytest.approx(sum(lengths) / 2),
        "length of the best": pytest.approx(lengths[0]),
        "length by nearest neighbours": pytest.approx(lengths[0]),
        "length over the best": pytest.approx(sum(lengths) / 2 / lengths[0]),
        "found the best": pytest.approx(50),
    }


@pytest.mark.parametrize("recipe", ["convex-hull", "delaunay", "salesman"])
def test_a_sample_says_what_the_model_says(recipe: str) -> None:
    found = registry.find(recipe)
    lines = found.sample(found.model(found.Options(sizes=(4,)), {}), {"in_order": True}, 3).splitlines()
    assert len(lines) == 5 and all("points   the model says " in line for line in lines)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"points": (3, 5)}, "--points 3 5: expected two numbers from 4 to 100, the lower first"),
        ({"points": (8, 5)}, "--points 8 5: expected two numbers from 4 to 100"),
        ({"points": (5, 101)}, "--points 5 101: expected two numbers from 4 to 100"),
        ({"dropout": 1.0}, "--dropout 1.0: expected at least 0 and below 1"),
    ],
)
def test_mistakes_in_one_line(option: dict, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        convex_hull.ConvexHullOptions(**option)


def test_they_draw_their_own_data() -> None:
    with pytest.raises(OptionError, match=r"--data points\.csv: salesman draws its own examples"):
        salesman.data(salesman.SalesmanOptions(data="points.csv"), Path(), None)


@pytest.mark.slow
def test_pointing_is_learnt_and_without_pointers_it_is_not(tmp_path: Path) -> None:
    few = {"points": (5, 5), "steps": 1000, "sizes": (64,), "threads": 1}
    pointing = unrolled.train("convex-hull", runs=str(tmp_path), **few).evaluate("valid")
    without = unrolled.train("convex-hull", output="vocabulary", runs=str(tmp_path), **few).evaluate("valid")
    assert pointing["accuracy, 5 points"] > 50
    assert without["accuracy, 5 points"] < 25
    assert pointing["loss"] < without["loss"] - 0.2


def test_without_pointers_it_is_measured_on_as_many_points_as_it_knows() -> None:
    options = convex_hull.ConvexHullOptions(points=(5, 12), output="vocabulary")
    assert convex_hull.data(options, Path(), None).held_out["test"].sizes == (5, 10)
