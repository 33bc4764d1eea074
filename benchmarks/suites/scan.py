"""A diagonal linear recurrence over whole sequences, forward and backward: this package's scan beside plain torch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from unrolled.kernels.scan import scan
from unrolled.workshop.results import Figure

SUMMARY = "h_t = a_t ∘ h_{t-1} + b_t, forward and backward, milliseconds: the scan, and what plain torch can do"
LENGTHS = (256, 1024, 4096)
BATCHES = (1, 8)
WIDTH = 256
#: Runs that count, the ways one after the other in each, after one run that does not.
RUNS = 9


def measure() -> Iterator[Figure]:
    for T in LENGTHS:
        for B in BATCHES:
            # Positive coefficients and inputs, and gates that keep most, for the sake of the logarithms.
            a, b = (0.9 + 0.1 * torch.rand(T, B, WIDTH)).requires_grad_(), torch.rand(T, B, WIDTH).requires_grad_()
            seconds: dict[str, list[float]] = {name: [] for name in WAYS}
            for run in range(RUNS + 1):
                for name, way in WAYS.items():
                    spent = timed(way, a, b)
                    if run:
                        seconds[name].append(spent)
            for name, values in seconds.items():
                yield Figure(f"{name}, T {T}, B {B}, D {WIDTH}", "ms", tuple(round(1e3 * v, 2) for v in values))


def timed(way: Callable[[Tensor, Tensor], Tensor], a: Tensor, b: Tensor) -> float:
    """Seconds for all states and the gradients of both coefficients."""
    began = time.perf_counter()
    torch.autograd.grad(way(a, b).sum(), (a, b))
    return time.perf_counter() - began


def by_scan(a: Tensor, b: Tensor) -> Tensor:
    """The package's own."""
    return scan(a, b, torch.zeros_like(b[0]))[1:]


def by_loop(a: Tensor, b: Tensor) -> Tensor:
    """One step after the other, each with its own place in autograd's graph: what the reference does."""
    h = torch.zeros_like(b[0])
    every = []
    for a_t, b_t in zip(a.unbind(0), b.unbind(0), strict=True):
        h = a_t * h + b_t
        every.append(h)
    return torch.stack(every)


def by_doubling(a: Tensor, b: Tensor) -> Tensor:
    """log₂ T rounds over the whole sequence (Hillis & Steele 1986), each joining spans twice as long."""
    reach = 1
    while reach < len(b):
        b = torch.cat([b[:reach], a[reach:] * b[:-reach] + b[reach:]])
        a = torch.cat([a[:reach], a[reach:] * a[:-reach]])
        reach *= 2
    return b


def by_logarithms(a: Tensor, b: Tensor) -> Tensor:
    """Two cumulative sums in logarithms (Heinsen 2023, arXiv:2311.06281): for positive a and b alone."""
    kept = a.log().cumsum(0)
    return torch.exp(kept + torch.logcumsumexp(b.log() - kept, 0))


WAYS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "scan": by_scan,
    "loop": by_loop,
    "doubling": by_doubling,
    "logarithms": by_logarithms,
}
