"""The two directions of a layer in one call of the native core: `unrolled::directions` and its backward.

They do not wait for each other. So with two threads each has one for itself: the weights of one direction stay in the
caches of one core, and with few rows, where threads would share the units, nobody waits for anybody at every step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from unrolled.kernels import native_operators
from unrolled.kernels.native_operators import (
    Told,
    for_weights,
    for_what_came_in,
    given_gradients,
    ready,
    ready_backward,
)
from unrolled.kernels.torch_operator import TorchOperator, no_second, no_second_setup

# What is told of the direction that runs forward stands before the same of the other one, both before what they share;
# so does what is given.


def _halves(both: Sequence[Any]) -> tuple[Any, Any]:
    half = len(both) // 2
    return list(both[:half]), list(both[half:])


def _directions(*inputs: Any) -> tuple[Tensor, ...]:
    """What `unrolled::recurrence` gives of the one that runs forward, then of the other one."""
    *both, lengths, cell, keep = inputs
    own = [
        ready(*Told(*part), lengths, cell, reverse, keep)
        for part, reverse in zip(_halves(both), (False, True), strict=True)
    ]
    native_operators.run("forward", own)
    return *own[0].given, *own[1].given


def _directions_fake(*inputs: Any) -> tuple[Tensor, ...]:
    *both, lengths, cell, keep = inputs
    first, second = (native_operators.given_shapes(*Told(*part), lengths, cell, False, keep) for part in _halves(both))
    return *first, *second


def _of_one(part: list[Any], lengths: Tensor | None, cell: int, reverse: bool) -> tuple[Any, ...]:
    """d_output, d_last, W, extra, mask, start, output, saved, every, in the order in which one direction is told."""
    return *part[:6], lengths, *part[6:], cell, reverse


def _backward(*inputs: Any) -> tuple[Tensor, ...]:
    *both, lengths, cell = inputs
    first, second = _halves(both)
    own = [ready_backward(*_of_one(part, lengths, cell, part is second)) for part in (first, second)]
    native_operators.run("backward", own)
    return *own[0].given, *own[1].given


def _backward_fake(*inputs: Any) -> tuple[Tensor, ...]:
    *both, lengths, cell = inputs
    first, second = (native_operators.gradient_shapes(*_of_one(part, lengths, cell, False)) for part in _halves(both))
    return *first, *second


def _setup(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    *both, lengths, ctx.cell, _ = inputs
    kept: list[Tensor | None] = []
    for (x, U, _, *weights), (h, _, saved, every) in zip(_halves(both), _halves(output), strict=True):
        kept += (None if U is None else x, U, *weights, h, saved, every)
    ctx.save_for_backward(*kept, lengths)
    ctx.set_materialize_grads(False)  # saved and every have no gradients, and are large


def _differentiate(ctx: Any, *d_given: Tensor | None) -> tuple[Any, ...]:
    *both, lengths = ctx.saved_tensors
    told: list[Any] = []
    for (d_output, d_last, _, _), kept in zip(_halves(d_given), _halves(both), strict=True):
        _, _, W, extra, mask, start, h, saved, every = kept
        told += (*given_gradients(d_output, d_last, h, start), W, extra, mask, start, h, saved, every)
    gradients = directions_backward(*told, lengths, ctx.cell)
    found: list[Tensor | None] = []
    wanted = _halves(ctx.needs_input_grad[:-3])
    for own, kept, needs, reverse in zip(_halves(gradients), _halves(both), wanted, (False, True), strict=True):
        x, U, W, extra, mask, start, h, _, _ = kept
        found += for_what_came_in(own[0], x, U, needs[:3])
        found += for_weights(own, W, extra, mask, start, lengths, h, ctx.cell, reverse)
    return *found, None, None, None


_ONE = "Tensor x{0}, Tensor? U{0}, Tensor? b{0}, Tensor W{0}, Tensor? extra{0}, Tensor? mask{0}, Tensor start{0}"
_ONE_BACKWARD = (
    "Tensor d_output{0}, Tensor d_last{0}, Tensor W{0}, Tensor? extra{0}, Tensor? mask{0}, Tensor start{0}, "
    "Tensor output{0}, Tensor saved{0}, Tensor every{0}"
)
_GIVEN = f"({', '.join(['Tensor'] * 8)})"

directions_backward = TorchOperator(
    f"directions_backward({_ONE_BACKWARD.format('')}, {_ONE_BACKWARD.format('_2')}, "
    f"Tensor? lengths, int cell) -> {_GIVEN}",
    _backward,
    _backward_fake,
    no_second,
    no_second_setup,
)
directions = TorchOperator(
    f"directions({_ONE.format('')}, {_ONE.format('_2')}, Tensor? lengths, int cell, bool keep) -> {_GIVEN}",
    _directions,
    _directions_fake,
    _differentiate,
    _setup,
)
