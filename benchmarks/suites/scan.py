"""A diagonal linear recurrence over whole sequences, forward and backward: this package's scan beside plain torch."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial

import torch
from torch import Tensor

from benchmarks.contest import Agreement, Contest, Goal, Point, agreement
from unrolled.kernels.scan import scan
from unrolled.training.hardware import keep_freed_memory

SUMMARY = "h_t = a_t ∘ h_{t-1} + b_t, all states and the gradients of a and b: the scan beside what plain torch can do"
GOALS = (Goal("torch", ">= 10"),)
LENGTHS = (256, 1024, 4096, 16384)
BATCHES = (1, 8)
WIDTHS = (256, 1536)
#: A Python loop over more steps is not waited for: it is never the fastest there.
LONGEST_LOOP = 4096
#: Numbers in an array. With more, the rounds that doubling keeps for its gradients, or the same in double precision to
#: compare with, want more memory than most machines have.
LARGEST = 2**25
#: Numbers that move at least, for each of T·B·D: forward a, b, h; backward the gradient, a, h, and both gradients.
MOVED = 8


def points() -> Iterator[Point]:
    sizes = [(T, B, D) for T, B, D in itertools.product(LENGTHS, BATCHES, WIDTHS) if T * B * D <= LARGEST]
    for T, B, D in sizes:
        for dtype in (torch.float32, torch.complex64):
            series = "real" if dtype == torch.float32 else "complex"
            yield Point(series, {"T": T, "B": B, "D": D}, partial(contest, T, B, D, dtype))


def contest(T: int, B: int, D: int, dtype: torch.dtype) -> Contest:
    # As in every training of this package, for both sides: else it is the system's giving of pages that is timed.
    keep_freed_memory()
    a, b = coefficients(T, B, D, dtype)
    cotangent = torch.randn(T, B, D, dtype=dtype)
    # Logarithms are for positive numbers alone.
    ways = {name: way for name, way in WAYS.items() if not (name == "logarithms" and dtype.is_complex)}
    if T > LONGEST_LOOP:
        del ways["loop"]
    if not dtype.is_complex:  # torch compiles no complex numbers
        ways["doubling, compiled"] = compiled_doubling()
    rivals = {name: partial(gradients, way, a, b, cotangent) for name, way in ways.items()}
    return Contest(
        partial(gradients, by_scan, a, b, cotangent),
        {"torch": rivals},
        partial(agreements, a, b, cotangent),
        bytes=MOVED * T * B * D * dtype.itemsize,
    )


def coefficients(T: int, B: int, D: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """a and b (T, B, D) as gates give them, that keep most: positive, or of that size and any phase."""
    a, b = 0.9 + 0.1 * torch.rand(T, B, D), torch.rand(T, B, D)
    if dtype.is_complex:
        a, b = torch.polar(a, torch.rand(T, B, D)), torch.polar(b, torch.rand(T, B, D))
    return a.requires_grad_(), b.requires_grad_()


def gradients(way: Callable[[Tensor, Tensor], Tensor], a: Tensor, b: Tensor, cotangent: Tensor) -> list[Tensor]:
    """All states and the gradients of both coefficients."""
    every = way(a, b)
    return [every, *torch.autograd.grad(every, (a, b), cotangent)]


def agreements(a: Tensor, b: Tensor, cotangent: Tensor) -> Iterable[Agreement]:
    wide = torch.complex128 if a.is_complex() else torch.float64
    exact = gradients(by_scan, *(t.detach().to(wide).requires_grad_() for t in (a, b)), cotangent.to(wide))
    ours, theirs = (gradients(way, a, b, cotangent) for way in (by_scan, by_doubling))
    for what, own, other, true in zip(("states", "gradient of a", "gradient of b"), ours, theirs, exact, strict=True):
        yield agreement(what, own, other, true)


def by_scan(a: Tensor, b: Tensor) -> Tensor:
    """The package's own."""
    return scan(a, b, torch.zeros_like(b[0]))[0]


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


@cache
def compiled_doubling() -> Callable[[Tensor, Tensor], Tensor]:
    """The same as torch.compile makes it; what that takes, the first call of each shape, is not timed."""
    torch._dynamo.config.cache_size_limit = 64
    return torch.compile(by_doubling, dynamic=False)


def by_logarithms(a: Tensor, b: Tensor) -> Tensor:
    """Two cumulative sums in logarithms (Heinsen 2023, arXiv:2311.06281): for positive a and b alone."""
    kept = a.log().cumsum(0)
    return torch.exp(kept + torch.logcumsumexp(b.log() - kept, 0))


#: What plain torch can do.
WAYS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "loop": by_loop,
    "doubling": by_doubling,
    "logarithms": by_logarithms,
}
