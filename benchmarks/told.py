"""What was measured, for people: a table of all points, percentiles, and how time grows with each letter."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from unrolled.figures import Curves, Figure, Series, Table

if TYPE_CHECKING:
    from benchmarks.protocol import Measured

COLUMNS = (
    *("point", "rival", "its fastest way", "ours, µs", "rival, µs", "ratio", "quartiles", "95 %", "blocks"),
    *(
        "ours, GF/s",
        "of sgemm",
        "of the registers' peak",
        "ours, GB/s",
        "times the limit of memory",
        "ratio at the limit",
        "our error",
        "rival's error",
        "ours, MiB",
        "rival, MiB",
    ),
)
#: Values on an axis from which a slope says something.
FEWEST = 3
Key = tuple[tuple[str, int | str], ...]


def table(everything: Sequence[Measured], products: Mapping[int, float]) -> Table:
    """One row for each point and rival. products: threads → flops a second of the measured sgemm."""
    rows = []
    for one in everything:
        ours, theirs = one.ratio.ours, one.ratio.theirs
        flops = one.flops / ours
        rows.append(
            (
                *(one.point.name, one.rival, one.theirs.name, _digits(1e6 * ours), _digits(1e6 * theirs)),
                *(_digits(one.ratio.median), _span(one.ratio.quartiles), _span(one.ratio.interval)),
                len(one.ratio.blocks),
                _digits(flops / 1e9) if flops else None,
                f"{flops / products[one.point.threads]:.0%}" if flops else None,
                f"{one.arithmetic / ours:.0%}" if one.arithmetic else None,
                _digits(one.bytes / ours / 1e9) if one.bytes else None,
                _digits(ours / one.limit) if one.limit else None,
                _digits(theirs / limit) if (limit := max(one.limit, one.arithmetic)) else None,
                *(_digits(one.ours.error, 2), _digits(one.theirs.error, 2)),
                *(one.ours.memory and round(one.ours.memory, 1), one.theirs.memory and round(one.theirs.memory, 1)),
            )
        )
    return Table("Every point: medians of the blocks", COLUMNS, tuple(rows))


def latencies(everything: Sequence[Measured]) -> Iterator[Table]:
    """Percentiles of single calls, where they were taken."""
    columns = ("point", "rival", *(f"{side}, {which}, µs" for side in ("ours", "rival") for which in ("p50", "p99")))
    rows = tuple(
        (one.point.name, f"{one.rival}, {one.theirs.name}", *(_digits(1e6 * t) for t in one.ours.percentiles + other))
        for one in everything
        if one.ours.percentiles is not None and (other := one.theirs.percentiles) is not None
    )
    if rows:
        yield Table("Single calls: the 50th and the 99th percentile", columns, rows)


def growth(everything: Sequence[Measured]) -> Iterator[Figure]:
    """For each letter that varies: time against it, where most of its values were taken, and the slopes of all."""
    rows = []
    letters = list(dict.fromkeys(letter for one in everything for letter in one.point.places))
    pictures = []
    for letter in letters:
        lines = {key: points for key, points in _lines(everything, letter).items() if len(points) >= FEWEST}
        for key, points in lines.items():
            columns = list(zip(*points, strict=True))
            rows.append((_words(key), letter, *(_growth(columns, side) for side in range(1, 5))))
        if lines:
            pictures.append(_picture(letter, lines))
    if rows:
        yield Table(
            "How time and memory grow: slope of their log against the log of a letter (1 is proportional)",
            *(("where", "letter", "our time", "rival's time", "our memory", "rival's memory"), tuple(rows)),
        )
    yield from pictures


def _growth(columns: Sequence[Sequence[float]], side: int) -> float | None:
    return _digits(slope(columns, side)) if all(columns[side]) else None


def slope(columns: Sequence[Sequence[float]], side: int) -> float:
    """Least squares of log columns[side] over log columns[0]."""
    x, y = [math.log(value) for value in columns[0]], [math.log(value) for value in columns[side]]
    middle_x, middle_y = math.fsum(x) / len(x), math.fsum(y) / len(y)
    across = math.fsum((a - middle_x) ** 2 for a in x)
    return math.fsum((a - middle_x) * (b - middle_y) for a, b in zip(x, y, strict=True)) / across


def _lines(everything: Sequence[Measured], letter: str) -> dict[Key, list[tuple[float, ...]]]:
    """All else that places a point → (the letter, our seconds, the rival's, our MiB, the rival's), in its order."""
    lines: dict[Key, list[tuple[float, ...]]] = defaultdict(list)
    for one in everything:
        if letter in one.point.places:
            rest = tuple((name, value) for name, value in one.point.places.items() if name != letter)
            key: Key = (("", one.point.series), *rest, ("threads", one.point.threads), ("over", one.rival))
            memory = (one.ours.memory or 0.0, one.theirs.memory or 0.0)
            lines[key].append((one.point.places[letter], one.ratio.ours, one.ratio.theirs, *memory))
    return {key: sorted(points) for key, points in lines.items()}


def _picture(letter: str, lines: Mapping[Key, list[tuple[float, ...]]]) -> Curves:
    key, points = max(lines.items(), key=lambda line: len(line[1]))
    x, ours, theirs, *_ = zip(*points, strict=True)
    rival = dict(key)["over"]
    series = tuple(
        Series(f"{name}, slope {slope((x, y), 1):.2f}", x, tuple(1e6 * value for value in y))
        for name, y in (("Unrolled", ours), (str(rival), theirs))
    )
    return Curves(f"Time against {letter}: {_words(key)}", series, letter, "time of one call, µs", True, True)


def _words(key: Key) -> str:
    return ", ".join(f"{name} {value}".strip() for name, value in key)


def _digits(value: float, digits: int = 3) -> float:
    return float(f"{value:.{digits}g}")


def _span(ends: tuple[float, float]) -> str:
    return f"{ends[0]:.3g} to {ends[1]:.3g}"
