"""Axes and colour scales: which ticks, and where a value lies."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from unrolled.figures import ColouredText, Curves, HeatMap, Series
from unrolled.workshop.renderings.palette import DIVERGING, SEQUENTIAL

#: Whatever a rendering asks for, more ticks than this are never made.
MOST_TICKS = 12
#: Numbers this far from zero are as good as infinite: they have no place on an axis.
FARTHEST = 1e150


@dataclass(frozen=True)
class Axis:
    """From `low` to `high`, with the values that get a tick and what is written there."""

    low: float
    high: float
    log: bool
    ticks: tuple[tuple[float, str], ...]

    def place(self, value: float) -> float:
        """0 at `low`, 1 at `high`; NaN where the value has no place between them."""
        low, high = self.low, self.high
        if self.log:
            if not 0 < value < math.inf:
                return math.nan
            value, low, high = math.log10(value), math.log10(low), math.log10(high)
        place = (value - low) / (high - low)
        return place if -1e-6 <= place <= 1 + 1e-6 else math.nan


def _has_a_place(value: float, log: bool) -> bool:
    # Beyond the bounds, differences and ratios would not be finite.
    return FARTHEST > value > (1 / FARTHEST if log else -FARTHEST)


def axis(values: Iterable[float], *, log: bool, ticks: int, tight: bool = False) -> Axis | None:
    """An axis that holds all `values` with about `ticks` ticks; None where no value has a place on it.

    tight: the axis ends at the values (as time does); else at the ticks beyond them.
    """
    held = [v for v in values if _has_a_place(v, log)]
    if not held:
        return None
    low, high = min(held), max(held)
    return _log_axis(low, high, tight) if log else _linear_axis(low, high, ticks, tight)


def _linear_axis(low: float, high: float, ticks: int, tight: bool) -> Axis:
    largest = max(abs(low), abs(high))
    if high - low <= max(1e-9 * largest, 1 / FARTHEST):
        # Values that are all alike get some room.
        room = largest / 2 if largest > 1 / FARTHEST else 1.0
        low, high = low - room, high + room
    step = _step((high - low) / max(ticks, 1))
    if not tight:
        low, high = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    marks = [i * step for i in range(first, min(last, first + MOST_TICKS) + 1)]
    return Axis(low, high, False, tuple((mark, _tick(mark, step)) for mark in marks))


def _step(rough: float) -> float:
    """1, 2 or 5 times a power of ten, at least `rough`."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next((m * power for m in (1, 2, 5) if m * power >= rough * (1 - 1e-9)), 10 * power)


def _tick(value: float, step: float) -> str:
    """As many digits as the step has."""
    if value == 0:
        return "0"
    if abs(value) >= 1e7 or step < 1e-5:
        return f"{value:.4g}".replace("-", "−", 1) if value < 0 else f"{value:.4g}"
    return f"{value:,.{max(0, -math.floor(math.log10(step)))}f}".replace("-", "−", 1)


def _log_axis(low: float, high: float, tight: bool) -> Axis:
    if high / low < 1 + 1e-9:
        low, high = low / 2, high * 2
    decades = math.log10(high / low)
    # Few decades need marks between them; many need some left out.
    between = (1, 2, 5) if decades < 3 else (1,)
    every = max(1, math.ceil(decades / 8))
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    marks = [m * 10.0**e for e in range(first, last + 1) if (e - first) % every == 0 for m in between]
    if not tight:
        low = max((m for m in marks if m <= low * (1 + 1e-9)), default=low)
        high = min((m for m in marks if m >= high * (1 - 1e-9)), default=high)
    kept = [m for m in marks if low * (1 - 1e-9) <= m <= high * (1 + 1e-9)]
    return Axis(low, high, True, tuple((m, f"{m:g}") for m in kept))


def all_x(figure: Curves) -> Iterator[float]:
    """Of lines and bands."""
    return (x for one in (*figure.series, *figure.bands) for x in one.x)


def all_y(figure: Curves) -> Iterator[float]:
    """Of lines and of the edges of bands."""
    lines = [series.y for series in figure.series]
    return (y for line in (*lines, *(edge for band in figure.bands for edge in (band.low, band.high))) for y in line)


def square_axes(series: Sequence[Series], ticks: int) -> tuple[Axis, Axis] | None:
    """Axes across and up on which a unit is equally long, for all points; None where no point has a place."""
    points = [(x, y) for s in series for x, y in zip(s.x, s.y, strict=True) if _has_a_place(x, False)]
    points = [(x, y) for x, y in points if _has_a_place(y, False)]
    loose = [axis([point[i] for point in points], log=False, ticks=ticks, tight=True) for i in (0, 1)]
    across, up = loose
    if across is None or up is None:
        return None
    # A little more than they need: what lies at the edge is seen whole.
    half = 1.08 * max(across.high - across.low, up.high - up.low) / 2
    middles = [(one.low + one.high) / 2 for one in (across, up)]
    low, high = (_linear_axis(middle - half, middle + half, ticks, tight=True) for middle in middles)
    return low, high


def cut(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """A line within the unit square: what leads out of it ends at its edge, and a point of NaN stands in each gap.

    Parts of a segment are found as Liang & Barsky (1984) do, by where it crosses the four edges.
    """
    kept: list[tuple[float, float]] = []
    for a, b in pairwise(points if len(points) > 1 else [*points, *points]):
        part = _inside(a, b)
        if part is None:
            continue
        start, end = part
        if kept and kept[-1] != start:
            kept.append((math.nan, math.nan))
        kept += [end] if kept and kept[-1] == start else [start, end]
    return kept


def _inside(a: tuple[float, float], b: tuple[float, float]) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """The part of the segment from a to b that lies in the unit square."""
    if not all(_has_a_place(value, False) for value in (*a, *b)):
        return None
    first, last = 0.0, 1.0
    for i in (0, 1):
        step = b[i] - a[i]
        if step == 0:
            if not 0 <= a[i] <= 1:
                return None
            continue
        enter, leave = sorted((-a[i] / step, (1 - a[i]) / step))
        first, last = max(first, enter), min(last, leave)
    if first > last:
        return None

    def at(share: float) -> tuple[float, float]:
        # The ends themselves are not computed, so that neighbouring parts meet; rounding never leaves the square.
        x, y = (b[i] if share == 1 else a[i] + share * (b[i] - a[i]) for i in (0, 1))
        return min(max(x, 0.0), 1.0), min(max(y, 0.0), 1.0)

    return at(first), at(last)


@dataclass(frozen=True)
class ColourScale:
    """Colours from `low` to `high`."""

    low: float
    high: float
    colours: tuple[str, ...]

    def share(self, value: float) -> float:
        """0 at `low`, 1 at `high`; NaN for NaN."""
        if math.isinf(value):
            return 1.0 if value > 0 else 0.0
        return (value - self.low) / (self.high - self.low)


def text_scale(figure: ColouredText, one: tuple[str, ...], two: tuple[str, ...]) -> ColourScale:
    """In the colours of `one`; where the scale is about zero, in those of `two`, which have zero in the middle."""
    low, high = figure.scale
    return ColourScale(low, high, two if low == -high else one)


def heat_scale(figure: HeatMap) -> ColourScale:
    """From the lowest value to the highest; about zero, where there are values on both sides of it."""
    held = [v for row in figure.values for v in row if math.isfinite(v)]
    low, high = min(held, default=0.0), max(held, default=1.0)
    if low < 0 < high:
        reach = max(-low, high)
        return ColourScale(-reach, reach, DIVERGING)
    if low == high:
        high = low + (abs(low) or 1.0)
    return ColourScale(low, high, SEQUENTIAL)
