"""Figures as SVG: `to_svg(figure)` gives a document as text, to be written to a file or sent as it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from rich.cells import cell_len

from unrolled.figures import ColouredText, Curves, Figure, HeatMap, Series, Table
from unrolled.workshop.renderings.drawing import MONO_CELL, Drawing, sans_width
from unrolled.workshop.renderings.palette import ABSENT, FRAME, HAIRLINE, HIGHLIGHT, INK, LINES, MUTED, PAPER, mix
from unrolled.workshop.renderings.scales import Axis, ColourScale, axis, heat_scale
from unrolled.workshop.renderings.words import cell, number, short_number, shorten, visible

WIDTH = 720.0
#: Between the card's edge and what is on it.
EDGE = 24.0
#: Base line of the title, and the first line that anything else may take.
TITLE_LINE = 35.0
TOP = 58.0
#: Points of a line that still get a dot each.
DOTTED = 16


def to_svg(figure: Figure) -> str:
    """The figure as an SVG document. The same figure gives the same text, character for character."""
    return _DRAW[figure.KIND](figure)


def _start(figure: Figure) -> Drawing:
    drawing = Drawing(figure.title)
    title = shorten(visible(figure.title), 76)
    drawing.text(EDGE, TITLE_LINE, title, size=16, weight=600)
    return drawing


# Curves


def _curves(figure: Curves) -> str:
    drawing = _start(figure)
    names = [shorten(visible(series.name), 24) for series in figure.series]
    margin = max((sans_width(name, 12) for name in names), default=0) if len(names) > 1 else 0.0
    left, right = EDGE + 46, WIDTH - EDGE - (margin + 12 if margin else 6)
    top, bottom = TOP + 26, 372.0
    across = axis((x for s in figure.series for x in s.x), log=figure.x_log, ticks=7, tight=True)
    up = axis((y for s in figure.series for y in s.y), log=figure.y_log, ticks=5)
    drawing.text(EDGE, TOP + 2, visible(figure.y_label), fill=MUTED)
    drawing.text(right, bottom + 42, visible(figure.x_label), fill=MUTED, anchor="end")
    if across is None or up is None:
        drawing.text(WIDTH / 2, (top + bottom) / 2, "no data yet", fill=MUTED, anchor="middle")
        return drawing.document(WIDTH, bottom + 60)

    for value, written in up.ticks:
        y = bottom - up.place(value) * (bottom - top)
        drawing.put("path", d=f"M{left:.1f} {y:.1f}H{right:.1f}", stroke=HAIRLINE)
        drawing.text(left - 10, y + 4, written, fill=MUTED, anchor="end")
    for value, written in across.ticks:
        x = left + across.place(value) * (right - left)
        drawing.put("path", d=f"M{x:.1f} {bottom:.1f}v5", stroke=MUTED)
        drawing.text(x, bottom + 20, written, fill=MUTED, anchor="middle")
    drawing.put("path", d=f"M{left:.1f} {bottom:.1f}H{right:.1f}", stroke=MUTED)

    ends = []
    for number_, series in enumerate(figure.series):
        colour = LINES[number_ % len(LINES)]
        points = _points(series, across, up, left, right, top, bottom)
        drawing.line(
            points,
            stroke=colour,
            stroke_width=2.2,
            stroke_linejoin="round",
            stroke_linecap="round",
            # Beyond the colours there are, dashes tell lines apart.
            stroke_dasharray="7 5" if number_ >= len(LINES) else None,
        )
        seen = [(x, y) for x, y in points if not (math.isnan(x) or math.isnan(y))]
        for x, y in seen if len(seen) <= DOTTED else seen[-1:]:
            drawing.put("circle", cx=x, cy=y, r=3.2, fill=colour, stroke=PAPER, stroke_width=1.2)
        if seen:
            ends.append((seen[-1][1], names[number_], colour))
    if margin:
        for y, (_, name, colour) in zip(_apart([end[0] for end in ends], 16, top, bottom), ends, strict=True):
            drawing.text(right + 12, y + 4, name, fill=colour, weight=600)
    return drawing.document(WIDTH, bottom + 60)


def _points(
    series: Series, across: Axis, up: Axis, left: float, right: float, top: float, bottom: float
) -> list[tuple[float, float]]:
    return [
        (left + across.place(x) * (right - left), bottom - up.place(y) * (bottom - top))
        for x, y in zip(series.x, series.y, strict=True)
    ]


def _apart(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places near those `wanted`, `gap` apart from each other, so that names at the ends of lines can be read."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    gap = min(gap, (high - low) / max(len(wanted) - 1, 1))
    placed = list(wanted)
    floor = low
    for i in order:
        placed[i] = floor = max(wanted[i], floor)
        floor += gap
    ceiling = high
    for i in reversed(order):
        placed[i] = ceiling = min(placed[i], ceiling)
        ceiling -= gap
    return placed


# Heat map


def _heat_map(figure: HeatMap) -> str:
    drawing = _start(figure)
    scale = heat_scale(figure)
    rows = [shorten(visible(row), 18) for row in figure.rows]
    columns = [shorten(visible(column), 18) for column in figure.columns]
    left = EDGE + max((sans_width(row, 12) for row in rows), default=0) + 10
    side = min(28.0, max(2.0, (WIDTH - EDGE - left) / max(len(columns), 1)))
    # Names that would touch are turned; names that would still touch are left out, evenly.
    turned = max((sans_width(column, 12) for column in columns), default=0) > side - 2
    room = max((sans_width(column, 12) for column in columns), default=0) if turned else 12.0
    top = TOP + 6 + room
    height = min(side, 28.0) if side >= 10 else 10.0
    for j in range(0, len(columns), math.ceil(14 / side)):
        x = left + (j + 0.5) * side
        drawing.text(
            x + 4 if turned else x,
            top - 7,
            columns[j],
            fill=MUTED,
            anchor="start" if turned else "middle",
            turn=-90 if turned else None,
        )
    gap = 1.5 if side >= 10 else 0.0
    for i, values in enumerate(figure.values):
        y = top + i * height
        if i % math.ceil(14 / height) == 0:
            drawing.text(left - 9, y + height / 2 + 4, rows[i], fill=MUTED, anchor="end")
        for j, value in enumerate(values):
            drawing.put(
                "rect",
                tip=f"{figure.rows[i]}, {figure.columns[j]}: {number(value)}",
                x=left + j * side,
                y=y,
                width=side - gap,
                height=height - gap,
                rx=2 if gap else None,
                fill=mix(scale.colours, scale.share(value)),
            )
    bottom = top + len(rows) * height
    _legend(drawing, EDGE, bottom + 22, figure.value_label, scale)
    width = max(left + len(columns) * side + EDGE, 420.0, sans_width(visible(figure.title), 16) + 2 * EDGE)
    return drawing.document(min(width, max(WIDTH, left + len(columns) * side + EDGE)), bottom + 52)


def _legend(drawing: Drawing, x: float, y: float, label: str, scale: ColourScale) -> None:
    """The scale's colours between its ends, then what they mean."""
    low, high = short_number(scale.low), short_number(scale.high)
    drawing.text(x, y + 10, low, fill=MUTED)
    x += sans_width(low, 12) + 8
    for i in range(30):
        # Each a little wider than its place, so that no seam shows between them.
        drawing.put("rect", x=x + 4 * i, y=y, width=4.5 if i < 29 else 4, height=12, fill=mix(scale.colours, i / 29))
    drawing.put("rect", x=x, y=y, width=120, height=12, fill="none", stroke=FRAME)
    drawing.text(x + 128, y + 10, high, fill=MUTED)
    drawing.text(x + 128 + sans_width(high, 12) + 14, y + 10, visible(label), fill=INK)


