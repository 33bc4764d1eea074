"""The native core as two torch operators, `unrolled::recurrence` and its backward: what torch must know of them to
differentiate, to compile and to check them.

Each takes a cell's leaves of state as one tensor (STATES, B, H), and the weights that it has beside the product as one,
(EXTRA, H): lists of tensors would cost more than a short sequence does. For the same reason a recurrence makes its own
projection, u = U x + b, where it is given U.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from unrolled.errors import ShapeError
from unrolled.kernels import native_core, native_products
from unrolled.kernels.native_core import NativeCell, address, check, contiguous
from unrolled.kernels.torch_operator import TorchOperator, no_second, no_second_setup

Four = tuple[Tensor, Tensor, Tensor, Tensor]


class Told(NamedTuple):
    """The tensors of one recurrence, in the order in which the operators take them.

    x (T, B, F), U (G·H, F) and b (G·H), or in the place of x u (T, B, G·H) itself, where there is no U; W (G·H, H),
    extra (EXTRA, H), mask (B, H) and start (STATES, B, H).
    """

    x: Tensor
    U: Tensor | None
    b: Tensor | None
    W: Tensor
    extra: Tensor | None
    mask: Tensor | None
    start: Tensor


class Ready(NamedTuple):
    """One recurrence that the core can be told of.

    sizes: of the cell its number and that of the type; T, B, H. told: whether it runs backwards, and addresses, in the
    order of csrc/bindings.cpp. given: what it is written to. held: what must live until the core has looked.
    """

    sizes: tuple[int, int, int, int, int]
    lengths: Tensor | None
    told: list[int]
    given: Four
    held: list[Tensor | None]


def run(function: str, ready: Sequence[Ready]) -> None:
    """The core's `forward` or `backward` of recurrences that have their cell, sizes and lengths in common."""
    first = ready[0]
    if any(one.sizes != first.sizes for one in ready):
        raise ShapeError(
            "recurrences that run side by side have one cell, type, T, B and H; "
            f"{' and '.join(str(one.sizes) for one in ready)} came (cell, type, T, B, H)"
        )
    lengths, told = contiguous(first.lengths), [number for one in ready for number in one.told]
    getattr(native_core.core(), function)(*first.sizes, torch.get_num_threads(), address(lengths), told)


# --- forward ---


def _empty_given(x: Tensor, W: Tensor, cell: NativeCell, keep: bool) -> Four:
    """Room for the output (T, B, H), the last state (STATES, B, H), and what is kept for the backward pass: saved
    (T, B, SAVED, H), and the state's leaves but the first after each step (STATES − 1, T, B, H); else both empty."""
    T, B, H = x.shape[0], x.shape[1], W.shape[1]
    return (
        x.new_empty(T, B, H),
        W.new_empty(cell.states, B, H),
        x.new_empty(T if keep else 0, B, cell.saved, H),
        W.new_empty(cell.states - 1, T if keep else 0, B, H),
    )


def given_shapes(
    x: Tensor,
    U: Tensor | None,
    b: Tensor | None,
    W: Tensor,
    extra: Tensor | None,
    mask: Tensor | None,
    start: Tensor,
    lengths: Tensor | None,
    cell: int,
    reverse: bool,
    keep: bool,
) -> Four:
    """Empty tensors of the form of what `recurrence` gives, which takes the same."""
    return _empty_given(x, W, native_core.known(cell), keep)


def ready(
    x: Tensor,
    U: Tensor | None,
    b: Tensor | None,
    W: Tensor,
    extra: Tensor | None,
    mask: Tensor | None,
    start: Tensor,
    lengths: Tensor | None,
    cell: int,
    reverse: bool,
    keep: bool,
) -> Ready:
    """As `recurrence`. ShapeError where something does not fit."""
    known = native_core.known(cell)
    if x.dim() != 3 or len(x) == 0:
        wanted = "u as (T, B, G·H)" if U is None else "x as (T, B, F)"
        raise ShapeError(f"the native core wants {wanted}, T at least 1; {tuple(x.shape)} came")
    T, B, _ = x.shape
    H = native_core.check_weights(x.dtype, W, extra, mask, start, lengths, B, known)
    u = x if U is None else native_products.project(x, U, b)
    check("u", u, (T, B, known.gates * H), x.dtype)
    given = _empty_given(u, W, known, keep)
    output, last, saved, every = given
    read = list(map(contiguous, (u, W, extra, mask, start)))
    told = [int(reverse), *map(address, (*read, output, saved, every, last))]
    return Ready((cell, native_core.ORDER[u.dtype], T, B, H), lengths, told, given, read)


