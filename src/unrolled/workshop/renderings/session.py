"""A terminal session as SVG, for a page that shows what a command prints."""

from __future__ import annotations

import io

from rich.cells import cell_len
from rich.color import blend_rgb
from rich.console import Console, RenderableType
from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import TerminalTheme

from unrolled.workshop.renderings.drawing import MONO_CELL, Drawing
from unrolled.workshop.renderings.words import shorten, visible

#: Evening: a soft dark ground that stands out on a white page and on a black one alike.
_GROUND, _FRAME, _RULE, _HEAD, _PROMPT = "#1b1e24", "#3d424d", "#2c3039", "#e2e0d8", "#70be91"
_THEME = TerminalTheme(
    (27, 30, 36),
    (226, 224, 216),
    [
        (62, 67, 77),
        (232, 113, 94),
        (112, 190, 145),
        (230, 176, 80),
        (98, 164, 222),
        (206, 147, 200),
        (96, 184, 190),
        (226, 224, 216),
    ],
    [
        (110, 116, 128),
        (245, 140, 120),
        (143, 214, 172),
        (245, 200, 120),
        (134, 190, 240),
        (224, 176, 220),
        (134, 212, 216),
        (250, 249, 245),
    ],
)
_SIZE, _LEADING, _EDGE, _TOP = 14.0, 19.0, 22.0, 74.0


def session_svg(content: RenderableType, command: str, columns: int = 96) -> str:
    """`content` as a terminal of so many columns shows it after `command`, as an SVG document.

    What a command has written, colours and all, is rendered by `Text.from_ansi(written)`.
    """
    console = Console(width=columns, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    lines = console.render_lines(content, pad=False)
    drawing = Drawing(f"$ {command}")
    em = _SIZE * MONO_CELL
    width = columns * em + 2 * _EDGE
    drawing.text(_EDGE, 32, "$", size=_SIZE, fill=_PROMPT, mono=True, weight=700)
    drawing.text(_EDGE + 2 * em, 32, shorten(visible(command), columns - 2), size=_SIZE, fill=_HEAD, mono=True)
    drawing.put("path", d=f"M1 48.5H{width - 1:.1f}", stroke=_RULE)
    for number, line in enumerate(lines):
        _line(drawing, line, _TOP + number * _LEADING, em)
    return drawing.document(width, _TOP + len(lines) * _LEADING, ground=_GROUND, frame=_FRAME)


def _line(drawing: Drawing, line: list[Segment], y: float, em: float) -> None:
    column = 0
    for words, given, _ in line:
        style = given or Style()
        cells = cell_len(words)
        ink, ground = _colours(style)
        if ground is not None:
            # A touch wider than its cells, so that no seam shows between neighbours.
            drawing.put(
                "rect", x=_EDGE + column * em, y=y - 14, width=cells * em + 0.3, height=_LEADING + 0.3, fill=ground
            )
        # Spaces at the ends need no glyphs.
        shown = words.strip(" ")
        if shown:
            drawing.text(
                _EDGE + (column + cells - cell_len(words.lstrip(" "))) * em,
                y,
                shown,
                size=_SIZE,
                fill=ink,
                mono=True,
                weight=700 if style.bold else None,
                width=cell_len(shown) * em,
                slant=bool(style.italic),
            )
        column += cells


def _colours(style: Style) -> tuple[str, str | None]:
    """Of the letters, and of what is behind them if that is not the terminal's own."""
    ink = _THEME.foreground_color if style.color is None else style.color.get_truecolor(_THEME)
    ground = _THEME.background_color if style.bgcolor is None else style.bgcolor.get_truecolor(_THEME, foreground=False)
    if style.reverse:
        ink, ground = ground, ink
    if style.dim:
        ink = blend_rgb(ink, ground, 0.4)
    return ink.hex, None if ground == _THEME.background_color else ground.hex
