"""What may be pointed at: every walk that keeps to it is an answer, and every right answer keeps to it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from unrolled.data import planar, pointing
from unrolled.models.possible import POSSIBLE, Hull, Tour, Triangles

CPU = torch.device("cpu")


def walk(answer: str, points: int, rows: int, seed: int) -> list[list[int]]:
    """Answers drawn at random among what is possible, without their end."""
    growing = POSSIBLE[answer](rows, points, CPU)
    generator = torch.Generator().manual_seed(seed)
    taken = []
    while not growing.ended.all():
        mask = growing.mask()
        assert mask.any(1).all()
        taken.append(torch.multinomial(mask.double(), 1, generator=generator)[:, 0])
        growing.take(taken[-1])
        assert len(taken) <= 3 * (2 * points - 5) + 1
    return [[symbol for symbol in row if symbol] for row in torch.stack(taken).T.tolist()]


@pytest.mark.parametrize("points", [3, 4, 6, 9])
def test_every_walk_is_an_answer(points: int) -> None:
    for hull in walk("hull", points, 40, points):
        assert len(hull) == len(set(hull)) >= 3 and hull[0] == min(hull) and max(hull) <= points
    for tour in walk("tour", points, 40, points):
        assert sorted(tour) == list(range(1, points + 1)) and tour[0] == 1
    for row in walk("triangles", points, 40, points):
        triangles = [tuple(row[i : i + 3]) for i in range(0, len(row), 3)]
        assert all(a < b < c for a, b, c in triangles)
        assert 1 <= len(triangles) == len(set(triangles)) <= 2 * points - 5


@pytest.mark.parametrize(
    ("answer", "solve"),
    [("hull", pointing.hulls), ("tour", pointing.round_tours), ("triangles", pointing.triangulations)],
)
def test_every_right_answer_is_possible(answer: str, solve: pointing.Solve) -> None:
    for points in (3, 5, 8):
        if answer == "tour" and points == 3:
            continue
        sets = planar.draw_points(np.random.default_rng(points), 30, points)
        targets = pointing.example(sets, solve(sets))["targets"].values
        growing = POSSIBLE[answer](30, points, CPU)
        for symbols in targets:
            assert growing.mask().gather(1, symbols[:, None]).all()
            growing.take(symbols)
        assert growing.ended.all()


def test_a_hull_by_hand() -> None:
    """Four points: the first may be 1 or 2, those after it are higher, and three corners may end."""
    hull = Hull(2, 4, CPU)
    assert hull.mask().tolist() == [[False, True, True, False, False]] * 2
    hull.take(torch.tensor([1, 2]))
    assert hull.mask().tolist() == [[False, False, True, True, True], [False, False, False, True, True]]
    hull.take(torch.tensor([3, 4]))
    assert hull.mask().tolist() == [[False, False, True, False, True], [False, False, False, True, False]]
    hull.take(torch.tensor([2, 3]))
    assert hull.mask().tolist() == [[True, False, False, False, True], [True, False, False, False, False]]
    hull.take(torch.tensor([4, 0]))
    assert hull.mask().tolist() == [[True, False, False, False, False]] * 2


def test_a_tour_ends_when_all_are_visited_and_not_before() -> None:
    tour = Tour(1, 3, CPU)
    for symbol, possible in ((1, [1]), (3, [2, 3]), (2, [2]), (0, [0]), (0, [0])):
        assert tour.mask()[0].nonzero()[:, 0].tolist() == possible
        tour.take(torch.tensor([symbol]))


def test_triangles_by_hand() -> None:
    triangles = Triangles(1, 4, CPU)
    asked = ((1, [1, 2]), (2, [2, 3]), (3, [3, 4]), (1, [0, 1, 2]), (2, [2, 3]), (4, [4]), (2, [0, 1, 2]))
    for symbol, possible in asked:
        assert triangles.mask()[0].nonzero()[:, 0].tolist() == possible
        triangles.take(torch.tensor([symbol]))
    triangles.take(torch.tensor([3]))
    triangles.take(torch.tensor([4]))
    # Three triangles: four points have no more.
    assert triangles.mask()[0].nonzero()[:, 0].tolist() == [0]
