"""A point at which two sides do the same work: what a suite that compares speeds is made of.

    GOALS = (Goal("torch", ">= 5"), …)
    def points() -> Iterator[Point]: …

A suite that has these two names is measured by `protocol.py`. Both sides get the same weights, inputs, types, threads
and scope (input projection, packing, every gradient). Training calls must see other weights each time
(`Contest.before`), so that nothing packed can be kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

#: As a goal's rival: the least time, bytes over the bandwidth measured for that working set. The ratio is how often our
#: call takes that.
LIMIT = "the limit of memory"
#: One call of one side. What it gives is thrown away.
Side = Callable[[], object]


@dataclass(frozen=True)
class Agreement:
    """How far two sides are from the same thing in float64.

    what: the output, or whose gradient. ours, theirs: relative L2 error. most: what ours may be.
    """

    what: str
    ours: float
    theirs: float
    most: float


@dataclass(frozen=True)
class Contest:
    """Both sides at one point, ready to run.

    rivals: for each rival the ways in which a knowledgeable user would do it; the fastest of them is compared.
    agreements: computed before anything is timed; the point fails where one does not hold.
    flops, bytes: of one call, that must be done and that must be moved at least; 0 where that says nothing.
    number: what ours multiplies: float32 or bfloat16; empty for what is not held against such multiplications.
    working_set: bytes that are read again and again, where reading them is the limit; 0 where it is not.
    before: called before each call of either side, outside the time: it changes the weights, say.
    latency: whether single calls are timed too, for their 50th and 99th percentile.
    teams: the rivals that have threads of their own, where ours and torch's are the same ones.
    """

    ours: Side
    rivals: Mapping[str, Mapping[str, Side]]
    agreements: Callable[[], Iterable[Agreement]]
    flops: float = 0
    bytes: float = 0
    number: str = "float32"
    working_set: float = 0
    before: Callable[[], None] | None = None
    latency: bool = False
    teams: tuple[str, ...] = ()


@dataclass(frozen=True)
class Point:
    """Where two sides are compared.

    series: what does not vary on an axis: "lstm float32". places: by their letters, {"T": 1, "B": 1, "H": 256}.
    contest: makes both sides, when their turn comes.
    """

    series: str
    places: Mapping[str, int]
    contest: Callable[[], Contest]
    threads: int = 1

    @property
    def name(self) -> str:
        return ", ".join([self.series, *(f"{letter} {value}" for letter, value in self.places.items())]) + (
            f", {self.threads} threads" if self.threads > 1 else ""
        )


@dataclass(frozen=True)
class Goal:
    """A bar for the geometric mean, over the points that `at` takes, of the median ratios over one rival."""

    rival: str
    target: str
    where: str = ""
    at: Callable[[Point], bool] = field(default=lambda point: True)


def distance(found: Tensor, exact: Tensor) -> float:
    """Relative L2 error of `found`; exact is the same in float64, or in complex128."""
    norm = exact.norm().item()
    return (found.detach().to(exact.dtype) - exact).norm().item() / (norm or 1.0)


def agreement(what: str, ours: Tensor, theirs: Tensor, exact: Tensor, most: float | None = None) -> Agreement:
    """Of two tensors of one type with the exact one.

    most: the greatest error allowed; None is max(1e-6, 2 × theirs) in float32 and wider, 1.5 × theirs in bfloat16.
    """
    own, other = distance(ours, exact), distance(theirs, exact)
    if most is None:
        most = 1.5 * other if ours.dtype == torch.bfloat16 else max(1e-6, 2 * other)
    return Agreement(what, own, other, most)
