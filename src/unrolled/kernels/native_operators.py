"""The native core as two torch operators, `unrolled::recurrence` and its backward: what torch must know of them to
differentiate, to compile and to check them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from unrolled.errors import KernelError, ShapeError
from unrolled.kernels import native_core
from unrolled.kernels.native_core import NativeCell, addresses, all_contiguous, contiguous

torch.library.define(
    "unrolled::recurrence",
    "(Tensor u, Tensor W, Tensor[] extra, Tensor[] start, Tensor? lengths, int cell, bool reverse, bool keep) "
    "-> Tensor[]",
)
torch.library.define(
    "unrolled::recurrence_backward",
    "(Tensor[] d_given, Tensor W, Tensor[] extra, Tensor[] start, Tensor? lengths, Tensor[] given, int cell, "
    "bool reverse) -> Tensor[]",
)

# --- forward ---


def _empty_given(u: Tensor, W: Tensor, start: Sequence[Tensor], cell: NativeCell, keep: bool) -> list[Tensor]:
    """Room for the output (T, B, H), the last state's leaves (B, H), and, if they are kept, `saved` (T, B, L, H) and
    each further leaf after each step (T, B, H)."""
    T, B, H = u.shape[0], u.shape[1], W.shape[1]
    given = [u.new_empty(T, B, H), *(torch.empty_like(leaf, memory_format=torch.contiguous_format) for leaf in start)]
    if keep:
        given.append(u.new_empty(T, B, cell.saved, H))
        given += [W.new_empty(T, B, H) for _ in range(cell.states - 1)]
    return given


@torch.library.register_fake("unrolled::recurrence")
def _recurrence_fake(
    u: Tensor,
    W: Tensor,
    extra: list[Tensor],
    start: list[Tensor],
    lengths: Tensor | None,
    cell: int,
    reverse: bool,
    keep: bool,
) -> list[Tensor]:
    return _empty_given(u, W, start, native_core.known(cell), keep)


@torch.library.impl("unrolled::recurrence", "CPU")
def _recurrence(
    u: Tensor,
    W: Tensor,
    extra: list[Tensor],
    start: list[Tensor],
    lengths: Tensor | None,
    cell: int,
    reverse: bool,
    keep: bool,
) -> list[Tensor]:
    """u (T, B, G·H); W (G·H, H); extra, each (H); start, each (B, H); lengths (B,) int64 in [0, T] → `_empty_given`."""
    known = native_core.known(cell)
    native_core.check_weights(u.dtype, W, extra, start, known)
    T, B, H = *(u.shape[:2] if u.dim() == 3 else (0, 0)), W.shape[1]
    if T == 0:
        raise ShapeError(f"the native core wants u as (T, B, {known.gates * H}) with T above 0; {tuple(u.shape)} came")
    native_core.check("u", u, (T, B, known.gates * H), u.dtype)
    native_core.check_rows(start, lengths, B, H)
    given = _empty_given(u, W, start, known, keep)
    u, W, extra, start, lengths = (
        u.contiguous(),
        W.contiguous(),
        all_contiguous(extra),
        all_contiguous(start),
        contiguous(lengths),
    )
    problem = native_core.problem(u, W, extra, start, lengths, given, known, reverse, keep)
    native_core.core().forward(*problem, addresses(given[1 : 1 + known.states]))
    return given


# --- backward ---


def _empty_gradients(W: Tensor, extra: list[Tensor], given: list[Tensor], cell: NativeCell) -> list[Tensor]:
    """Room for the gradients of u and of the product (T, B, G·H) each, the latter empty where they are one; of the
    cell's own weights (H); and of the starting state's leaves (B, H)."""
    T, B, H = given[0].shape
    d_u = given[0].new_empty(T, B, cell.gates * H)
    d_r = given[0].new_empty(0 if cell.same_gradient else T, B, cell.gates * H)
    d_start = [W.new_empty(B, H) for _ in range(cell.states)]
    return [d_u, d_r, *(W.new_empty(H) for _ in extra), *d_start]


@torch.library.register_fake("unrolled::recurrence_backward")
def _backward_fake(
    d_given: list[Tensor],
    W: Tensor,
    extra: list[Tensor],
    start: list[Tensor],
    lengths: Tensor | None,
    given: list[Tensor],
    cell: int,
    reverse: bool,
) -> list[Tensor]:
    return _empty_gradients(W, extra, given, native_core.known(cell))


@torch.library.impl("unrolled::recurrence_backward", "CPU")
def _recurrence_backward(
    d_given: list[Tensor],
    W: Tensor,
    extra: list[Tensor],
    start: list[Tensor],
    lengths: Tensor | None,
    given: list[Tensor],
    cell: int,
    reverse: bool,
) -> list[Tensor]:
    """d_given: the gradients of the output and of the last state; given: what `recurrence` gave, with `keep`."""
    known = native_core.known(cell)
    stored = given[0].dtype if given else torch.float32
    native_core.check_weights(stored, W, extra, start, known)
    if len(given) != 1 + known.states + known.states or given[0].dim() != 3:
        raise ShapeError("the native core's backward pass wants all that its forward pass gives with `keep`")
    (T, B, _), H = given[0].shape, W.shape[1]
    native_core.check_rows(start, lengths, B, H)
    leaf, every = ((B, H), W.dtype), ((T, B, H), W.dtype)
    wanted = [
        ((T, B, H), stored),
        *[leaf] * known.states,
        ((T, B, known.saved, H), stored),
        *[every] * (known.states - 1),
    ]
    for name, tensors in (("given", given), ("the gradient of given", d_given)):
        for number, (tensor, (shape, dtype)) in enumerate(zip(tensors, wanted, strict=False)):
            native_core.check(f"{name} {number}", tensor, shape, dtype)
    if len(d_given) != 1 + known.states:
        raise ShapeError(
            f"{1 + known.states} gradients are wanted, of the output and the last state; {len(d_given)} came"
        )
    gradients = _empty_gradients(W, extra, given, known)
    W, extra, start, lengths = W.contiguous(), all_contiguous(extra), all_contiguous(start), contiguous(lengths)
    given, d_given = all_contiguous(given), all_contiguous(d_given)
    d_u, d_r, *d_own = gradients
    native_core.core().backward(
        *native_core.problem(d_u, W, extra, start, lengths, given, known, reverse, keep=True),
        d_given[0].data_ptr(),
        addresses(d_given[1:]),
        d_u.data_ptr(),
        d_r.data_ptr(),
        addresses(d_own[: known.extra]),
        addresses(d_own[known.extra :]),
    )
    return gradients


# --- what torch must know to differentiate ---


def _setup(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    _, W, extra, start, lengths, ctx.cell, ctx.reverse, _ = inputs
    ctx.extra, ctx.states = len(extra), len(start)
    ctx.save_for_backward(W, lengths, *extra, *start, *output)


def _differentiate(ctx: Any, d_given: list[Tensor | None]) -> tuple[Any, ...]:
    W, lengths, *rest = ctx.saved_tensors
    extra, start, given = rest[: ctx.extra], rest[ctx.extra :][: ctx.states], rest[ctx.extra + ctx.states :]
    filled = [
        torch.zeros_like(tensor) if d is None else d.to(tensor.dtype)
        for d, tensor in zip(d_given[: 1 + ctx.states], given, strict=False)
    ]
    d_u, d_r, *d_own = torch.ops.unrolled.recurrence_backward(
        filled, W, extra, start, lengths, given, ctx.cell, ctx.reverse
    )
    if native_core.known(ctx.cell).same_gradient:
        d_r = d_u
    d_W = _weight_gradient(d_r, given[0], start[0], lengths, ctx.reverse).to(W.dtype)
    return d_u, d_W, d_own[: ctx.extra], d_own[ctx.extra :], None, None, None, None


def _weight_gradient(d_r: Tensor, h: Tensor, h_0: Tensor, lengths: Tensor | None, reverse: bool) -> Tensor:
    """Σ_t d_r_tᵀ h_{t−1}: one product over all steps but the first, and one over the first."""
    if not reverse:
        first, later, before = d_r[0], d_r[1:], h[:-1]
    elif lengths is None:
        first, later, before = d_r[-1], d_r[:-1], h[1:]
    else:
        # A row's first step is at its length; there the output of the step before is zero, so it may stay in `later`.
        first = d_r[(lengths - 1).clamp(min=0), torch.arange(len(lengths), device=d_r.device)]
        later, before = d_r[:-1], h[1:]
    return torch.addmm(first.mT @ h_0.to(h.dtype), later.flatten(0, 1).mT, before.flatten(0, 1))


def _no_second_setup(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    pass


def _no_second(ctx: Any, d_gradients: list[Tensor]) -> tuple[Any, ...]:
    raise KernelError("the native kernel has no second derivative; kernel='reference' has")


torch.library.register_autograd("unrolled::recurrence", _differentiate, setup_context=_setup)
torch.library.register_autograd("unrolled::recurrence_backward", _no_second, setup_context=_no_second_setup)