def _recurrence(*inputs: Any) -> Four:
    """What is kept and given (`_empty_given`) of a `Told`, and lengths (B,) in [0, T]."""
    one = ready(*inputs)
    run("forward", [one])
    return one.given


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


def gradient_shapes(
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
    """Empty tensors of the form of what `recurrence_backward` gives, which takes the same."""
    return _empty_gradients(W, start, output, native_core.known(cell))


def ready_backward(
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
) -> Ready:
    """As `recurrence_backward`. output, saved, every: what `recurrence` gave, with `keep`; d_output and d_last as
    output and last."""
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
    read = list(map(contiguous, (None, W, extra, mask, start, output, saved, every, d_output, d_last)))
    gradients = _empty_gradients(W, start, output, known)
    told = [int(reverse), *map(address, (*read, *gradients))]
    return Ready((cell, native_core.ORDER[output.dtype], T, B, H), lengths, told, gradients, read)


def _recurrence_backward(*inputs: Any) -> Four:
    one = ready_backward(*inputs)
    run("backward", [one])
    return one.given


# --- what torch must know to differentiate ---


def _setup(ctx: Any, inputs: tuple[Any, ...], output: Four) -> None:
    x, U, _, W, extra, mask, start, lengths, ctx.cell, ctx.reverse, _ = inputs
    h, _, saved, every = output
    ctx.save_for_backward(None if U is None else x, U, W, extra, mask, start, lengths, h, saved, every)
    ctx.set_materialize_grads(False)  # saved and every have no gradients, and are large


def _differentiate(ctx: Any, d_output: Tensor | None, d_last: Tensor | None, *_: None) -> tuple[Any, ...]:
    x, U, W, extra, mask, start, lengths, h, saved, every = ctx.saved_tensors
    gradients = recurrence_backward(
        *given_gradients(d_output, d_last, h, start),
        *(W, extra, mask, start, lengths, h, saved, every, ctx.cell, ctx.reverse),
    )
    came_in = for_what_came_in(gradients[0], x, U, ctx.needs_input_grad[:3])
    return *came_in, *for_weights(gradients, W, extra, mask, start, lengths, h, ctx.cell, ctx.reverse), *[None] * 4


def given_gradients(d_output: Tensor | None, d_last: Tensor | None, h: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
    """Those of the output and of the last state, zeros where nothing came of one."""
    d_output = torch.zeros_like(h) if d_output is None else d_output.to(h.dtype)
    return d_output, torch.zeros_like(start) if d_last is None else d_last


def for_what_came_in(
    d_u: Tensor, x: Tensor | None, U: Tensor | None, wanted: Sequence[bool]
) -> tuple[Tensor | None, ...]:
    """The gradients of x, U and b, as far as they are wanted; without U, that of u is what came."""
    return (d_u, None, None) if U is None or x is None else native_products.gradients(d_u, x, U, wanted)


def for_weights(
    gradients: Sequence[Tensor],
    W: Tensor,
    extra: Tensor | None,
    mask: Tensor | None,
    start: Tensor,
    lengths: Tensor | None,
    h: Tensor,
    cell: int,
    reverse: bool,
) -> tuple[Tensor | None, ...]:
    """The gradients of W, extra, mask (which has none) and start, from what `recurrence_backward` gave."""
    known = native_core.known(cell)
    d_u, d_r, d_extra, d_start = gradients
    d_W = None
    if known.product:
        d_W = _weight_gradient(d_u if known.same_gradient else d_r, h, start[0], mask, lengths, reverse).to(W.dtype)
    return d_W, None if extra is None else d_extra, None, d_start


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


recurrence_backward = TorchOperator(
    "recurrence_backward(Tensor d_output, Tensor d_last, Tensor W, Tensor? extra, Tensor? mask, Tensor start, "
    "Tensor? lengths, Tensor output, Tensor saved, Tensor every, int cell, bool reverse) "
    "-> (Tensor, Tensor, Tensor, Tensor)",
    _recurrence_backward,
    gradient_shapes,
    no_second,
    no_second_setup,
)
recurrence = TorchOperator(
    "recurrence(Tensor x, Tensor? U, Tensor? b, Tensor W, Tensor? extra, Tensor? mask, Tensor start, Tensor? lengths, "
    "int cell, bool reverse, bool keep) -> (Tensor, Tensor, Tensor, Tensor)",
    _recurrence,
    given_shapes,
    _differentiate,
    _setup,
)
