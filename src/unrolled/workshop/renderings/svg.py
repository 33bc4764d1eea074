"""Figures as SVG: `to_svg(figure)` gives a document as text, to be written to a file or sent as it is."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

from rich.cells import cell_len

from unrolled.figures import ColouredText, Curves, Figure, HeatMap, Points, Table, Tree
from unrolled.workshop.renderings.drawing import EDGE, MONO_CELL, TOP, WIDTH, Drawing, sans_width, titled
from unrolled.workshop.renderings.palette import (
    ABSENT,
    FRAME,
    HAIRLINE,
    HIGHLIGHT,
    INK,
    LINES,
    MUTED,
    PAPER,
    TWO_HIGHLIGHTS,
    mix,
)
from unrolled.workshop.renderings.plots import draw_curves, draw_points
from unrolled.workshop.renderings.scales import ColourScale, cut, heat_scale, text_scale
from unrolled.workshop.renderings.trees import draw_tree
from unrolled.workshop.renderings.words import cell, number, short_number, shorten, visible

#: Cells of a heat map that are at least so wide stand apart by a gap, and tell their number under a pointer.
LARGE, GAP = 10.0, 1.5
#: Steps between the ends of the colours, in which smaller ones are drawn.
SHADES = 80


def to_svg(figure: Figure) -> str:
    """The figure as an SVG document. The same figure gives the same text, character for character."""
    return _DRAW[figure.KIND](figure)


# Heat map


def _heat_map(figure: HeatMap) -> str:
    drawing = titled(figure.title)
    scale = heat_scale(figure)
    rows = [shorten(visible(row), 18) for row in figure.rows]
    columns = [shorten(visible(column), 18) for column in figure.columns]
    left = EDGE + max((sans_width(row, 12) for row in rows), default=0) + 10
    side = min(28.0, max(2.0, (WIDTH - EDGE - left) / max(len(columns), 1)))
    # Names that would touch are turned; names that would still touch are left out, evenly.
    turned = max((sans_width(column, 12) for column in columns), default=0) > side - 2
    room = max((sans_width(column, 12) for column in columns), default=0) if turned else 12.0
    top = TOP + 6 + room
    height = min(side, 28.0) if side >= LARGE else 10.0
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
    for i, values in enumerate(figure.values):
        y = top + i * height
        if i % math.ceil(14 / height) == 0:
            drawing.text(left - 9, y + height / 2 + 4, rows[i], fill=MUTED, anchor="end")
        if side < LARGE:
            _fine_row(drawing, values, scale, left, y, side, height)
            continue
        for j, value in enumerate(values):
            drawing.put(
                "rect",
                tip=f"{figure.rows[i]}, {figure.columns[j]}: {number(value)}",
                x=left + j * side,
                y=y,
                width=side - GAP,
                height=height - GAP,
                rx=2,
                fill=mix(scale.colours, scale.share(value)),
            )
    bottom = top + len(rows) * height
    _paths(drawing, figure, left, top, len(columns) * side, len(rows) * height)
    legend = _legend(drawing, EDGE, bottom + 22, figure.value_label, scale)
    for number_, path in enumerate(figure.paths):
        bottom += 22
        drawing.line([(EDGE, bottom + 28), (EDGE + 22, bottom + 28)], stroke=_path_colour(number_), stroke_width=2.2)
        drawing.text(EDGE + 30, bottom + 32, shorten(visible(path.name), 90))
    width = max(left + len(columns) * side, 420.0 - EDGE, EDGE + sans_width(visible(figure.title), 16), legend) + EDGE
    return drawing.document(min(width, max(WIDTH, left + len(columns) * side + EDGE)), bottom + 52)


def _fine_row(
    drawing: Drawing, values: Sequence[float], scale: ColourScale, left: float, y: float, side: float, height: float
) -> None:
    """Cells too small to point at: one mark for neighbours of one shade, a little larger than their place: no seams."""
    j = 0
    for colour, same in itertools.groupby(values, key=lambda value: _shade(scale, value)):
        count = len(list(same))
        drawing.put("rect", x=left + j * side, y=y, width=count * side + 0.4, height=height + 0.4, fill=colour)
        j += count


def _shade(scale: ColourScale, value: float) -> str:
    share = scale.share(value)
    return mix(scale.colours, share if math.isnan(share) else round(share * SHADES) / SHADES)


def _paths(drawing: Drawing, figure: HeatMap, left: float, top: float, width: float, height: float) -> None:
    """The paths over the map's cells, cut at its edges; a dot where each begins."""
    across, down = max(len(figure.columns), 1), max(len(figure.rows), 1)
    for number_, path in enumerate(figure.paths):
        shares = [((x + 0.5) / across, (y + 0.5) / down) for x, y in zip(path.x, path.y, strict=True)]
        points = [(left + x * width, top + y * height) for x, y in cut(shares)]
        # A pale line beneath keeps it apart from a map of its own colour.
        for colour, thick in ((PAPER, 4.2), (_path_colour(number_), 2.2)):
            drawing.line(points, stroke=colour, stroke_width=thick, stroke_linejoin="round", stroke_linecap="round")
        for x, y in points[:1]:
            drawing.put("circle", cx=x, cy=y, r=4, fill=_path_colour(number_), stroke=PAPER, stroke_width=1.2)


def _path_colour(number_: int) -> str:
    # Beginning with the hue that is farthest from those of the scales.
    return LINES[(number_ + 1) % len(LINES)]


def _legend(drawing: Drawing, x: float, y: float, label: str, scale: ColourScale) -> float:
    """The scale's colours between its ends, then what they mean; gives the x where that ends."""
    low, high = short_number(scale.low), short_number(scale.high)
    drawing.text(x, y + 10, low, fill=MUTED)
    x += sans_width(low, 12) + 8
    for i in range(30):
        # Each a little wider than its place, so that no seam shows between them.
        drawing.put("rect", x=x + 4 * i, y=y, width=4.5 if i < 29 else 4, height=12, fill=mix(scale.colours, i / 29))
    drawing.put("rect", x=x, y=y, width=120, height=12, fill="none", stroke=FRAME)
    drawing.text(x + 128, y + 10, high, fill=MUTED)
    start = x + 128 + sans_width(high, 12) + 14
    drawing.text(start, y + 10, visible(label), fill=INK)
    return start + sans_width(visible(label), 12)


# Coloured text


def _coloured_text(figure: ColouredText) -> str:
    drawing = titled(figure.title)
    scale = text_scale(figure, HIGHLIGHT, TWO_HIGHLIGHTS)
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
    drawing = titled(figure.title)
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
    Curves.KIND: draw_curves,
    Points.KIND: draw_points,
    HeatMap.KIND: _heat_map,
    ColouredText.KIND: _coloured_text,
    Table.KIND: _table,
    Tree.KIND: draw_tree,
}
