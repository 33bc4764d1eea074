"""Named states: tuples of tensors (named or plain, nested at will), batch first in every leaf.

A state is whatever `initial_state` of a cell, a layer or a model returned. Nothing outside the part that made it
needs to know its fields; these functions are enough to carry, cut, select, store and compare it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

State = Any  # a Tensor, or a (named) tuple of States; typed by the part that owns it


def _rebuild(like: tuple, parts: list) -> tuple:
    return type(like)(*parts) if hasattr(like, "_fields") else tuple(parts)


def map_state(function: Callable[..., Any], state: State, *others: State) -> State:
    """`function` applied leaf by leaf to one state, or to several of the same form."""
    if isinstance(state, tuple):
        for other in others:
            if not isinstance(other, tuple) or len(other) != len(state):
                raise ValueError(f"states of different form: {names(state)} and {names(other)}")
        return _rebuild(state, [map_state(function, *parts) for parts in zip(state, *others, strict=True)])
    return function(state, *others)


def leaves(state: State, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    """(name, tensor) of every leaf, in order: `("0.hidden", …), ("0.cell", …)`."""
    if isinstance(state, tuple):
        fields = getattr(state, "_fields", None) or [str(i) for i in range(len(state))]
        for name, part in zip(fields, state, strict=True):
            yield from leaves(part, f"{prefix}.{name}" if prefix else name)
    else:
        yield prefix, state


def names(state: State) -> list[str]:
    return [name for name, _ in leaves(state)]


def detach(state: State) -> State:
    """Cut from the graph: the one way in which a state comes back from one update to the next."""
    return map_state(lambda leaf: leaf.detach(), state)


def stack(states: Sequence[State], dim: int = 0) -> State:
    """States of equal form, stacked along a new axis, time for example."""
    return map_state(lambda *parts: torch.stack(parts, dim), *states)


def concatenate(states: Sequence[State]) -> State:
    """States of equal form, their batch rows one after the other."""
    return map_state(lambda *parts: torch.cat(parts, 0), *states)


def select(state: State, rows: Tensor | slice) -> State:
    """The batch rows named, in the order named: beams that survive, the rows of one process."""
    return map_state(lambda leaf: leaf[rows], state)


def where(condition: Tensor, yes: State, no: State) -> State:
    """Row by row: `yes` where `condition` (B,) is true, else `no`."""

    def choose(a: Tensor, b: Tensor) -> Tensor:
        return torch.where(condition.reshape(-1, *([1] * (b.dim() - 1))), a, b)

    return map_state(choose, yes, no)


def to_tensors(state: State) -> dict[str, Tensor]:
    """Named tensors, for a file. `from_tensors` takes them back."""
    return dict(leaves(state))


def from_tensors(tensors: dict[str, Tensor], like: State) -> State:
    """The state of the same form as `like` whose leaves are read from `tensors` by name."""
    missing = [name for name in names(like) if name not in tensors]
    if missing:
        raise ValueError(f"a state with the leaves {names(like)} was expected; {missing} are missing")
    ordered = iter([tensors[name] for name in names(like)])
    return map_state(lambda leaf: next(ordered).to(device=leaf.device), like)
