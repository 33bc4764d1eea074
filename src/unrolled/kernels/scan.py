"""Diagonal linear recurrences over whole sequences: h_t = a_t ∘ h_{t-1} + b_t, from the coefficients of all times.

`scan` runs the recurrence on its coefficients alone, in one of three ways that give the same numbers to rounding:

    native       one pass over memory in the native core (native_scan.py), on the CPU, where that was built
    sequential   one fused multiply-add for each of T times
    chunked      T cut into K chunks of L. Every chunk is run from zero, all K side by side, for what it adds to the
                 state (and the product of its a, for what it keeps of it); a loop over the K ends gives each chunk its
                 true start; a second run, side by side again, gives every state. 3·L + K calls in the place of T.

Nothing is divided and no logarithm taken: a may be 0, or 1, or of any sign and phase. Products of a are taken within a
chunk only; where they underflow, nothing of the past was left.

The gradient is a scan too, of the same coefficients (conjugated) in the opposite direction: with H all states and G
what came back for them, g_t = G_t + ā_{t+1} ∘ g_{t+1}, and then ∂b_t = g_t, ∂a_t = g_t ∘ h̄_{t-1}. So the states are all
that is kept for it, beside a.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from unrolled.cells.cell import DiagonalCell
from unrolled.kernels import native_products, native_scan
from unrolled.kernels.kernel import Kernel, Pass, Record, Trace, past_length


class Scan(Kernel):
    """The scan of a cell's coefficients, for every `DiagonalCell`.

    chunk: steps in one chunk; 1 is the sequential way; None is the native core, or `chunk_length` where that is not.
    """

    NAME = "scan"
    TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12, torch.bfloat16: 1e-1}  # noqa: RUF012

    def __init__(self, chunk: int | None = None) -> None:
        self.chunk = chunk

    def refuses(self, passes: Sequence[Pass], record: Collection[Record] = ()) -> list[str]:
        reasons = []
        for one in passes:
            name = type(one.cell).__name__
            if not isinstance(one.cell, DiagonalCell):
                reasons.append(f"{name} is no diagonal linear recurrence: its next state needs a step, not a product")
            elif type(one.cell).step is not DiagonalCell.step:
                reasons.append(f"{name} has a step of its own beside its coefficients")
            if one.mask is not None:
                reasons.append(f"a scan has no recurrent product to mask, and {name} came with a mask")
        return list(dict.fromkeys(reasons))

    def _run(self, passes: Sequence[Pass], record: Collection[Record]) -> list[Trace]:
        with native_products.projections():  # into the cell, and where it reads its state
            return [self._scan(one, record) for one in passes]

    def _scan(self, one: Pass, record: Collection[Record]) -> Trace:
        cell, lengths = one.cell, one.lengths
        assert isinstance(cell, DiagonalCell)  # `refuses` saw to it
        u = cell.project(past_length(one.x, lengths), cell.prepare(), one.condition)
        # Autocast may have narrowed them; the state keeps its type.
        a, b = (part.to(one.state.dtype) for part in cell.coefficients(u))
        a, b = _standing_still(*_zoned_out(a, b, one.zoneout), lengths)
        backward = one.direction == "backward"
        h, last = scan(a, b, one.state, backward, self.chunk)
        return Trace(
            past_length(cell.readout(h, u), lengths),
            last,
            h if "states" in record else None,
            {name: past_length(g, lengths) for name, g in cell.gates(u).items()} if "gates" in record else None,
        )


def _standing_still(a: Tensor, b: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
    """Past a length, the coefficients of a step that changes nothing: 1 and 0, in either direction."""
    if lengths is None:
        return a, b
    past = torch.arange(len(a), device=a.device)[:, None] >= lengths
    past = past.reshape(*past.shape, *([1] * (a.dim() - 2)))
    return a.masked_fill(past, 1), b.masked_fill(past, 0)


def _zoned_out(a: Tensor, b: Tensor, kept: Any) -> tuple[Tensor, Tensor]:
    """The coefficients of k ∘ h_{t-1} + (1 − k) ∘ (a_t ∘ h_{t-1} + b_t), which is a diagonal recurrence too."""
    if kept is None:
        return a, b
    if kept.dtype == torch.bool:
        return a.masked_fill(kept, 1), b.masked_fill(kept, 0)
    return kept + (1 - kept) * a, (1 - kept) * b


def scan(
    a: Tensor, b: Tensor, start: Tensor, backward: bool = False, chunk: int | None = None
) -> tuple[Tensor, Tensor]:
    """h_t = a_t ∘ h_{t-1} + b_t → the state after each step (T, ...), and after the last (...).

    a, b: (T, ...), T at least 1, start: (...), of one type, real or complex; an a that is constant may be expanded.
    backward: h_t = a_t ∘ h_{t+1} + b_t, from the last time to the first.
    chunk: steps in one chunk, 1 for the sequential way; None is the native core, or `chunk_length` where that is not.
    """
    if chunk is None and native_scan.serves(b):
        return native_scan.scan(a, b, start, backward)
    every = _Scan.apply(a, b, start, backward, chunk or chunk_length(len(b), width(start)))
    # A view of the last one would keep all the others in memory for as long as the state is carried.
    return (every[:-1], every[0].clone()) if backward else (every[1:], every[-1].clone())


def width(start: Tensor) -> int:
    """Real numbers a step."""
    return start.numel() * (2 if start.is_complex() else 1)


#: From so many real numbers a step on, one step alone is work enough for a call.
WIDE = 8192
#: Below so many steps, chunks would be too short to save any calls.
SHORT = 48


def chunk_length(T: int, width: int) -> int:
    """Steps in one chunk for T steps of `width` real numbers each; 1 where the sequential way is as quick.

    √(T/3) makes 3·L + K least. Measured on a CPU, one thread, float32, forward and backward, T from 256 to 16384, by
    trying chunks of 4 to 128: the best was within a factor of two of that length and hardly better than it. Against the
    sequential way such chunks took a third to a tenth of the time at 64 and 256 numbers a step, two thirds at 2048, and
    the same or more at 16384, where memory is what both wait for and chunks read a and b twice.
    """
    return 1 if T < SHORT or width >= WIDE else math.isqrt(T // 3)


class _Scan(torch.autograd.Function):
    """Every state, the start among them, (T + 1, ...): the start stands first, or backward last.

    Its gradient is itself a scan, and so can be differentiated again.
    """

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, start: Tensor, backward: bool, chunk: int) -> Tensor:
        every = b.new_empty(len(b) + 1, *b.shape[1:])
        every[-1 if backward else 0] = start
        _fill(a, b, every, backward, chunk)
        ctx.save_for_backward(a, every)
        ctx.backwards, ctx.chunk = backward, chunk
        return every

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor, Tensor, None, None]:
        (grad,) = grads
        a, every = ctx.saved_tensors
        return *gradients(a, every, grad, ctx.backwards, ctx.chunk, ctx.needs_input_grad[0]), None, None


def gradients(
    a: Tensor, every: Tensor, grad: Tensor, backward: bool, chunk: int, of_a: bool
) -> tuple[Tensor | None, Tensor, Tensor]:
    """The gradients of a (None unless `of_a`), of b and of the start, from that of every state: a scan of their own."""
    earlier, later = slice(None, -1), slice(1, None)
    if backward:
        g = _Scan.apply(_conjugate(a), grad[later], grad[0], False, chunk)
        of_b, of_start, before = g[earlier], g[-1], every[later]
    else:
        g = _Scan.apply(_conjugate(a), grad[earlier], grad[-1], True, chunk)
        of_b, of_start, before = g[later], g[0], every[earlier]
    return of_b * before.conj() if of_a else None, of_b, of_start


def _conjugate(a: Tensor) -> Tensor:
    """ā; along the axes on which a was expanded it is expanded too, and never written out."""
    if not a.is_complex():
        return a
    once = a[tuple(slice(0, 1) if stride == 0 else slice(None) for stride in a.stride())]
    return once.conj_physical().expand_as(a)


def _fill(a: Tensor, b: Tensor, every: Tensor, backward: bool, chunk: int) -> None:
    """Write every state after the start, which stands in its place."""
    cut = len(a) // chunk * chunk if chunk > 1 else 0
    parts: Iterable[tuple[Callable[..., None], Tensor, Tensor, Tensor]] = [
        (_fill_chunks, a[:cut], b[:cut], every[: cut + 1]),
        (_fill_one_by_one, a[cut:], b[cut:], every[cut:]),
    ]
    for fill, *tensors in reversed(list(parts)) if backward else parts:
        if len(tensors[0]):
            fill(*tensors, backward, chunk)


def _fill_one_by_one(a: Tensor, b: Tensor, every: Tensor, backward: bool, _: int) -> None:
    views = every.unbind(0)
    before, after = (views[1:], views[:-1]) if backward else (views[:-1], views[1:])
    steps = list(zip(a.unbind(0), b.unbind(0), before, after, strict=True))
    for a_t, b_t, old, new in reversed(steps) if backward else steps:
        torch.addcmul(b_t, a_t, old, out=new)


def _fill_chunks(a: Tensor, b: Tensor, every: Tensor, backward: bool, chunk: int) -> None:
    place = every[:-1] if backward else every[1:]
    steps = list(zip(*(x.unflatten(0, (-1, chunk)).unbind(1) for x in (a, b, place)), strict=True))
    if backward:
        steps.reverse()
    (a_t, b_t, _), *rest = steps
    keeps, adds = a_t.clone(), b_t.clone()
    for a_t, b_t, _ in rest:
        torch.addcmul(b_t, a_t, adds, out=adds)
        keeps.mul_(a_t)
    starts = torch.empty(len(keeps) + 1, *b.shape[1:], dtype=b.dtype, device=b.device)
    starts[-1 if backward else 0] = every[-1 if backward else 0]
    _fill_one_by_one(keeps, adds, starts, backward, chunk)
    state = starts[1:] if backward else starts[:-1]
    for a_t, b_t, new in steps:
        state = torch.addcmul(b_t, a_t, state, out=new)
