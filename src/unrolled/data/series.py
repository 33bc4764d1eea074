"""Series out of tables with a time column: on a regular grid, with its gaps filled from the past, and said.

    series = read_series(read_table("sales.csv"), time="date", targets=("sold",))

Nothing is filled from what comes later: a gap holds the last value before it, is marked as not observed, and counts in
no figure.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from unrolled.data.tables import Table
from unrolled.errors import DataError, OptionError

#: What a column of times is often called; where a table has none of these, the first column of times is taken.
TIME_NAMES = ("time", "date", "datetime", "timestamp", "ds", "day", "month", "year")
#: 31.12.2024, perhaps with a time of day behind it: with dots, and the year last, the day always stands first.
_DAY_FIRST = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(?=$|[ T])")
#: 2024/3/1 and 2024-3-1, perhaps with a time of day behind it; 2024/3.
_YEAR_FIRST = re.compile(r"(\d{4})([-/.])(\d{1,2})(?:\2(\d{1,2})(?=$|[ T])|$)")
#: Grids with more places than this for each row read are taken for a mistake in the times.
THINNEST = 20
#: The longer units in seconds.
_SECONDS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0, "week": 604800.0}
#: Steps of a grid → how many of them make the period that such series usually have.
USUAL_PERIODS = {"hour": 24, "day": 7, "week": 52, "month": 12}


class Step(NamedTuple):
    """Between neighbours of a grid: `count` units. unit: "second" … "week", "month", or "" for plain numbers."""

    count: float
    unit: str

    @property
    def width(self) -> float:
        """In the numbers that times are: seconds, months, or the plain numbers themselves."""
        return self.count * _SECONDS.get(self.unit, 1.0)

    def __str__(self) -> str:
        """How often there is a value: "a day", "an hour", "every 15 minutes", "every 0.5"."""
        if self.unit and self.count == 1:
            return f"an {self.unit}" if self.unit == "hour" else f"a {self.unit}"
        return f"every {self.count:g}{f' {self.unit}s' if self.unit else ''}"


@dataclass(frozen=True)
class Series:
    """Values (N, C) of the columns `names` at N neighbouring places of a grid; gaps hold the last value before them.

    observed: (N, C) bool, false where a value was filled in. start: the time of the first place, as a number: seconds
    of Unix time, months since year 0, or the number itself. digest: SHA-256 of the file.
    """

    names: tuple[str, ...]
    values: np.ndarray
    observed: np.ndarray
    start: float
    step: Step
    summary: str
    digest: str

    def time(self, place: int) -> str:
        """What is written for the time at a place, which may lie behind the last."""
        return written(self.start, self.step, place)


def read_series(table: Table, time: str = "", targets: Sequence[str] = ()) -> Series:
    """time: the column of times; empty finds it. targets: the columns of values; none takes every column of numbers.

    DataError where times are not what they should be, naming the line; OptionError where a column must be named.
    """
    time = time or guess_time(table)
    if not targets:
        targets = number_columns(table, time)
        if not targets:
            raise DataError(f"{table.name}: no column of numbers beside {time}, where values were expected")
    times, unit = _times(table, time)
    newest_first = bool((np.diff(times) < 0).all()) and len(times) > 1
    if newest_first:
        table, times = replace(table, rows=table.rows[::-1], lines=table.lines[::-1]), times[::-1]
    _check_rising(table, times, time)
    values = np.stack([table.numbers(name, "--target") for name in targets], 1)
    places, step = _grid(table, times, unit)
    grid = np.full((int(places[-1]) + 1, len(targets)), np.nan)
    grid[places] = values
    known = np.flatnonzero(~np.isnan(grid).any(1))
    if not len(known):
        raise DataError(f"{table.name}: no row in which {' and '.join(targets)} has a number: name another column")
    # Before the first whole row there is nothing to fill from.
    first = int(known[0])
    grid, observed = grid[first:], ~np.isnan(grid[first:])
    start = float(times[0] + first * step.width)
    gaps = len(grid) - int((places >= first).sum())
    missing = int((~observed).sum()) - gaps * len(targets)
    summary = (
        f"{table.name}: {len(grid):,} values of {', '.join(targets)}, one {step}, from {written(start, step, 0)} to "
        f"{written(start, step, len(grid) - 1)}, times in {time}{', the newest first' if newest_first else ''}"
    )
    for count, what in ((first, "left out before the first value"), (gaps, "not in the file"), (missing, "empty")):
        if count:
            summary += f"; {count:,} {what}" + ("" if what.startswith("left") else ", held at the last value before")
    return Series(tuple(targets), _filled(grid), observed, start, step, summary, table.digest)


def guess_time(table: Table) -> str:
    """The column of times: one with a usual name, else the first whose first cell is a date. OptionError where none.

    One with a usual name is taken however its times are written, and reading it then says what is wrong.
    """
    first = dict(zip(table.columns, table.rows[0], strict=True))
    named = [name for name in table.columns if name.casefold() in TIME_NAMES]
    for name in [*named, *table.columns]:
        if _moment(first[name]) is not None or (name in named and _plain(first[name]) is not None):
            return name
    if len(named) == 1:
        return named[0]
    raise OptionError(
        f"{table.name}: no column looks like times; name it with --time. Columns: {', '.join(table.columns)}"
    )


def number_columns(table: Table, time: str) -> list[str]:
    """The columns, but that of times, whose cells are all numbers or say that one is missing."""

    def is_numbers(name: str) -> bool:
        try:
            return bool(np.isfinite(table.numbers(name)).any())
        except DataError:
            return False

    return [name for name in table.columns if name != time and is_numbers(name)]


def written(start: float, step: Step, place: int) -> str:
    """The time at a place of a grid, in ISO 8601 where it is one."""
    if step.unit == "":
        return f"{start + place * step.width:.10g}"
    if step.unit == "month":
        year, month = divmod(round(start + place * step.width), 12)
        return f"{year:04d}-{month + 1:02d}"
    at = datetime(1970, 1, 1) + timedelta(seconds=start + place * step.width)
    whole_days = step.unit in {"day", "week"} and at.time() == datetime.min.time()
    return at.date().isoformat() if whole_days else at.isoformat(sep=" ")


def _times(table: Table, column: str) -> tuple[np.ndarray, str]:
    """Each row's time as a number, and the unit: "second", "month" or "" for plain numbers."""
    cells = table.column(column, "--time")
    plain = [_plain(cell) for cell in cells]
    moments = [_moment(cell) for cell in cells]
    numbers = all(value is not None for value in plain)
    for row, (number, moment) in enumerate(zip(plain, moments, strict=True)):
        if (number if numbers else moment) is None:
            raise DataError(
                f"{table.place(row)}: {cells[row]!r} in column {column}, where a time was expected: as in 2024-03-01, "
                "2024/3/1, 2024-03-01 14:30, 2024-03 or 1.3.2024, or plain numbers throughout"
            )
    known = [moment for moment in moments if moment is not None]
    if numbers:
        times, unit = np.array(plain, float), ""
    elif _are_months(known):
        times, unit = np.array([12 * at.year + at.month - 1 for at in known], float), "month"
    else:
        times, unit = np.array([(at - datetime(1970, 1, 1)) / timedelta(seconds=1) for at in known]), "second"
    return times, unit


