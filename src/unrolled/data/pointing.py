"""Examples for pointer networks: points, and the sequence of their numbers that answers a question about them.

Fields: `points` (N, B, 2), and `targets` (T, B) int64, ragged: numbers from 1, and at the end END. A hull that ends is
closed at its first point, and so is a tour; triangles are three numbers each.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from unrolled.batch import Ragged
from unrolled.data import planar, tours
from unrolled.data.examples import Draw, Fields

#: The answer is complete.
END = 0
#: (B, N, 2) → the answers of all B sets, without END.
Solve = Callable[[np.ndarray], list[np.ndarray]]


def hulls(points: np.ndarray) -> list[np.ndarray]:
    """Corners of each hull, counter-clockwise from the lowest number."""
    return [planar.convex_hull(one) for one in points]


def triangulations(points: np.ndarray) -> list[np.ndarray]:
    """Delaunay triangles of each set, three numbers each, in one row."""
    return [planar.delaunay(one).reshape(-1) for one in points]


def round_tours(points: np.ndarray) -> list[np.ndarray]:
    """The shortest tour of each set that `tours.best_tours` finds, counter-clockwise from point 1."""
    return list(tours.best_tours(points) + 1)


def drawing(solve: Solve, fewest: int, most: int, symmetric: bool = False, in_order: bool = False) -> Draw:
    """Sets of points with their answers; all of a batch have one number of points, from `fewest` to `most`.

    in_order: points are numbered from left to right, which says something of every answer beforehand; else as they
        come (Vinyals, Bengio & Kudlur 2016, Order Matters, arXiv:1511.06391).
    symmetric: an answer stays right when the square is turned or turned over (a tour does, but for its direction), so
        that each set that is solved, which is dear, is drawn in all eight ways, its points numbered anew in each.
    """

    def draw(generator: np.random.Generator, rows: int) -> Fields:
        count = int(generator.integers(fewest, most + 1))
        if symmetric:
            return example(*_in_eight_ways(generator, solve, rows, count, in_order))
        points = planar.draw_points(generator, rows, count)
        if in_order:
            points = np.take_along_axis(points, from_left_to_right(points)[..., None], 1)
        return example(points, solve(points))

    return draw


def example(points: np.ndarray, answers: list[np.ndarray]) -> Fields:
    """Points (B, N, 2) and their answers as the fields of a batch."""
    lengths = torch.tensor([len(answer) + 1 for answer in answers])
    targets = torch.full((int(lengths.max()), len(answers)), END)
    for row, answer in enumerate(answers):
        targets[: len(answer), row] = torch.from_numpy(answer.astype(np.int64))
    return {
        "points": torch.from_numpy(points.astype(np.float32)).transpose(0, 1).contiguous(),
        "targets": Ragged(targets, lengths),
    }


def from_left_to_right(points: np.ndarray) -> np.ndarray:
    """(B, N), in which order to take points (B, N, 2) so that x rises."""
    return points[..., 0].argsort(axis=1, kind="stable")


def _in_eight_ways(
    generator: np.random.Generator, solve: Solve, rows: int, count: int, in_order: bool
) -> tuple[np.ndarray, list[np.ndarray]]:
    """`rows` sets of points and their answers, which go round, from as few solved sets as give them."""
    solved = planar.draw_points(generator, -(-rows // 8), count)
    answers = np.stack(solve(solved)) - 1
    every, tour = [], []
    for way in range(8):
        turned = solved[..., ::-1] if way & 1 else solved
        turned = np.where([way & 2, way & 4], 1 - turned, turned)
        order = generator.permuted(np.tile(np.arange(count), (len(solved), 1)), axis=1)
        if in_order:
            order = from_left_to_right(turned)
        renumbered = np.take_along_axis(order.argsort(1), answers, 1)
        points = np.take_along_axis(turned, order[..., None], 1)
        every.append(points)
        tour.append(tours.from_first(points, renumbered) + 1)
    chosen = generator.permutation(8 * len(solved))[:rows]
    return np.concatenate(every)[chosen], list(np.concatenate(tour)[chosen])
