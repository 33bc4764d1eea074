"""Every view, with an address at which it shows something. A view that is not named here is visited at its own name."""

from __future__ import annotations

import re
from pathlib import Path

import unrolled.web

INDEX = Path(unrolled.web.__file__).parent / "static" / "views" / "index.js"
#: What a view has when it stands: a figure, a form, or a list.
SETTLED = ".picture > *:visible, form:visible, .run-row, .welcome"
FULL = {
    "runs": "/",
    "run": "/run/first",
    "compare": "/compare?runs=first,second",
    "read": "/read?run=tiny&text=def+read(self)%3A%0A++++return+1&unit=139&signal=cell&place=9",
    "write": "/write?run=tiny&prompt=def+read&length=40",
    "gates": "/gates?run=tiny&unit=139",
    "gradients": "/gradients?T=20&hidden=8&singular=0.90",
    "inspect": "/inspect/units?run=tiny&length=60&shown=yes",
}


def every_view() -> dict[str, str]:
    """Name → address, of all that the page lists."""
    names = re.findall(r'\{ name: "([a-z-]+)"', INDEX.read_text(encoding="utf-8"))
    return {name: FULL.get(name, f"/{name}") for name in names}
