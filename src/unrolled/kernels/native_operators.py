"""The native core as two torch operators, `unrolled::recurrence` and its backward: what torch must know of them to
differentiate, to compile and to check them.

Each takes a cell's leaves of state as one tensor (STATES, B, H), and the weights that it has beside the product as one,
(EXTRA, H): lists of tensors would cost more than a short sequence does.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from unrolled.errors import KernelError, ShapeError
from unrolled.kernels import native_core, native_products
from unrolled.kernels.native_core import NativeCell, address, check, contiguous
from unrolled.kernels.torch_operator import TorchOperator

Four = tuple[Tensor, Tensor, Tensor, Tensor]

# --- forward ---


def _empty_given(u: Tensor, W: Tensor, cell: NativeCell, keep: bool) -> Four:
    """Room for the output (T, B, H), the last state (STATES, B, H), and what is kept for the backward pass: saved
    (T, B, SAVED, H), and the state's leaves but the first after each step (STATES − 1, T, B, H); else both empty."""
    T, B, H = u.shape[0], u.shape[1], W.shape[1]
    return (
        u.new_empty(T, B, H),
        W.new_empty(cell.states, B, H),
        u.new_empty(T if keep else 0, B, cell.saved, H),
        W.new_empty(cell.states - 1, T if keep else 0, B, H),
    )


def _recurrence_fake(
    u: Tensor,
    W: Tensor,
    extra: Tensor | None,
    mask: Tensor | None,
    start: Tensor,
    lengths: Tensor | None,
    cell: int,
    reverse: bool,
    keep: bool,
) -> Four:
    return _empty_given(u, W, native_core.known(cell), keep)


def _recurrence(
    u: Tensor,
    W: Tensor,
    extra: Tensor | None,
    mask: Tensor | None,
    start: Tensor,
    lengths: Tensor | None,
    cell: int,
    reverse: bool,
    keep: bool,
) -> Four:
    """What is kept and given (`_empty_given`) of u (T, B, G·H), from W (G·H, H), extra (EXTRA, H), mask (B, H), start
    (STATES, B, H) and lengths (B,) in [0, T]."""
    known = native_core.known(cell)
    if u.dim() != 3 or len(u) == 0:
        raise ShapeError(f"the native core wants u as (T, B, G·H), T at least 1; {tuple(u.shape)} came")
    T, B, _ = u.shape
    H = native_core.check_weights(u.dtype, W, extra, mask, start, lengths, B, known)
    check("u", u, (T, B, known.gates * H), u.dtype)
    given = _empty_given(u, W, known, keep)
    output, last, saved, every = given
    read = list(map(contiguous, (lengths, u, W, extra, mask, start)))
    native_core.core().forward(
        *(known.number, native_core.ORDER[u.dtype], T, B, H, reverse, torch.get_num_threads()),
        *map(address, (*read, output, saved, every, last)),
    )
    return given


# --- backward ---


def _empty_gradients(W: Tensor, start: Tensor, output: Tensor, cell: NativeCell) -> Four:
    """Room for the gradients of u and of the product (T, B, G·H) each, the latter empty where they are one; of the
    cell's own weights (EXTRA, H); and of the starting state (STATES, B, H)."""
    T, B, H = output.shape
    return (
        output.new_empty(T, B, cell.gates * H),
        output.new_empty(0 if cell.same_gradient else T, B, cell.gates * H),
        W.new_empty(cell.extra, H),
        W.new_empty(start.shape),
    )


def _backward_fake(
    d_output: Tensor,
    d_last: Tensor,
    W: Tensor,
    extra: Tensor | None,
    mask: Tensor | None,
    start: Tensor,
    lengths: Tensor | None,
    output: Tensor,
    saved: Tensor,
    every: Tensor,
    cell: int,
    reverse: bool,
) -> Four:
    return _empty_gradients(W, start, output, native_core.known(cell))


