"""How two sides are compared: the one way in which every suite that claims a ratio comes by it.

For each point: agreement with float64 first; both sides warm; of each rival's ways the fastest; then blocks A B B A.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from benchmarks import calibration, timing, told
from benchmarks.contest import LIMIT, Agreement, Contest, Goal, Point, Side
from unrolled import figures
from unrolled.errors import KernelError, OptionError
from unrolled.workshop.results import Figure


@dataclass(frozen=True)
class Effort:
    """seconds: of blocks for each point and rival. points: how many, spread evenly over the suite's; 0 is all."""

    seconds: float = 60.0
    points: int = 0

    def __post_init__(self) -> None:
        if not self.seconds > 0 or self.points < 0:
            raise OptionError(
                f"--seconds {self.seconds} --points {self.points}: expected seconds above 0, and points of 0 or more"
            )

    def chosen(self, points: Iterable[Point]) -> list[Point]:
        """The points that are measured."""
        every = list(points)
        count = min(self.points or len(every), len(every))
        return [every[(2 * k + 1) * len(every) // (2 * count)] for k in range(count)]


@dataclass(frozen=True)
class Way:
    """How one side did at one point. percentiles: 50th and 99th, seconds of a call. memory: MiB, of one call.

    error: the largest of its agreements. Each of them None where it was not asked for, or the system does not tell.
    """

    name: str
    percentiles: tuple[float, float] | None
    memory: float | None
    error: float


@dataclass(frozen=True)
class Measured:
    """One point against one rival; flops and bytes of one call. limit, arithmetic: its seconds by memory alone, and by
    multiplications alone; 0 where unknown.
    """

    point: Point
    rival: str
    ours: Way
    theirs: Way
    ratio: timing.Ratio
    flops: float
    bytes: float
    limit: float
    arithmetic: float


@dataclass(frozen=True)
class Machine:
    """What it can do at most. reads: KiB → bytes a second; peaks: type of number and threads → flops a second."""

    reads: dict[int, float]
    peaks: dict[tuple[str, int], float]

    def learn(self, found: Iterable[Figure], threads: int) -> None:
        """From what `calibrate` gave for so many threads."""
        for one in found:
            kind, *words = one.name.replace(",", "").split()
            if kind == "read":
                self.reads[int(words[0])] = one.values[0] * 1e9
            elif one.name.startswith("in registers"):
                self.peaks[words[1], threads] = one.values[0] * 1e9


def measure(points: Iterable[Point], goals: Sequence[Goal], effort: Effort) -> Iterator[Figure | figures.Figure]:
    """All that is known of the points: the figures of each as soon as it is measured, then what follows from them."""
    chosen = effort.chosen(points)
    products: dict[int, float] = {}
    machine = Machine({}, {})
    for threads in sorted({1, *(point.threads for point in chosen)}):
        found = calibration.calibrate(threads)
        products[threads] = found[0].values[0] * 1e9
        machine.learn(found, threads)
        yield from found
    everything: list[Measured] = []
    for point in chosen:
        for one in at_point(point, effort.seconds, machine):
            everything.append(one)
            ratios = tuple(round(ratio, 3) for ratio in one.ratio.blocks)
            yield Figure(f"{point.name}: times as fast as {one.rival}", "ratio", ratios)
    yield from reached(everything, goals)
    yield told.table(everything, products)
    yield from told.latencies(everything)
    yield from told.growth(everything)


def reached(everything: Sequence[Measured], goals: Sequence[Goal]) -> Iterator[Figure]:
    """What became of each goal that the chosen points have anything to say of."""
    for goal in goals:
        chosen = [one for one in everything if goal.at(one.point)]
        if goal.rival == LIMIT:
            medians = list({one.point.name: one.ratio.ours / one.limit for one in chosen if one.limit}.values())
        else:
            medians = [one.ratio.median for one in chosen if one.rival == goal.rival]
        if medians:
            name = " ".join(filter(None, ("geometric mean over", goal.rival, goal.where)))
            yield Figure(name, "ratio", (round(timing.geometric_mean(medians), 3),), goal.target)


def at_point(point: Point, seconds: float, machine: Machine) -> Iterator[Measured]:
    """One point against each of its rivals. KernelError where the two sides do not agree."""
    with threads(point.threads):
        contest = point.contest()
        limit = 0.0
        if contest.working_set:
            # Each thread reads its share, from caches of its own.
            limit = contest.bytes / point.threads
            limit /= calibration.bandwidth(machine.reads, contest.working_set / point.threads)
        peak = machine.peaks.get((contest.number, point.threads))
        arithmetic = contest.flops / peak if peak else 0.0
        agreements = list(contest.agreements())
        check(point, agreements)
        timing.warm_up(contest.ours, contest.before)
        ours = way("", contest.ours, contest, max((one.ours for one in agreements), default=0.0))
        for rival, ways in contest.rivals.items():
            name = fastest(ways, contest)
            theirs = way(name, ways[name], contest, max((one.theirs for one in agreements), default=0.0))
            rest = point.threads > 1 and rival in contest.teams
            ratio = timing.compare(contest.ours, ways[name], seconds, contest.before, rest)
            yield Measured(point, rival, ours, theirs, ratio, contest.flops, contest.bytes, limit, arithmetic)


def check(point: Point, agreements: Iterable[Agreement]) -> None:
    """KernelError, with both errors, where ours is further from the exact result than it may be."""
    for one in agreements:
        if not one.ours <= one.most:  # a NaN is no agreement
            raise KernelError(
                f"{point.name}: {one.what} is off by {one.ours:.2g} relative to float64, and {one.most:.2g} is allowed "
                f"(the other side: {one.theirs:.2g}); so nothing was timed"
            )


def fastest(ways: Mapping[str, Side], contest: Contest) -> str:
    """The rival's best way here, all of them warm."""
    spent = {name: timing.warm_up(side, contest.before) for name, side in ways.items()}
    return min(spent, key=spent.__getitem__)


def way(name: str, side: Side, contest: Contest, error: float) -> Way:
    """One side by itself; it is warm."""
    percentiles = timing.percentiles(side) if contest.latency else None
    if contest.before is not None:
        contest.before()
    return Way(name, percentiles, timing.peak_memory(side), error)


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Torch, and so the native core, with so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
