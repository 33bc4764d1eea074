"""Train, open up and run recurrent networks.

The parts stand on floors (see docs/architecture.md): `unrolled.cells`, `unrolled.kernels`, `unrolled.layers`,
`unrolled.models`, `unrolled.training`, `unrolled.generation`, `unrolled.recipes`, `unrolled.workshop`.
The names below load on first use, so that `import unrolled` is quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unrolled.workshop.run import Run, load
    from unrolled.workshop.train import train

__version__ = "0.1.0"
__all__ = ["Run", "load", "train"]

_HOME = {"Run": "unrolled.workshop.run", "load": "unrolled.workshop.run", "train": "unrolled.workshop.train"}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'unrolled' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
