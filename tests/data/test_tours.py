"""Tours against every order there is; short ones against the shortest."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from unrolled.data import tours


def drawn(sets: int, count: int) -> np.ndarray:
    return np.random.default_rng(count).random((sets, count, 2))


def area(points: np.ndarray, tour: np.ndarray) -> float:
    x, y = points[tour].T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1))


@pytest.mark.parametrize("count", [4, 5, 7])
def test_the_shortest_tour_is_the_shortest_of_all(count: int) -> None:
    points = drawn(8, count)
    found = tours.exact_tours(points)
    for own, tour in zip(points, found, strict=True):
        every = [(0, *rest) for rest in permutations(range(1, count))]
        lengths = [sum(np.linalg.norm(own[a] - own[b]) for a, b in zip(t, (*t[1:], 0), strict=True)) for t in every]
        best = every[int(np.argmin(lengths))]
        assert tuple(tour) in {best, (0, *best[:0:-1])}
        assert tours.tour_length(own[None], tour[None])[0] == pytest.approx(min(lengths))
        assert area(own, tour) > 0


def test_short_tours_are_nearly_the_shortest() -> None:
    points = drawn(48, tours.MOST_EXACT)
    exact, short = (tours.tour_length(points, find(points)) for find in (tours.exact_tours, tours.short_tours))
    assert (short >= exact - 1e-9).all()
    assert short.mean() / exact.mean() < 1.001
    nearest = tours.tour_length(points, tours.nearest_neighbour_tours(points))
    assert nearest.mean() / exact.mean() > 1.05


@pytest.mark.parametrize("count", [4, 6, 25])
def test_every_tour_visits_all_and_short_ones_cannot_be_improved(count: int) -> None:
    points = drawn(6, count)
    short = tours.short_tours(points)
    for found in (short, tours.nearest_neighbour_tours(points), tours.nearest_neighbour_tours(points, 2)):
        assert (np.sort(found, axis=1) == np.arange(count)).all()
    assert (short[:, 0] == 0).all()
    assert all(area(own, tour) > 0 for own, tour in zip(points, short, strict=True))
    length = tours.tour_length(points, short)
    for i in range(count):
        for j in range(i + 1, count):
            turned = short.copy()
            turned[:, i : j + 1] = short[:, i : j + 1][:, ::-1]
            moved = np.insert(np.delete(short, i, axis=1), j, short[:, i], axis=1)
            for other in (turned, moved):
                assert (tours.tour_length(points, other) >= length - 1e-9).all()


def test_the_nearest_neighbour_by_hand() -> None:
    points = np.array([[[0, 0], [3, 0], [1, 0], [1.5, 0]]], float)
    assert tours.nearest_neighbour_tours(points).tolist() == [[0, 2, 3, 1]]
    assert tours.tour_length(points, np.array([[0, 2, 3, 1]])).tolist() == [6]


def test_a_tour_is_written_from_its_first_point_counter_clockwise() -> None:
    square = np.array([[[0, 0], [0, 1], [1, 1], [1, 0]]], float)
    for same in ([2, 3, 0, 1], [1, 0, 3, 2], [0, 3, 2, 1]):
        assert tours.from_first(square, np.array([same])).tolist() == [[0, 3, 2, 1]]


def test_few_points_are_solved_exactly_and_many_by_exchanges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tours, "short_tours", lambda points: "short")
    monkeypatch.setattr(tours, "exact_tours", lambda points: "exact")
    assert tours.best_tours(drawn(1, 12)) == "exact"
    assert tours.best_tours(drawn(1, 13)) == "short"
