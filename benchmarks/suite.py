"""What a suite is, and which there are.

A suite is one file in benchmarks/suites. It has `SUMMARY`, what is measured, in one line, and either a way of its own,

    def measure() -> Iterator[Figure]: …            each figure as soon as it is known
    def measure(effort: Effort) -> …                 the same, where what the command says of seconds and points matters

or points at which two sides are compared, which `protocol.py` measures (contest.py says what they are):

    GOALS: tuple[Goal, …]
    def points() -> Iterator[Point]: …
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks import suites
from unrolled import figures
from unrolled.errors import OptionError, did_you_mean
from unrolled.workshop.results import Figure


@dataclass(frozen=True)
class Suite:
    """measure gives quantities, which are kept, and figures to look at, for the page beside them.

    options: what the command said beyond the suite's name.
    """

    name: str
    summary: str
    measure: Callable[[], Iterator[Figure | figures.Figure]]
    options: tuple[str, ...] = ()


def names() -> list[str]:
    """Of all suites."""
    return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(suites.__path__))


def find(name: str, seconds: float | None = None, points: int | None = None) -> Suite:
    """The suite of that name; OptionError with the nearest.

    seconds, points: those of `Effort`, for the suites that compare; OptionError where a suite takes none.
    """
    if name not in names():
        raise OptionError(f"no suite is called {name!r}.{did_you_mean(name, names())} There are: {', '.join(names())}")
    module = importlib.import_module(f"{suites.__name__}.{name.replace('-', '_')}")
    given = {"seconds": seconds, "points": points}
    given = {name: value for name, value in given.items() if value is not None}
    own = getattr(module, "measure", None)
    if own is not None and not inspect.signature(own).parameters:
        if given:
            raise OptionError(f"the suite {name} measures in a way of its own: it takes no --{', --'.join(given)}")
        return Suite(name, module.SUMMARY, own)
    from benchmarks import protocol

    effort = protocol.Effort(**{"seconds": getattr(module, "SECONDS", protocol.Effort.seconds), **given})
    options = tuple(word for key, value in given.items() for word in (f"--{key}", f"{value:g}"))
    if own is not None:
        return Suite(name, module.SUMMARY, lambda: own(effort), options)
    return Suite(name, module.SUMMARY, lambda: protocol.measure(module.points(), module.GOALS, effort), options)
