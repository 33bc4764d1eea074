"""Figures with axes, as SVG: curves and points."""

from __future__ import annotations

import math
from collections.abc import Sequence

from unrolled.figures import Curves, Points, Series
from unrolled.workshop.renderings.drawing import EDGE, TOP, WIDTH, sans_width, titled
from unrolled.workshop.renderings.palette import HAIRLINE, INK, LINES, MUTED, PAPER
from unrolled.workshop.renderings.scales import Axis, all_x, all_y, axis, square_axes
from unrolled.workshop.renderings.words import number, shorten, visible

#: Points of a line that still get a dot each.
DOTTED = 16
#: Points in a plane that still get a large dot each, and the side of the plane.
LARGE = 300
SIDE = 400.0


def draw_curves(figure: Curves) -> str:
    """Lines over one pair of axes; where there are several, or bands about them, each has its name at its end."""
    drawing = titled(figure.title)
    names = [shorten(visible(one.name), 30) for one in (*figure.series, *figure.bands)]
    margin = max((sans_width(name, 12) for name in names), default=0) if len(names) > 1 else 0.0
    left, right = EDGE + 46, WIDTH - EDGE - (margin + 12 if margin else 6)
    top, bottom = TOP + 26, 372.0
    across = axis(all_x(figure), log=figure.x_log, ticks=7, tight=True)
    up = axis(all_y(figure), log=figure.y_log, ticks=5)
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
    styles = _styles(figure.series)
    colours = {series.name: colour for series, (colour, _) in zip(figure.series, styles, strict=True)}
    for number_, band in enumerate(figure.bands, len(figure.series)):
        colour = colours.get(band.about, MUTED)
        edges = [
            _points(Series(band.name, band.x, edge), across, up, left, right, top, bottom)
            for edge in (band.high, band.low)
        ]
        # A place where something is not known has no width, and is left out.
        kept = [(h, l) for h, l in zip(*edges, strict=True) if not any(map(math.isnan, (*h, *l)))]
        if kept:
            outline = [h for h, _ in kept] + [l for _, l in reversed(kept)]
            path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in outline) + "Z"
            drawing.put("path", tip=band.name, d=path, fill=colour, fill_opacity=0.16)
            ends.append((kept[-1][0][1], names[number_], MUTED))
    for number_, series in enumerate(figure.series):
        colour, dashes = styles[number_]
        points = _points(series, across, up, left, right, top, bottom)
        drawing.line(
            points,
            stroke=colour,
            stroke_width=2.2,
            stroke_linejoin="round",
            stroke_linecap="round",
            stroke_dasharray=dashes,
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


def _styles(series: Sequence[Series]) -> list[tuple[str, str | None]]:
    """Colour and dashes of each. Beyond the colours there are, dashes tell lines apart."""
    own = [i for i, one in enumerate(series) if not one.beside]
    styles: dict[int, tuple[str, str | None]] = {
        i: (LINES[place % len(LINES)], "7 5" if place >= len(LINES) else None) for place, i in enumerate(own)
    }
    colours = {series[i].name: styles[i][0] for i in own}
    return [styles.get(i) or (colours.get(one.beside, MUTED), "2 5") for i, one in enumerate(series)]


def draw_points(figure: Points) -> str:
    """Dots in a square plane, the reference lines beneath them, and the names of the sets beside it."""
    drawing = titled(figure.title)
    left, top = EDGE + 52, TOP + 26
    right, bottom = left + SIDE, top + SIDE
    drawing.text(EDGE, TOP + 2, visible(figure.y_label), fill=MUTED)
    drawing.text(right, bottom + 42, visible(figure.x_label), fill=MUTED, anchor="end")
    axes = square_axes([*figure.series, *figure.lines], ticks=5)
    if axes is None:
        drawing.text((left + right) / 2, (top + bottom) / 2, "no data yet", fill=MUTED, anchor="middle")
        return drawing.document(WIDTH, bottom + 60)
    across, up = axes
    for value, written in up.ticks:
        y = bottom - up.place(value) * SIDE
        drawing.put("path", d=f"M{left:.1f} {y:.1f}H{right:.1f}", stroke=HAIRLINE)
        drawing.text(left - 10, y + 4, written, fill=MUTED, anchor="end")
    for value, written in across.ticks:
        x = left + across.place(value) * SIDE
        drawing.put("path", d=f"M{x:.1f} {top:.1f}V{bottom:.1f}", stroke=HAIRLINE)
        drawing.text(x, bottom + 20, written, fill=MUTED, anchor="middle")
    for series in figure.lines:
        points = _points(series, across, up, left, right, top, bottom)
        drawing.line(points, stroke=MUTED, stroke_width=1.2, stroke_linejoin="round")
    radius = 3.4 if sum(len(series.x) for series in figure.series) <= LARGE else 2.2
    for number_, series in enumerate(figure.series):
        colour = LINES[number_ % len(LINES)]
        points = _points(series, across, up, left, right, top, bottom)
        for (x, y), own_x, own_y in zip(points, series.x, series.y, strict=True):
            if not (math.isnan(x) or math.isnan(y)):
                tip = f"{series.name}: {number(own_x)}, {number(own_y)}"
                drawing.put("circle", tip=tip, cx=x, cy=y, r=radius, fill=colour, fill_opacity=0.72)
    for number_, series in enumerate([*figure.series, *figure.lines]):
        y = top + 14 + 20 * number_
        if number_ < len(figure.series):
            drawing.put("circle", cx=right + 28, cy=y - 4, r=4, fill=LINES[number_ % len(LINES)])
        else:
            drawing.line([(right + 20, y - 4), (right + 36, y - 4)], stroke=MUTED, stroke_width=1.2)
        drawing.text(right + 44, y, shorten(visible(series.name), 20), fill=INK)
    names = top + 20 * (len(figure.series) + len(figure.lines))
    return drawing.document(WIDTH, max(bottom + 60, names + EDGE))


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
