"""A sequence read step by step with every state within reach of autograd: what gradient flow and Jacobians stand on.

Kernels run whole sequences and give states to look at; here a state is a place in the graph at which a gradient can be
asked for. Everything is done in float64, on copies: gradients that vanish are soon too small for float32.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from unrolled import states
from unrolled.cells.cell import Cell, state_like
from unrolled.kernels import choose
from unrolled.kernels.kernel import Pass
from unrolled.models.language_model import LanguageModel
from unrolled.states import State

#: One step: (input of one time, state) → (output, state).
Advance = Callable[[Tensor, State], tuple[Tensor, State]]

M = TypeVar("M", bound=nn.Module)


class Reading(NamedTuple):
    """What is read, and by what: `advance` is called with each x[t] in turn, beginning with `state`."""

    advance: Advance
    x: Tensor
    state: State


def in_double(module: M) -> M:
    """A copy in float64 and evaluation mode, on the CPU, whose weights want no gradients."""
    return copy.deepcopy(module).double().cpu().eval().requires_grad_(False)


def of_cell(cell: Cell, x: Tensor, state: State | None = None, condition: Tensor | None = None) -> Reading:
    """A cell that reads x (T, B, F), or symbols (T, B), from `state` (None: the initial one).

    ShapeError where they do not fit together.
    """
    cell = in_double(cell)
    x = _wide(x)
    condition = None if condition is None else _wide(condition)
    state = state_like(cell, x) if state is None else states.map_state(_wide, state)
    Pass(cell, x, state, condition=condition)  # which checks
    step = choose.stepper(cell)

    def advance(x_t: Tensor, state: State) -> tuple[Tensor, State]:
        given = None if condition is None else condition.expand(len(x_t), -1)
        output, state, _ = step(x_t, state, given)
        return output, state

    return Reading(advance, x, state)


def of_model(model: LanguageModel, symbols: Tensor, state: State | None = None) -> Reading:
    """A language model that reads symbols (T,) int64: the output is the logits, the state that of all layers."""
    model = in_double(model)
    state = model.initial_state(1) if state is None else state
    return Reading(model.stepper(), symbols.cpu()[:, None], states.map_state(_wide, states.detach(state)))


def _wide(leaf: Tensor) -> Tensor:
    """In float64 or complex128, on the CPU; counters as they are."""
    if leaf.is_complex():
        return leaf.cpu().to(torch.complex128)
    return leaf.cpu().double() if leaf.is_floating_point() else leaf.cpu()


def unroll(reading: Reading) -> tuple[Tensor, list[State]]:
    """The last output, and the states s_0 … s_{T−1} that the steps began with, each leaf a place in the graph."""
    output, state = torch.empty(0), reading.state
    places: list[State] = []
    for x_t in reading.x:
        state = states.map_state(_place, state)
        places.append(state)
        output, state = reading.advance(x_t, state)
    return output, places


def _place(leaf: Tensor) -> Tensor:
    """The leaf as a tensor of its own, even where a cell hands the same one on unchanged."""
    if not differentiable(leaf):
        return leaf
    return leaf.view_as(leaf) if leaf.requires_grad else leaf.detach().clone().requires_grad_()


def differentiable(leaf: Tensor) -> bool:
    """Whether a gradient can flow through this leaf: a counter has none."""
    return leaf.is_floating_point() or leaf.is_complex()


def flatten(state: State) -> Tensor:
    """(B, n): the leaves through which a gradient can flow, as real numbers, a complex one as pairs."""
    parts = [leaf for _, leaf in states.leaves(state) if differentiable(leaf)]
    return torch.cat([(torch.view_as_real(p) if p.is_complex() else p).flatten(1) for p in parts], 1)
