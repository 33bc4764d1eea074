"""A sheet of SVG: marks are put on it one by one, and it comes out as one well-formed, self-contained document.

No scripts, no links, no fonts to fetch: it may stand in a README, in a page with a strict content policy, or alone.
Lengths are in SVG's units (96 to the inch); y grows downwards.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal
from xml.sax.saxutils import escape, quoteattr

from rich.cells import cell_len

from unrolled.workshop.renderings.palette import FRAME, INK, PAPER
from unrolled.workshop.renderings.words import shorten, visible

WIDTH = 720.0
#: Between the card's edge and what is on it.
EDGE = 24.0
#: Base line of the title, and the first line that anything else may take.
TITLE_LINE = 35.0
TOP = 58.0

SANS = "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue','Noto Sans','DejaVu Sans',Arial,sans-serif"
MONO = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace"
#: Width of a character cell in these fonts, in ems: exact for the second, on the safe side for the first.
SANS_CELL = 0.62
MONO_CELL = 0.602

Value = str | float


class Drawing:
    """Marks on a card. title: what a screen reader says, and a browser shows on the tab."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._marks: list[str] = []

    def put(self, tag: str, content: str | None = None, tip: str | None = None, **attributes: Value | None) -> None:
        """One element. An attribute's `_` stands for `-`, one that is None is left out; `tip` shows under a pointer."""
        written = "".join(
            f" {name.rstrip('_').replace('_', '-')}={quoteattr(_value(value))}"
            for name, value in attributes.items()
            if value is not None
        )
        inner = (f"<title>{_text(tip)}</title>" if tip is not None else "") + (_text(content) if content else "")
        self._marks.append(f"<{tag}{written}>{inner}</{tag}>" if inner else f"<{tag}{written}/>")

    def text(
        self,
        x: float,
        y: float,
        content: str,
        *,
        size: float = 12,
        fill: str = INK,
        anchor: Literal["start", "middle", "end"] = "start",
        weight: int | None = None,
        mono: bool = False,
        turn: float | None = None,
        width: float | None = None,
        slant: bool = False,
    ) -> None:
        """A line of text on the base line y. turn: degrees about (x, y). width: stretched or squeezed to it."""
        if not content:
            return
        self.put(
            "text",
            content,
            x=x,
            y=y,
            font_size=size,
            fill=fill,
            text_anchor=None if anchor == "start" else anchor,
            font_weight=weight,
            font_style="italic" if slant else None,
            class_="m" if mono else None,
            transform=None if turn is None else f"rotate({_value(turn)} {_value(x)} {_value(y)})",
            textLength=width,
            lengthAdjust=None if width is None else "spacingAndGlyphs",
        )

    def line(self, points: Sequence[tuple[float, float]], **attributes: Any) -> None:
        """A polyline; a point with NaN in it breaks it."""
        path, lifted = [], True
        for x, y in points:
            if math.isnan(x) or math.isnan(y):
                lifted = True
                continue
            path.append(f"{'M' if lifted else 'L'}{_value(x)} {_value(y)}")
            lifted = False
        if path:
            self.put("path", d="".join(path), fill="none", **attributes)

    def document(self, width: float, height: float, ground: str = PAPER, frame: str = FRAME) -> str:
        """All of it, on a card of this size."""
        w, h = _value(width), _value(height)
        card = (
            f'<rect x="0.5" y="0.5" width="{_value(width - 1)}" height="{_value(height - 1)}" rx="9" '
            f'fill="{ground}" stroke="{frame}"/>'
        )
        style = f"text{{font-family:{SANS};font-variant-numeric:tabular-nums}}.m{{font-family:{MONO};white-space:pre}}"
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" viewBox="0 0 {w} {h}" role="img" '
            f"aria-label={quoteattr(visible(self._title))}>"
        )
        title = f"<title>{_text(self._title)}</title>"
        return "\n".join([head, title, f"<style>{style}</style>", card, *self._marks, "</svg>", ""])


def titled(title: str) -> Drawing:
    """A card with its title on it."""
    drawing = Drawing(title)
    drawing.text(EDGE, TITLE_LINE, shorten(visible(title), 76), size=16, weight=600)
    return drawing


def sans_width(text: str, size: float) -> float:
    """About how wide `text` is, rather more than less."""
    return cell_len(text) * size * SANS_CELL


def _value(value: Value) -> str:
    if isinstance(value, str):
        return value
    return f"{value:.2f}".rstrip("0").rstrip(".") or "0"


def _text(content: str) -> str:
    return escape(visible(content))
