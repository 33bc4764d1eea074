"""What diagnostics and records return to be looked at, as plain data: no torch, no NumPy, no colours.

Each kind is drawn once for the terminal, once as SVG and once in the browser; whoever makes a figure draws nothing.

    data = figure.to_json()          plain JSON data, with the kind and a format version in it
    figure = from_json(data)         the same figure again, of this format or an earlier one

A number may be NaN (nothing is known there) or infinite; JSON has neither, and holds them as the words "NaN",
"Infinity" and "-Infinity" (in a table, where a word may stand as well, as {"number": "NaN"} and so on).

This file is long because it has every kind, with how each is read back.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from unrolled.errors import DataError, ShapeError

#: Raised by one whenever a reader of the format before could not read what is written now. 2: points, and paths on heat
#: maps. 3: trees. 4: bands about curves.
FORMAT = 4

Cell = str | int | float | None


@dataclass(frozen=True)
class Figure:
    """One thing to look at. title: one line, what it shows."""

    KIND: ClassVar[str] = ""
    title: str

    def to_json(self) -> dict[str, Any]:
        """Plain JSON data: numbers, strings, lists and dictionaries."""
        content = {field.name: _to_plain(getattr(self, field.name)) for field in fields(self)}
        return {"figure": self.KIND, "format": FORMAT, **content}


@dataclass(frozen=True)
class Series:
    """A named line: the points (x, y), in the order in which they are joined.

    beside: for a line that others are compared with: the name of the one that it is the bound of, say, whose colour it
        takes, or the name of what all of them show. An SVG dots it.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    beside: str = ""

    def __post_init__(self) -> None:
        if len(self.x) != len(self.y):
            raise ShapeError(f"series {self.name!r} must have as many y as x; {len(self.x)} x and {len(self.y)} y came")


@dataclass(frozen=True)
class Band:
    """All between two lines over the same x: an interval about a line.

    about: the name of that line, whose colour it takes; bands of one line lie over each other, the widest first.
    """

    name: str
    x: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    about: str

    def __post_init__(self) -> None:
        if not len(self.x) == len(self.low) == len(self.high):
            raise ShapeError(
                f"band {self.name!r} must have as many low and high as x; {len(self.x)} x, {len(self.low)} low and "
                f"{len(self.high)} high came"
            )


@dataclass(frozen=True)
class Curves(Figure):
    """Lines over one pair of axes. Labels name quantity and unit: "loss, nats per character".

    x_log, y_log: whether an axis is logarithmic; points that are not above zero are then left out.
    bands: drawn beneath the lines.
    """

    KIND = "curves"
    series: tuple[Series, ...]
    x_label: str
    y_label: str
    x_log: bool = False
    y_log: bool = False
    bands: tuple[Band, ...] = ()


@dataclass(frozen=True)
class Points(Figure):
    """Sets of points in a plane, on which a unit is equally long in both directions: a circle looks like one.

    series: the sets; nothing joins their points.
    lines: drawn thin, beneath the points, to see where these lie: the unit circle, the edge of what is possible.
    """

    KIND = "points"
    series: tuple[Series, ...]
    x_label: str
    y_label: str
    lines: tuple[Series, ...] = ()


@dataclass(frozen=True)
class HeatMap(Figure):
    """Numbers in rows and columns, first row on top. value_label names quantity and unit of the numbers.

    paths: lines over the map, x in columns and y in rows: (0, 0) is the middle of the first cell of the first row, and
        a path may lead beyond the map.
    """

    KIND = "heat-map"
    values: tuple[tuple[float, ...], ...]
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    value_label: str
    paths: tuple[Series, ...] = ()

    def __post_init__(self) -> None:
        if len(self.values) != len(self.rows) or any(len(row) != len(self.columns) for row in self.values):
            raise ShapeError(
                f"heat map {self.title!r} must have {len(self.rows)} rows of {len(self.columns)} values, as its labels "
                f"say; rows of {sorted({len(row) for row in self.values})}, {len(self.values)} in number, came"
            )


@dataclass(frozen=True)
class ColouredText(Figure):
    """A text in pieces, each with a number.

    tokens: put together they are the text. values: one each; NaN where there is none.
    scale: (low, high), the numbers at the ends of the colours; what lies beyond takes the end's. A scale about zero, as
        far below it as above, is drawn in two colours.
    value_label: quantity and unit of the numbers.
    """

    KIND = "coloured-text"
    tokens: tuple[str, ...]
    values: tuple[float, ...]
    scale: tuple[float, float]
    value_label: str

    def __post_init__(self) -> None:
        if len(self.tokens) != len(self.values):
            raise ShapeError(f"each token has one value; {len(self.tokens)} tokens and {len(self.values)} values came")
        if not -math.inf < self.scale[0] < self.scale[1] < math.inf:
            raise ShapeError(f"a scale goes from one number up to a higher one; {self.scale} came")


@dataclass(frozen=True)
class Table(Figure):
    """Rows under named columns; a cell is text, a number, or None where there is nothing."""

    KIND = "table"
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        for number, row in enumerate(self.rows, 1):
            if len(row) != len(self.columns):
                raise ShapeError(
                    f"row {number} of table {self.title!r} must have {len(self.columns)} cells; {len(row)} came"
                )

    def to_json(self) -> dict[str, Any]:
        # A cell may be the text "NaN", so that the number has to look different here.
        rows = [[cell if _is_plain(cell) else {"number": _to_plain(cell)} for cell in row] for row in self.rows]
        return {**super().to_json(), "rows": rows}