def _recurrence_backward(
    d_output: Tensor,
    d_last: Tensor,
    W: Tensor,
    extra: Tensor | None,
    mask: Tensor | None,
    start: Tensor,
    lengths: Tensor | None,
    output: Tensor,
    saved: Tensor,
    every: Tensor,
    cell: int,
    reverse: bool,
) -> Four:
    """output, saved, every: what `recurrence` gave, with `keep`; d_output and d_last as output and last."""
    known = native_core.known(cell)
    if output.dim() != 3 or len(output) == 0:
        raise ShapeError(f"the native core wants output as (T, B, H), T at least 1; {tuple(output.shape)} came")
    T, B, _ = output.shape
    H = native_core.check_weights(output.dtype, W, extra, mask, start, lengths, B, known)
    check("output", output, (T, B, H), output.dtype)
    check("the output's gradient", d_output, (T, B, H), output.dtype)
    check("the last state's gradient", d_last, (known.states, B, H), W.dtype)
    check("saved (asked for by keep)", saved, (T, B, known.saved, H), output.dtype)
    check("every (asked for by keep)", every, (known.states - 1, T, B, H), W.dtype)
    read = list(map(contiguous, (lengths, None, W, extra, mask, start, output, saved, every, d_output, d_last)))
    gradients = _empty_gradients(W, start, output, known)
    native_core.core().backward(
        *(known.number, native_core.ORDER[output.dtype], T, B, H, reverse, torch.get_num_threads()),
        *map(address, (*read, *gradients)),
    )
    return gradients


# --- what torch must know to differentiate ---


def _setup(ctx: Any, inputs: tuple[Any, ...], output: Four) -> None:
    _, W, extra, mask, start, lengths, ctx.cell, ctx.reverse, _ = inputs
    h, _, saved, every = output
    ctx.save_for_backward(W, extra, mask, start, lengths, h, saved, every)
    ctx.set_materialize_grads(False)  # saved and every have no gradients, and are large


def _differentiate(ctx: Any, d_output: Tensor | None, d_last: Tensor | None, *_: None) -> tuple[Any, ...]:
    W, extra, mask, start, lengths, h, saved, every = ctx.saved_tensors
    known = native_core.known(ctx.cell)
    d_output = torch.zeros_like(h) if d_output is None else d_output.to(h.dtype)
    d_last = torch.zeros_like(start) if d_last is None else d_last
    d_u, d_r, d_extra, d_start = recurrence_backward(
        d_output, d_last, W, extra, mask, start, lengths, h, saved, every, ctx.cell, ctx.reverse
    )
    d_W = None
    if known.product:
        d_product = d_u if known.same_gradient else d_r
        d_W = _weight_gradient(d_product, h, start[0], mask, lengths, ctx.reverse).to(W.dtype)
    return d_u, d_W, None if extra is None else d_extra, None, d_start, None, None, None, None


def _weight_gradient(
    d_r: Tensor, h: Tensor, h_0: Tensor, mask: Tensor | None, lengths: Tensor | None, reverse: bool
) -> Tensor:
    """Σ_t d_r_tᵀ (mask ∘ h_{t−1}): one product over all steps but the first, and one over the first."""
    if mask is not None:
        h, h_0 = h * mask.to(h.dtype), h_0 * mask
    if not reverse:
        first, later, before = d_r[0], d_r[1:], h[:-1]
    elif lengths is None:
        first, later, before = d_r[-1], d_r[:-1], h[1:]
    else:
        # A row's first step is at its length; there the output of the step before is zero, so it may stay in `later`.
        first = d_r[(lengths - 1).clamp(min=0), torch.arange(len(lengths), device=d_r.device)]
        later, before = d_r[:-1], h[1:]
    later, before = later.flatten(0, 1), before.flatten(0, 1)
    if h.dtype in native_products.TYPES:
        return native_products.product(later, before, True, False, None).addmm_(first.mT, h_0)
    return torch.addmm(first.mT @ h_0.to(h.dtype), later.mT, before)


def _no_second_setup(ctx: Any, inputs: tuple[Any, ...], output: Four) -> None:
    pass


def _no_second(ctx: Any, *d_gradients: Tensor) -> tuple[Any, ...]:
    raise KernelError("the native kernel has no second derivative; kernel='reference' has")


recurrence_backward = TorchOperator(
    "recurrence_backward(Tensor d_output, Tensor d_last, Tensor W, Tensor? extra, Tensor? mask, Tensor start, "
    "Tensor? lengths, Tensor output, Tensor saved, Tensor every, int cell, bool reverse) "
    "-> (Tensor, Tensor, Tensor, Tensor)",
    _recurrence_backward,
    _backward_fake,
    _no_second,
    _no_second_setup,
)
recurrence = TorchOperator(
    "recurrence(Tensor u, Tensor W, Tensor? extra, Tensor? mask, Tensor start, Tensor? lengths, int cell, "
    "bool reverse, bool keep) -> (Tensor, Tensor, Tensor, Tensor)",
    _recurrence,
    _recurrence_fake,
    _differentiate,
    _setup,
)
