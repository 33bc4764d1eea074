"""The colours, for all renderings.

Lines take hues near those of Okabe & Ito, set so that people with the common colour deficiencies tell them apart.
Scales run in lightness as well as in hue, so that they survive a grey print. Colours between two are mixed in OKLab
(Ottosson 2020), where equal steps look equal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

#: The card every SVG figure stands on, so that it reads the same on a white and on a dark page.
PAPER = "#fdfcf9"
FRAME = "#e4dfd3"
HAIRLINE = "#ebe7dd"
INK = "#22252b"
MUTED = "#686d76"
#: Where there is no value.
ABSENT = "#dcd9d2"

LINES = ("#0067a8", "#b84700", "#009e73", "#8e4585", "#c28e00", "#3f9fdb", "#22252b")
#: The same hues, lighter, for terminals, which are mostly dark; the last is whatever the terminal writes in.
TERMINAL_LINES = ("#56b4e9", "#e69f00", "#2fc79a", "#e28bbd", "#e8713a", "default")

#: From nothing to much: paper, sea, night.
SEQUENTIAL = ("#f7f3e8", "#a8cfc4", "#3d8fa0", "#15395f")
#: From below zero to above it.
DIVERGING = ("#0b4f8a", "#79b0d8", "#f7f3e8", "#eda068", "#a83c06")
#: Behind words: dark text stays readable on all of it.
HIGHLIGHT = ("#fdfcf9", "#fdecc0", "#fbc673", "#f28a4b")
#: The same in a terminal, dark or light, whose own ground stands for the low end.
TERMINAL_HIGHLIGHT = ("#e6d5a3", "#f2b95e", "#ec7434")
#: Behind words, from below zero to above it; in a terminal its own ground stands for zero.
TWO_HIGHLIGHTS = ("#74b3dd", "#c5dff0", "#fdfcf9", "#fbd38f", "#f28a4b")
TERMINAL_TWO_HIGHLIGHTS = ("#4f9fd6", "#a3c9e4", "#d9d6cb", "#f2b95e", "#ec7434")


def mix(colours: Sequence[str], share: float) -> str:
    """The colour at `share` (0 to 1, held there) of the way through `colours`; ABSENT for NaN."""
    if math.isnan(share):
        return ABSENT
    place = min(max(share, 0.0), 1.0) * (len(colours) - 1)
    left = min(int(place), len(colours) - 2)
    a, b = _oklab(colours[left]), _oklab(colours[left + 1])
    part = place - left
    return _hex(tuple(x + (y - x) * part for x, y in zip(a, b, strict=True)))


@lru_cache(maxsize=64)
def _oklab(colour: str) -> tuple[float, ...]:
    r, g, b = (_to_linear(int(colour[i : i + 2], 16) / 255) for i in (1, 3, 5))
    l = math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b)
    m = math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b)
    s = math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b)
    return (
        0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s,
        1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s,
        0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s,
    )


def _hex(lab: tuple[float, ...]) -> str:
    L, a, b = lab
    l = (L + 0.3963377774 * a + 0.2158037573 * b) ** 3
    m = (L - 0.1055613458 * a - 0.0638541728 * b) ** 3
    s = (L - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
        -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
        -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s,
    )
    return "#" + "".join(f"{round(255 * _from_linear(min(max(c, 0.0), 1.0))):02x}" for c in linear)


def _to_linear(c: float) -> float:
    return c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4


def _from_linear(c: float) -> float:
    return 12.92 * c if c <= 0.0031308 else 1.055 * c ** (1 / 2.4) - 0.055
