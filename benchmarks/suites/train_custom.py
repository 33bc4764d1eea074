"""Training cells that torch has no operator for: this package's choice of kernel beside a loop over the steps."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from benchmarks.contest import Agreement, Contest, Goal, Point, agreement
from benchmarks.own_cell import OwnCell
from benchmarks.training import change, ours_trains
from unrolled import states
from unrolled.cells import registry
from unrolled.cells.cell import Cell, state_like
from unrolled.layers.recurrent import Recurrent

SUMMARY = "cells without an operator in torch, forward and backward, beside a loop over their steps, plain or compiled"
CELLS = (
    *("layer-norm-lstm", "peephole-lstm", "coupled-lstm", "reset-before-gru", "leaky", "time-skip", "urnn", "min-gru"),
    *("min-lstm", "lru", "slstm", "own"),
)
#: Whose candidate, the last H of b, has a bend at 0: what is near it may be on either side in float32, and its gradient
#: is another there. So half of their units begin well above it, and half below.
BENT, ASIDE = ("min-gru", "min-lstm"), 4.0
T = 64
GOALS = (Goal("a loop", ">= 8"),)


def points() -> Iterator[Point]:
    for threads, cell, H, B in itertools.product((1, 2), CELLS, (128, 512), (16, 64)):
        yield Point(cell, {"T": T, "B": B, "H": H}, partial(contest, cell, H, B), threads)


def contest(name: str, H: int, B: int) -> Contest:
    stack = Recurrent(OwnCell if name == "own" else registry.find(name), H, [H])
    if name in BENT:
        ((cell,),) = stack.layers
        with torch.no_grad():
            cell.b[-H:] = ASIDE
            cell.b[-H::2] *= -1
    theirs = copy.deepcopy(stack)
    (((cell,),), x) = theirs.layers, torch.randn(T, B, H)
    cotangent = torch.randn(T, B, cell.output_size)
    start = states.map_state(lambda leaf: leaf.clone(), state_like(cell, x))
    ways: dict[str, Callable[[], object]] = {"plain": partial(loop_trains, cell, cell.step, x, start, cotangent)}
    if not any(leaf.is_complex() for _, leaf in states.leaves(start)):  # torch compiles no complex numbers
        torch.compiler.reset()  # it stops compiling a function that has had many forms, and runs it plainly
        compiled = torch.compile(cell.step, dynamic=False)
        ways["compiled step"] = partial(loop_trains, cell, compiled, x, start, cotangent)
    return Contest(
        partial(ours_trains, stack, x, ((start,),), cotangent, torch.float32),
        {"a loop": ways},
        partial(agreements, stack, cell, x, start, cotangent),
        flops=flops(cell, T, B),
        before=partial(change, [*stack.parameters(), *theirs.parameters()]),
    )


def flops(cell: Cell, T: int, B: int) -> float:
    """Of the products alone, forward and backward: what is between them is the larger part of many a cell's time."""
    return 6 * T * B * sum(parameter.numel() for parameter in cell.parameters() if parameter.dim() == 2)


def loop_trains(
    cell: Cell, step: Callable[..., Any], x: Tensor, start: Any, cotangent: Tensor, dtype: torch.dtype = torch.float32
) -> list[Tensor]:
    """What a user writes: the projection at once, then the steps one by one. Output, and the gradients as of ours."""
    x = x.detach().requires_grad_()
    state = first = states.map_state(
        lambda leaf: leaf.detach().requires_grad_(leaf.is_floating_point() or leaf.is_complex()), start
    )
    weights = cell.prepare()
    u = cell.project(x, weights)
    outputs = []
    for t in range(len(x)):
        at = type(u)(*(part[t] for part in u)) if isinstance(u, tuple) else u[t]
        output, state, _ = step(at, state, weights)
        outputs.append(output)
    output = torch.stack(outputs)
    inputs = [x, *cell.parameters(), *(leaf for _, leaf in states.leaves(first))]
    return [output, *torch.autograd.grad(output, inputs, cotangent, allow_unused=True)]


def agreements(stack: Recurrent, cell: Cell, x: Tensor, start: Any, cotangent: Tensor) -> Iterable[Agreement]:
    wide = copy.deepcopy(cell).double()
    double = states.map_state(lambda leaf: leaf.to(torch.complex128 if leaf.is_complex() else torch.float64), start)
    exact = loop_trains(wide, wide.step, x.double(), double, cotangent.double())
    ours = ours_trains(stack, x, ((start,),), cotangent, torch.float32)
    theirs = loop_trains(cell, cell.step, x, start, cotangent)
    names = ["the output", "the gradient of x", *(f"the gradient of {name}" for name, _ in cell.named_parameters())]
    for what, own, other, true in zip(names, ours, theirs, exact, strict=False):
        yield agreement(what, own, other, true)
