"""Figures in a terminal: `to_terminal(figure)` gives something that rich prints, as wide as there is room."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from rich import box
from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table as RichTable
from rich.text import Text

from unrolled.figures import ColouredText, Curves, Figure, HeatMap, Points, Series, Table, Tree
from unrolled.workshop.renderings.braille import Canvas
from unrolled.workshop.renderings.palette import INK, TERMINAL_HIGHLIGHT, TERMINAL_LINES, TERMINAL_TWO_HIGHLIGHTS, mix
from unrolled.workshop.renderings.scales import (
    Axis,
    ColourScale,
    all_x,
    all_y,
    axis,
    cut,
    heat_scale,
    square_axes,
    text_scale,
)
from unrolled.workshop.renderings.trees import tree_lines
from unrolled.workshop.renderings.words import cell, short_number, shorten, visible

TITLE = "bold"
QUIET = "dim"
#: Rows of a plot.
PLOT_ROWS = 14
WIDEST = 120
#: Rows of a plane, whose dots are as far apart as those of its columns, twice as many.
PLANE_ROWS = 20
#: Owner of lines that are there to compare with.
REFERENCE = -1
_BARS = "▁▂▃▄▅▆▇█"
#: Below this share of a scale a word is not coloured.
FAINT = 0.15


def to_terminal(figure: Figure) -> RenderableType:
    """The figure for a rich console. Without colours (a pipe, a file) the words and numbers of it still stand."""
    return _SHOW[figure.KIND](figure)


def sparkline(values: Sequence[float], width: int) -> str:
    """As bars, `width` at most, each the mean of its share of the values, lowest to highest; a space for NaN."""
    count = min(width, len(values))
    edges = [round(i * len(values) / count) for i in range(count + 1)] if count else []
    bars = [_mean(values[start:end]) for start, end in pairwise(edges)]
    held = [bar for bar in bars if not math.isnan(bar)]
    low, high = min(held, default=0.0), max(held, default=0.0)
    # Halves: the whole reach of what a float can hold is itself none.
    reach = (high / 2 - low / 2) or 1.0
    return "".join(" " if math.isnan(bar) else _BARS[round((bar / 2 - low / 2) / reach * 7)] for bar in bars)


def _mean(values: Sequence[float]) -> float:
    """Of what is finite; NaN where nothing is."""
    held = [value for value in values if math.isfinite(value)]
    return math.fsum(value / len(held) for value in held) if held else math.nan


def _title(figure: Figure) -> Text:
    return Text(visible(figure.title), TITLE)


# Curves


@dataclass(frozen=True)
class _Plot:
    figure: Curves

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        figure, width = self.figure, min(options.max_width, WIDEST)
        yield _title(figure)
        across = axis(all_x(figure), log=figure.x_log, ticks=5, tight=True)
        up = axis(all_y(figure), log=figure.y_log, ticks=4)
        yield Text(visible(figure.y_label), QUIET)
        if across is None or up is None:
            yield Text("no data yet", QUIET)
            return
        margin = max((len(written) for _, written in up.ticks), default=0)
        canvas = Canvas(max(width - margin - 2, 8), PLOT_ROWS)
        for band in figure.bands:
            for edge in (band.low, band.high):
                canvas.line([(across.place(x), up.place(y)) for x, y in zip(band.x, edge, strict=True)], REFERENCE)
        for number, series in enumerate(figure.series):
            points = zip(series.x, series.y, strict=True)
            canvas.line([(across.place(x), up.place(y)) for x, y in points], number)
        yield from _framed(canvas, across, up, margin)
        yield Text(visible(figure.x_label).rjust(margin + 2 + canvas.columns), QUIET)
        key = _key("━━", figure.series) if len(figure.series) > 1 or figure.bands else Text()
        for band in figure.bands:
            key.append("━━ " + visible(band.name) + "   ", QUIET)
        if key:
            yield key


def _framed(canvas: Canvas, across: Axis, up: Axis, margin: int) -> Iterator[Text]:
    """The canvas between its axes, with what is written at their ticks."""
    marks = {round((1 - up.place(value)) * (canvas.rows - 1)): written for value, written in up.ticks}
    for i in range(canvas.rows):
        line = Text(f"{marks.get(i, ''):>{margin}} ", QUIET)
        line.append("┤" if i in marks else "│", QUIET)
        for character, owner in canvas.row(i):
            line.append(character, "" if owner is None else _line_colour(owner))
        yield line
    yield Text(f"{'':{margin}} └{'─' * canvas.columns}", QUIET)
    yield Text(" " * (margin + 2) + _marks_below(across, canvas.columns), QUIET)


def _key(mark: str, series: Sequence[Series]) -> Text:
    key = Text()
    for number, one in enumerate(series):
        key.append(f"{mark} ", _line_colour(number)).append(visible(one.name) + "   ")
    return key


def _line_colour(number: int) -> str:
    return QUIET if number == REFERENCE else TERMINAL_LINES[number % len(TERMINAL_LINES)]


def _marks_below(across: Axis, columns: int) -> str:
    """What is written at the ticks, each under its place, leaving out those that would touch the one before."""
    line = ""
    for value, written in across.ticks:
        start = round(across.place(value) * (columns - 1)) - len(written) // 2
        start = min(max(start, 0), columns - len(written))
        if start >= len(line) + bool(line):
            line = line.ljust(start) + written
    return line


# Points


@dataclass(frozen=True)
class _Plane:
    figure: Points

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        figure = self.figure
        yield _title(figure)
        yield Text(visible(figure.y_label), QUIET)
        axes = square_axes([*figure.series, *figure.lines], ticks=4)
        if axes is None:
            yield Text("no data yet", QUIET)
            return
        across, up = axes
        margin = max((len(written) for _, written in up.ticks), default=0)
        rows = max(min(PLANE_ROWS, (options.max_width - margin - 2) // 2), 4)
        canvas = Canvas(2 * rows, rows)
        for line in figure.lines:
            canvas.line([(across.place(x), up.place(y)) for x, y in zip(line.x, line.y, strict=True)], REFERENCE)
        for number, series in enumerate(figure.series):
            for x, y in zip(series.x, series.y, strict=True):
                canvas.line([(across.place(x), up.place(y))], number)
        yield from _framed(canvas, across, up, margin)
        yield Text(visible(figure.x_label).rjust(margin + 2 + canvas.columns), QUIET)
        key = _key("●", figure.series) if len(figure.series) > 1 else Text()
        for line in figure.lines:
            key.append("━━ " + visible(line.name) + "   ", QUIET)
        yield key


# Heat map


@dataclass(frozen=True)
class _Heat:
    figure: HeatMap

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        figure, width = self.figure, min(options.max_width, WIDEST)
        scale = heat_scale(figure)
        rows = [shorten(visible(row), 18) for row in figure.rows]
        columns = [visible(column) for column in figure.columns]
        margin = max(map(cell_len, rows), default=0)
        room = max(width - margin - 1, 1)
        # Where there is no room for every column, neighbours share a cell.
        share = math.ceil(max(len(columns), 1) / room)
        shown = math.ceil(len(columns) / share)
        each = max(1, min(room // max(shown, 1), max(map(cell_len, columns), default=1) + 1, 7))
        yield _title(figure)
        yield Text(" " * (margin + 1) + _heads(columns, each, each * shown), QUIET)
        canvas = Canvas(each * shown, len(rows))
        for number, path in enumerate(figure.paths if rows and columns else ()):
            places = zip(path.x, path.y, strict=True)
            points = cut([((x + 0.5) / (share * shown), (y + 0.5) / len(rows)) for x, y in places])
            canvas.line([(x, 1 - y) for x, y in points], number)
        for i, (name, values) in enumerate(zip(rows, figure.values, strict=True)):
            line = Text(" " * (margin - cell_len(name)) + name + " ", QUIET)
            drawn = canvas.row(i)
            for j in range(shown):
                value = _mean(values[j * share : (j + 1) * share]) if share > 1 else values[j]
                ground = f"on {mix(scale.colours, scale.share(value))}"
                for character, owner in drawn[j * each : (j + 1) * each]:
                    line.append(character, ground if owner is None else f"bold {_line_colour(owner)} {ground}")
            yield line
        yield _legend(figure.value_label, scale)
        if figure.paths:
            yield _key("━━", figure.paths)
        if share > 1:
            yield Text(f"each cell is the mean of {share} columns", QUIET)


def _heads(columns: Sequence[str], each: int, width: int) -> str:
    """The columns' names over their cells; where they have no room, the first and the last."""
    if max(map(cell_len, columns), default=0) <= max(each - 1, 1) and len(columns) * each == width:
        return "".join(set_cell_size(column, each) for column in columns)
    room = max((width - 3) // 2, 1)
    first, last = shorten(columns[0], room), shorten(columns[-1], room)
    return first + " " * (width - cell_len(first) - cell_len(last)) + last


def _legend(label: str, scale: ColourScale) -> Text:
    line = Text(f"{short_number(scale.low)} ", QUIET)
    for i in range(16):
        line.append(" ", f"on {mix(scale.colours, i / 15)}")
    return line.append(f" {short_number(scale.high)}  {visible(label)}", QUIET)


# Coloured text


def _coloured_text(figure: ColouredText) -> RenderableType:
    scale = text_scale(figure, TERMINAL_HIGHLIGHT, TERMINAL_TWO_HIGHLIGHTS)
    # What stands out in nothing keeps the terminal's own colours.
    plain = 0.5 if scale.low == -scale.high else 0.0
    text = Text()
    for token, value in zip(figure.tokens, figure.values, strict=True):
        share = scale.share(value)
        faint = math.isnan(share) or abs(share - plain) < FAINT * (1 - plain)
        style = "" if faint else f"{INK} on {mix(scale.colours, share)}"
        parts = token.split("\n")
        for i, part in enumerate(parts):
            ends_line = i < len(parts) - 1
            text.append(visible(part) + ("⏎" if ends_line and style else ""), style)
            if ends_line:
                text.append("\n")
    text.rstrip()
    return Group(_title(figure), text, _legend(figure.value_label, scale))


# Table


def _table(figure: Table) -> RenderableType:
    table = RichTable(box=box.SIMPLE_HEAD, title=_title(figure), title_justify="left", pad_edge=False, show_edge=False)
    for j, column in enumerate(figure.columns):
        held = [row[j] for row in figure.rows if row[j] is not None]
        numeric = bool(held) and not any(isinstance(content, str) for content in held)
        # Text objects: nothing in a cell is taken for markup.
        table.add_column(Text(visible(column)), justify="right" if numeric else "left", header_style=QUIET)
    for row in figure.rows:
        table.add_row(*(Text(cell(content)) for content in row))
    return table


# Tree


def _tree(figure: Tree) -> RenderableType:
    lines = [Text(line) for line in tree_lines(figure)]
    return Group(_title(figure), *lines)


_SHOW: dict[str, Callable[[Any], RenderableType]] = {
    Curves.KIND: _Plot,
    Points.KIND: _Plane,
    HeatMap.KIND: _Heat,
    ColouredText.KIND: _coloured_text,
    Table.KIND: _table,
    Tree.KIND: _tree,
}