def _check_rising(table: Table, times: np.ndarray, column: str) -> None:
    """DataError at the first row that is not later than the one before it."""
    cells = table.column(column)
    for row in np.flatnonzero(np.diff(times) <= 0).tolist():
        what = "the same time as" if times[row + 1] == times[row] else "before"
        raise DataError(
            f"{table.place(row + 1)}: {cells[row + 1]} is {what} the row above, {cells[row]}: rows are to be in the "
            "order of time, one for each time; several series in one file are several files"
        )


def _grid(table: Table, times: np.ndarray, unit: str) -> tuple[np.ndarray, Step]:
    """(each row's place, the step): the commonest difference between neighbours, of which every other is a multiple."""
    if len(times) < 2:
        raise DataError(f"{table.name}: one row alone is no series: two at least are needed, and many are better")
    differences = [round(after - before, 9) for before, after in pairwise(times.tolist())]
    width = Counter(differences).most_common(1)[0][0]
    places = (times - times[0]) / width
    off = np.flatnonzero(np.abs(places - np.round(places)) > 0.01)
    if len(off):
        raise DataError(
            f"{table.place(int(off[0]))}: this time lies between the places of a grid of one value "
            f"{_named(width, unit)}, the commonest difference: bring the series to a regular grid first"
        )
    if places[-1] + 1 > THINNEST * len(times):
        raise DataError(
            f"{table.name}: {len(times):,} rows over {places[-1] + 1:,.0f} places, one {_named(width, unit)}: mostly "
            "gaps; bring the series to a regular grid first"
        )
    return np.round(places).astype(np.int64), _named(width, unit)


def _named(width: float, unit: str) -> Step:
    """The step in the largest unit of which it is a whole number; weeks only where it is one week."""
    if unit != "second":
        return Step(width, unit)
    for name in ("day", "hour", "minute"):
        if width % _SECONDS[name] == 0:
            count = width / _SECONDS[name]
            return Step(1, "week") if name == "day" and count == 7 else Step(count, name)
    return Step(width, "second")


def _filled(grid: np.ndarray) -> np.ndarray:
    """Each NaN of (N, C) replaced by the last number above it; the first row has none."""
    last = np.where(np.isnan(grid), 0, np.arange(len(grid))[:, None])
    return np.take_along_axis(grid, np.maximum.accumulate(last, axis=0), axis=0)


def _are_months(moments: list[datetime]) -> bool:
    """Whether all are one day and hour of different months: their differences in seconds are then no grid."""
    alike = len({(at.day, at.time()) for at in moments}) == 1
    return alike and len({(at.year, at.month) for at in moments}) > 1


def _moment(cell: str) -> datetime | None:
    """A date or a time in ISO 8601, months included, or with dots or strokes; zones are brought to UTC."""
    cell = _as_iso(cell)
    try:
        at = datetime.fromisoformat(cell)
    except ValueError:
        return None
    if _plain(cell) is not None:  # 20240301 is a date in ISO 8601, and a number
        return None
    offset = at.utcoffset()
    return at if offset is None else at.replace(tzinfo=None) - offset


def _as_iso(cell: str) -> str:
    """A date with dots, with strokes or without its zeros, as ISO 8601 writes it; anything else as it is."""
    if found := _DAY_FIRST.match(cell):
        day, month, year = found.groups()
    elif found := _YEAR_FIRST.match(cell):
        year, mark, month, day = found.groups()
        if day is None and mark == ".":  # 2024.3 is a number
            return cell
    else:
        return cell
    # Two digits of an hour, too.
    rest = re.sub(r"^([ T])(\d:)", r"\g<1>0\2", cell[found.end() :])
    return f"{year}-{int(month):02d}-{int(day or 1):02d}{rest}"


def _plain(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in cell else None
