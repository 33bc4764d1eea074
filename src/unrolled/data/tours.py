"""Round tours through points in a plane: the shortest (exact for few points), short ones, and the nearest neighbour's.

A tour is the numbers from 0 of all N points in the order of the visit, from point 0 on, counter-clockwise: its area is
positive, so that of the two directions of a tour one is the answer. Everything here is done for B sets of N points at
once, (B, N, 2) → (B, N).
"""

from __future__ import annotations

import numpy as np

#: More points than this are not solved exactly: each point more takes more than twice the time and memory.
MOST_EXACT = 12
#: Beginnings that `short_tours` improves, of which the best is kept.
STARTS = 4
#: Points that move together to another place of a tour, at most.
MOVED = 3
#: A change that gains less is rounding.
TINY = 1e-12


def distances(points: np.ndarray) -> np.ndarray:
    """(B, N, N)."""
    return np.linalg.norm(points[:, :, None] - points[:, None], axis=-1)


def tour_length(points: np.ndarray, tours: np.ndarray) -> np.ndarray:
    """(B,): along each tour and back to where it began."""
    visited = np.take_along_axis(points, tours[..., None], axis=1)
    return np.linalg.norm(visited - np.roll(visited, -1, axis=1), axis=-1).sum(1)


def from_first(points: np.ndarray, tours: np.ndarray) -> np.ndarray:
    """The same round tours as they are written here: from point 0 on, counter-clockwise."""
    N = tours.shape[1]
    start = (tours == 0).argmax(1)[:, None]
    x, y = np.moveaxis(np.take_along_axis(points, tours[..., None], axis=1), -1, 0)
    areas = (x * np.roll(y, -1, axis=1) - y * np.roll(x, -1, axis=1)).sum(1)
    way = np.where(areas < 0, -1, 1)[:, None]
    return np.take_along_axis(tours, (start + way * np.arange(N)) % N, axis=1)


def best_tours(points: np.ndarray) -> np.ndarray:
    """The shortest tours where these can be had (N ≤ MOST_EXACT), else short ones."""
    return exact_tours(points) if points.shape[1] <= MOST_EXACT else short_tours(points)


def exact_tours(points: np.ndarray) -> np.ndarray:
    """The shortest tours, by dynamic programming over sets of points (Held & Karp 1962, doi:10.1137/0110015).

        C(S, j) = min over i in S∖{j} of C(S∖{j}, i) + d(i, j)     the shortest way from 0 through all of S, ending at j

    The last point stands apart: sets are made of the M = N − 1 others, as bits.
    """
    B, N, _ = points.shape
    M = N - 1
    d = distances(points)
    among = d[:, 1:, 1:]
    cost = np.full((2**M, M, B), np.inf)
    came = np.zeros((2**M, M, B), dtype=np.int8)
    for j in range(M):
        cost[1 << j, j] = d[:, 0, j + 1]
    sets = np.arange(2**M)
    sizes = np.array([int(s).bit_count() for s in sets])
    for size in range(2, N):
        of_size = sets[sizes == size]
        for j in range(M):
            ending = of_size[of_size >> j & 1 == 1]
            ways = cost[ending ^ (1 << j)] + among[:, :, j].T  # (sets, M, B); infinite for what is not in the set
            came[ending, j] = ways.argmin(1)
            cost[ending, j] = ways.min(1)
    last = (cost[-1] + d[:, 1:, 0].T).argmin(0)  # (B,)
    tours = np.zeros((B, N), dtype=np.int64)
    rows, left = np.arange(B), np.full(B, 2**M - 1)
    for place in range(M, 0, -1):
        tours[:, place] = last + 1
        last, left = came[left, last, rows].astype(np.int64), left ^ (1 << last)
    return from_first(points, tours)


def nearest_neighbour_tours(points: np.ndarray, first: int = 0) -> np.ndarray:
    """From point `first`, always to the nearest that is left. It need not be counter-clockwise."""
    B, N, _ = points.shape
    rows = np.arange(B)
    d = distances(points)
    tours = np.full((B, N), first)
    for place in range(1, N):
        d[rows, :, tours[:, place - 1]] = np.inf  # nobody comes back here
        tours[:, place] = d[rows, tours[:, place - 1]].argmin(1)
    return tours


def short_tours(points: np.ndarray) -> np.ndarray:
    """Tours that no exchange of two sides, and no move of up to MOVED points elsewhere, makes shorter.

    Of STARTS beginnings the best. They are within 0.1 % of the shortest on average where that is known, at 12 points
    (a test says so).
    """
    firsts = np.linspace(0, points.shape[1] - 1, STARTS).astype(int)
    found = [_improved(points, nearest_neighbour_tours(points, int(first))) for first in firsts]
    lengths = np.stack([tour_length(points, tours) for tours in found])
    best = np.stack(found)[lengths.argmin(0), np.arange(len(points))]
    return from_first(points, best)


def _improved(points: np.ndarray, tours: np.ndarray) -> np.ndarray:
    """The best exchange or move again and again, in each set until there is none (2-opt and or-opt)."""
    tours = tours.copy()
    active = np.arange(len(points))
    while len(active):
        visited = np.take_along_axis(points[active], tours[active][..., None], axis=1)
        gains, keys = _best_change(distances(visited))
        active, keys = active[gains > TINY], keys[gains > TINY]
        tours[active] = np.take_along_axis(tours[active], keys.argsort(1), axis=1)
    return tours


def _best_change(d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For distances (B, N, N) between places of a tour: (gain (B,), keys (B, N)) of the best change of each.

    Sorted by their keys, the places stand in the order of the changed tour.
    """
    B, N, _ = d.shape
    places, after, rows = np.arange(N), (np.arange(N) + 1) % N, np.arange(B)
    side = d[:, places, after]  # (B, N), from each place to the next
    first, last = places[:, None], places[None, :]

    # Turn round what stands from place s + 1 to place e.
    gain = side[:, :, None] + side[:, None] - d - d[:, after][:, :, after]
    gains = [np.where(first < last, gain, -np.inf)]
    moves = [(0, False)]
    # Move the `length` places from s on to between e and e + 1, as they stand or turned round.
    for length in range(1, min(MOVED, N - 3) + 1):
        ends = (places + length - 1) % N
        before, behind = places - 1, (ends + 1) % N
        closing = d[:, before, places] + d[:, ends, behind] - d[:, before, behind]
        inside = ((last - first + 1) % N <= length) | (first + length > N)
        for turned in (False, True):
            head, tail = (ends, places) if turned else (places, ends)
            opening = d[:, :, head].transpose(0, 2, 1) + d[:, tail][:, :, after] - side[:, None]
            gains.append(np.where(inside, -np.inf, closing[:, :, None] - opening))
            moves.append((length, turned))

    every = np.stack(gains, 1).reshape(B, -1)
    best = every.argmax(1)
    kind, s, e = np.unravel_index(best, (len(moves), N, N))
    keys = np.tile(places.astype(float), (B, 1))
    for number, (length, turned) in enumerate(moves):
        own = kind == number
        start, end = s[own, None], e[own, None]
        if length == 0:
            within = (places > start) & (places <= end)
            keys[own] = np.where(within, start + 1 + end - places, keys[own])
        else:
            offset = (places - start) * (-1 if turned else 1) / (2 * N)
            keys[own] = np.where((places >= start) & (places < start + length), end + 0.5 + offset, keys[own])
    return every[rows, best], keys
