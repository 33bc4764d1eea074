"""One file per family: `ORACLES`, by the cells' names. Whatever stands in this folder is found by itself."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from .oracle import Oracle


@cache
def all_oracles() -> dict[str, Oracle]:
    """The oracle of every cell, by its name."""
    found: dict[str, Oracle] = {}
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{info.name}")
        for name, oracle in getattr(module, "ORACLES", {}).items():
            assert name not in found, f"two oracles for {name}"
            found[name] = oracle
    return dict(sorted(found.items()))
