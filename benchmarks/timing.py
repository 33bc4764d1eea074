"""Times of two sides, one beside the other: warm up, then blocks A B B A, and what follows from their ratios.

A machine that others share, or that gets warm, changes its speed slowly. In a block A B B A such a change falls on both
sides alike, so that the block's ratio hardly sees it.
"""

from __future__ import annotations

import ctypes
import gc
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contest import Side

#: Before anything counts: so many calls, and so many seconds, of each side.
WARM_CALLS = 10
WARM_SECONDS = 1.0
#: Blocks at least, and as many as are of use.
FEWEST_BLOCKS = 5
MOST_BLOCKS = 100
#: What a team of threads is given to fall asleep, and what the next one is to wake up; and the seconds of a call beside
#: which both would be nothing.
REST_SECONDS = 0.3
WAKE_SECONDS = 0.03
LONG_CALL = 0.1
#: Resamples of the blocks for the interval around the median.
RESAMPLES = 2000
#: Single calls for the percentiles.
CALLS = 1000


@dataclass(frozen=True)
class Ratio:
    """How many times as fast A is as B: one ratio for each block.

    ours, theirs: seconds of one call, the median over the blocks.
    """

    blocks: tuple[float, ...]
    ours: float
    theirs: float

    @property
    def median(self) -> float:
        return statistics.median(self.blocks)

    @property
    def quartiles(self) -> tuple[float, float]:
        low, _, high = statistics.quantiles(self.blocks, n=4, method="inclusive")
        return low, high

    @property
    def interval(self) -> tuple[float, float]:
        """The bootstrap 95 % interval of the median; the draws are always the same ones."""
        draw = random.Random(0)
        medians = sorted(statistics.median(draw.choices(self.blocks, k=len(self.blocks))) for _ in range(RESAMPLES))
        return medians[round(0.025 * RESAMPLES)], medians[round(0.975 * RESAMPLES) - 1]


def warm_up(side: Side, before: Callable[[], None] | None = None, seconds: float = WARM_SECONDS) -> float:
    """Seconds of one call, from the second half of the warming up."""
    spent: list[float] = []
    began = time.perf_counter()
    while len(spent) < WARM_CALLS or time.perf_counter() - began < seconds:
        spent.append(_spent(side, 1, before))
    return statistics.median(spent[len(spent) // 2 :])


def compare(
    ours: Side, theirs: Side, seconds: float, before: Callable[[], None] | None = None, rest: bool = False
) -> Ratio:
    """Blocks A B B A for about so many seconds; both sides are warm.

    rest: before each turn wait until the other side's threads, which look for work for a while more, let go of the
    core; then calls that do not count, until our own are awake. Calls that are long beside that need none.
    """
    both = _spent(ours, 1, before), _spent(theirs, 1, before)
    turn = _rested if rest and min(both) < LONG_CALL else _spent
    # As many calls in a row as make a block long enough for the clock, and no more blocks than are of use.
    wanted = max(seconds / MOST_BLOCKS, 2e-3) / 4
    calls = [max(1, round(wanted / one)) if before is None else 1 for one in both]
    blocks, own, other = [], [], []
    began = time.perf_counter()
    while len(blocks) < FEWEST_BLOCKS or (time.perf_counter() - began < seconds and len(blocks) < 4 * MOST_BLOCKS):
        first = turn(ours, calls[0], before)
        second = turn(theirs, calls[1], before)
        third = turn(theirs, calls[1], before)
        fourth = turn(ours, calls[0], before)
        a, b = (first + fourth) / 2 / calls[0], (second + third) / 2 / calls[1]
        blocks.append(b / a)
        own.append(a)
        other.append(b)
    return Ratio(tuple(blocks), statistics.median(own), statistics.median(other))


def _spent(side: Side, calls: int, before: Callable[[], None] | None) -> float:
    if before is not None:
        before()
    began = time.perf_counter()
    for _ in range(calls):
        side()
    return time.perf_counter() - began


def _rested(side: Side, calls: int, before: Callable[[], None] | None) -> float:
    time.sleep(REST_SECONDS)
    began = time.perf_counter()
    while time.perf_counter() - began < WAKE_SECONDS:  # until its own threads are awake, each on a core of its own
        _spent(side, 1, before)
    return _spent(side, calls, before)


def percentiles(side: Side) -> tuple[float, float]:
    """Seconds of one call: the 50th and the 99th percentile of many."""
    spent = sorted(_spent(side, 1, None) for _ in range(CALLS))
    return spent[CALLS // 2], spent[CALLS * 99 // 100]


def peak_memory(side: Side) -> float | None:
    """MiB that one call holds at most, beyond what was held before; None where the system does not tell: Linux does."""
    reset = Path("/proc/self/clear_refs")
    gc.collect()
    if hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)  # or what earlier calls freed would be used again, and not seen
    try:
        reset.write_text("5")  # from here on the highest mark counts anew
        before = _resident("VmRSS")
        side()
        return max(0, _resident("VmHWM") - before) / 1024
    except OSError:
        return None


def _resident(what: str) -> int:
    """KiB."""
    found = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(found[what].split()[0])


def geometric_mean(values: Sequence[float]) -> float:
    return statistics.geometric_mean(values)
