"""What a suite is, and which there are.

A suite is one file in benchmarks/suites with two names in it:

    SUMMARY = "what is measured, in one line"
    def measure() -> Iterator[Figure]: …    each figure as soon as it is known
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks import suites
from unrolled.errors import OptionError, did_you_mean
from unrolled.workshop.results import Figure


@dataclass(frozen=True)
class Suite:
    name: str
    summary: str
    measure: Callable[[], Iterator[Figure]]


def names() -> list[str]:
    """Of all suites."""
    return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(suites.__path__))


def find(name: str) -> Suite:
    """The suite of that name; OptionError with the nearest."""
    if name not in names():
        raise OptionError(f"no suite is called {name!r}.{did_you_mean(name, names())} There are: {', '.join(names())}")
    module = importlib.import_module(f"{suites.__name__}.{name.replace('-', '_')}")
    return Suite(name, module.SUMMARY, module.measure)