# Coloured text


def _coloured_text(figure: ColouredText) -> str:
    drawing = _start(figure)
    scale = ColourScale(*figure.scale, HIGHLIGHT)
    size, leading = 15.0, 27.0
    em = size * MONO_CELL
    per_line = int((WIDTH - 2 * EDGE) / em)
    column, line = 0, 0
    for token, value in zip(figure.tokens, figure.values, strict=True):
        shown = visible(token)
        cells = cell_len(shown)
        if column and column + cells > per_line:
            column, line = 0, line + 1
        x, y = EDGE + column * em, TOP + 16 + line * leading
        width = min(cells, per_line) * em
        colour = mix(scale.colours, scale.share(value)) if not math.isnan(value) else ABSENT
        drawing.put(
            "rect",
            tip=f"{token}  {number(value)}",
            x=x + 0.4,
            y=y - 17,
            width=max(width - 0.8, 0),
            height=23,
            rx=3,
            fill=colour,
        )
        # Spaces need no glyph; the others are set to their cells, whatever the reader's font.
        if shown.strip():
            pale = shown in ("⏎", "⇥")
            fitted = width if cells > 1 else None
            drawing.text(x, y, shown, size=size, fill=MUTED if pale else INK, mono=True, width=fitted)
        column += cells
        if "\n" in token:
            column, line = 0, line + 1
    bottom = TOP + 16 + (line + (column > 0)) * leading
    _legend(drawing, EDGE, bottom, figure.value_label, scale)
    return drawing.document(WIDTH, bottom + 32)


# Table


def _table(figure: Table) -> str:
    drawing = _start(figure)
    size, leading = 13.0, 27.0
    written = [[shorten(cell(content), 60) for content in row] for row in figure.rows]
    heads = [shorten(visible(column), 60) for column in figure.columns]
    numeric = [_is_numeric(figure, j) for j in range(len(heads))]
    # Heads are bold, and a little wider for it.
    widths = [
        max([sans_width(head, 12) * 1.06, *(sans_width(row[j], size) for row in written)])
        for j, head in enumerate(heads)
    ]
    gap = 30.0
    title = sans_width(shorten(visible(figure.title), 76), 16)
    total = max(sum(widths) + gap * max(len(widths) - 1, 0), title, 240.0)
    starts = [EDGE + sum(widths[:j]) + gap * j for j in range(len(heads))]
    y = TOP + 8

    def put(j: int, content: str, **style: Any) -> None:
        x = starts[j] + (widths[j] if numeric[j] else 0)
        drawing.text(x, y, content, anchor="end" if numeric[j] else "start", **style)

    for j, head in enumerate(heads):
        put(j, head, size=12, fill=MUTED, weight=600)
    drawing.put("path", d=f"M{EDGE:.1f} {y + 10:.1f}h{total:.1f}", stroke=MUTED)
    for i, row in enumerate(written):
        if i:
            drawing.put("path", d=f"M{EDGE:.1f} {y + 9:.1f}h{total:.1f}", stroke=HAIRLINE)
        y += leading + (2 if i == 0 else 0)
        for j, content in enumerate(row):
            put(j, content, size=size)
    return drawing.document(total + 2 * EDGE, y + 28)


def _is_numeric(figure: Table, column: int) -> bool:
    held = [row[column] for row in figure.rows if row[column] is not None]
    return bool(held) and not any(isinstance(content, str) for content in held)


_DRAW: dict[str, Callable[[Any], str]] = {
    Curves.KIND: _curves,
    HeatMap.KIND: _heat_map,
    ColouredText.KIND: _coloured_text,
    Table.KIND: _table,
}
