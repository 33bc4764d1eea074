"""Text and numbers as every rendering shows them."""

from __future__ import annotations

import math
import unicodedata

from rich.cells import cell_len, set_cell_size

from unrolled.figures import Cell

#: Characters that cannot be seen, by what shows them. Others of their kind become U+FFFD.
_PICTURES = {code: chr(0x2400 + code) for code in range(32)} | {0x0A: "⏎", 0x09: "⇥", 0x7F: "␡"}
#: Control characters, halves of surrogates, and marks that would reorder or hide what stands around them.
_UNSEEN = {"Cc", "Cs", "Cf", "Cn", "Zl", "Zp"}
#: The joiner that families of emoji and several scripts are written with is harmless.
_HARMLESS = {"\u200c", "\u200d"}


def visible(text: str) -> str:
    """`text` on one line, with nothing in it that acts instead of being seen: control characters become pictures.

    What a model draws and what a file holds may contain escape sequences, or characters that XML forbids.
    """
    if text.isprintable():
        return text
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    if character in _HARMLESS or unicodedata.category(character) not in _UNSEEN:
        return character
    return _PICTURES.get(ord(character), "\ufffd")


def shorten(text: str, width: int) -> str:
    """At most `width` cells of a terminal, with … where something is left out."""
    return text if cell_len(text) <= width else set_cell_size(text, max(width - 1, 0)).rstrip() + "…"


def number(value: float) -> str:
    """Four significant digits; whole numbers in full: 1.453, 0.02100, 12,500, 3.2e-07."""
    if isinstance(value, int):
        return f"{value:,}"
    if not math.isfinite(value):
        return "–" if math.isnan(value) else "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    digits = 3 - math.floor(math.log10(abs(value)))
    if not -3 <= digits <= 7:
        return f"{value:.3g}".replace("-", "−", 1) if value < 0 else f"{value:.3g}"
    return f"{value:,.{max(digits, 0)}f}".replace("-", "−", 1)


def short_number(value: float) -> str:
    """As `number`, without zeros that say nothing: for the ends of a scale."""
    written = number(value)
    return written.rstrip("0").rstrip(".") if "." in written and "e" not in written else written


def cell(content: Cell) -> str:
    """What stands in a table."""
    if content is None:
        return ""
    return visible(content) if isinstance(content, str) else number(content)
