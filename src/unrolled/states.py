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


_DIFFERENT = "states of one form were expected; one has the leaves {}, another {}"


def _rebuild(like: tuple, parts: list) -> tuple:
    return type(like)(*parts) if hasattr(like, "_fields") else tuple(parts)


def map_state(function: Callable[..., Any], state: State, *others: State) -> State:
    """`function` applied leaf by leaf to one state, or to several of the same form."""
    if isinstance(state, tuple):
        for other in others:
            if not isinstance(other, tuple) or len(other) != len(state):
                raise ValueError(_DIFFERENT.format(names(state), names(other)))
        return _rebuild(state, [map_state(function, *parts) for parts in zip(state, *others, strict=True)])
    for other in others:
        if isinstance(other, tuple):
            raise ValueError(_DIFFERENT.format(names(state), names(other)))
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
    """The names of the leaves, in order."""
    return [name for name, _ in leaves(state)]


def differentiable(leaf: Tensor) -> bool:
    """Whether a gradient can flow through this leaf: a counter has none."""
    return leaf.is_floating_point() or leaf.is_complex()


def real_type(leaf: Tensor) -> torch.dtype:
    """The type of its numbers, or of the parts of complex ones. (Of real ones torch.compile can read no `to_real`.)"""
    return leaf.dtype.to_real() if leaf.is_complex() else leaf.dtype


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
    """Named tensors, for a file; `from_tensors` takes them back.

    A complex leaf is stored as real numbers with a last axis of (real, imaginary): file formats know no complex128.
    """
    return {name: torch.view_as_real(leaf) if leaf.is_complex() else leaf for name, leaf in leaves(state)}


def from_tensors(tensors: dict[str, Tensor], like: State) -> State:
    """The state of the same form as `like` whose leaves are read from `tensors` by name, onto the devices of `like`.

    Raises ValueError where a leaf is missing, or of another type, or for another part (the number of rows is free).
    """
    missing = [name for name in names(like) if name not in tensors]
    if missing:
        raise ValueError(f"a state with the leaves {names(like)} was expected; {missing} are missing")
    named = leaves(like)

    def read(leaf: Tensor) -> Tensor:
        name, _ = next(named)
        stored = tensors[name]
        if leaf.is_complex():
            stored = torch.view_as_complex(stored.contiguous())
        if stored.dtype != leaf.dtype or stored.shape[1:] != leaf.shape[1:]:
            raise ValueError(
                f"state leaf {name!r} must be {leaf.dtype} (rows, {', '.join(map(str, leaf.shape[1:]))}); "
                f"{stored.dtype} {tuple(stored.shape)} came"
            )
        return stored.to(device=leaf.device)

    return map_state(read, like)