@dataclass(frozen=True)
class Tree(Figure):
    """A tree with its root on top, a sentence's phrases for example; what has nothing below it is a leaf, a word.

    labels: of every node, each before those below it, from left to right.
    parents: the number of the node above each; -1 for the root, which comes first.
    """

    KIND = "tree"
    labels: tuple[str, ...]
    parents: tuple[int, ...]

    def __post_init__(self) -> None:
        above: list[int] = []  # the root, and so on down to the node before
        for number, parent in enumerate(self.parents):
            while above and above[-1] != parent:
                above.pop()
            if bool(number) != bool(above) or (not number and parent != -1):
                raise ShapeError(
                    f"each node of tree {self.title!r} comes after its parent, left before right, and the root (-1) "
                    f"first; node {number} came below node {parent}"
                )
            above.append(number)
        if not self.labels or len(self.labels) != len(self.parents):
            raise ShapeError(
                f"a tree has one parent for each of its labels, one or more; {len(self.labels)} labels and "
                f"{len(self.parents)} parents came"
            )


KINDS: dict[str, type[Figure]] = {kind.KIND: kind for kind in (Curves, Points, HeatMap, ColouredText, Table, Tree)}


def from_json(data: Mapping[str, Any]) -> Figure:
    """The figure that `to_json` wrote. DataError where the data is not one, or from a later version."""
    kind, version = data.get("figure"), data.get("format")
    if kind not in KINDS:
        raise DataError(f"a figure is one of {', '.join(KINDS)}; {kind!r} came")
    if not isinstance(version, int) or version not in range(1, FORMAT + 1):
        raise DataError(
            f"figures of format 1 to {FORMAT} can be read; this one has format {version!r}. "
            "It was written by another version of Unrolled: update this one"
        )
    wanted = {field.name for field in fields(KINDS[kind])}
    content = {name: value for name, value in data.items() if name not in ("figure", "format")}
    if version == 1 and kind == HeatMap.KIND:
        content = {"paths": [], **content}
    if version < 4 and kind == Curves.KIND:
        content = {"bands": [], **content}
    if set(content) != wanted:
        raise DataError(f"a {kind} has the fields {sorted(wanted)}; {sorted(content)} came")
    try:
        return _build(kind, content)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise DataError(f"a {kind} was expected; its content cannot be read: {error}") from error


def _is_plain(cell: Cell) -> bool:
    return not isinstance(cell, float) or math.isfinite(cell)


def _to_plain(value: Any) -> Any:
    if isinstance(value, Series):
        beside = {"beside": value.beside} if value.beside else {}
        return {"name": value.name, "x": _to_plain(value.x), "y": _to_plain(value.y), **beside}
    if isinstance(value, Band):
        return {field.name: _to_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [_to_plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a text was expected; {value!r} came")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"true or false was expected; {value!r} came")
    return value


def _strings(values: Any) -> tuple[str, ...]:
    return tuple(_string(value) for value in values)


def _floats(values: Any) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _cell(value: Any) -> Cell:
    if isinstance(value, dict):
        return float(value["number"])
    if not isinstance(value, Cell):
        raise TypeError(f"a cell is text, a number or nothing; {value!r} came")
    return value


def _series(values: Any) -> tuple[Series, ...]:
    return tuple(
        Series(_string(s["name"]), _floats(s["x"]), _floats(s["y"]), _string(s.get("beside", ""))) for s in values
    )


def _cells(rows: Any) -> tuple[tuple[Cell, ...], ...]:
    return tuple(tuple(_cell(value) for value in row) for row in rows)


def _bands(values: Any) -> tuple[Band, ...]:
    return tuple(
        Band(_string(b["name"]), _floats(b["x"]), _floats(b["low"]), _floats(b["high"]), _string(b["about"]))
        for b in values
    )


def _scale(values: Any) -> tuple[float, float]:
    low, high = _floats(values)
    return low, high


def _numbers(values: Any) -> tuple[int, ...]:
    if not all(isinstance(value, int) for value in values):
        raise TypeError(f"whole numbers were expected; {values} came")
    return tuple(values)


#: How each field is read, for all kinds that have it; then those that differ from kind to kind.
_READ: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("title", "x_label", "y_label", "value_label"), _string),
    **dict.fromkeys(("series", "lines", "paths"), _series),
    "bands": _bands,
    **dict.fromkeys(("x_log", "y_log"), _flag),
    **dict.fromkeys(("columns", "tokens", "labels"), _strings),
    "scale": _scale,
    "parents": _numbers,
}
_READ_OF: dict[tuple[str, str], Callable[[Any], Any]] = {
    (HeatMap.KIND, "rows"): _strings,
    (HeatMap.KIND, "values"): lambda rows: tuple(_floats(row) for row in rows),
    (ColouredText.KIND, "values"): _floats,
    (Table.KIND, "rows"): _cells,
}


def _build(kind: str, content: Mapping[str, Any]) -> Figure:
    read = {name: (_READ_OF.get((kind, name)) or _READ[name])(value) for name, value in content.items()}
    return KINDS[kind](**read)
