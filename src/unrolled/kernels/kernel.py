"""The contract of a kernel: it runs cells over sequences.

A kernel takes passes (a cell over a batch of sequences, in one direction) and gives each one's trace. Outputs past a
length are zero, the final state is the one at the length, and a state keeps the dtype it came with.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from unrolled.cells.cell import Cell, Step
from unrolled.errors import ShapeError
from unrolled.states import State

Direction = Literal["forward", "backward"]
Record = Literal["states", "gates"]


@dataclass(frozen=True)
class Pass:
    """One cell over one batch of sequences.

    x: (T, B, F), or whole numbers (T, B) for a one-hot input of F symbols.
    state: before the first step that the direction takes.
    lengths: (B,) int64 in [0, T]; None means all are T.
    condition: (B, C), constant over time, for cells that want one.
    mask: a state of multipliers, batch first, on what enters the recurrent product, and only on that (a leaf that is
        not masked is ones).
    """

    cell: Cell
    x: Tensor
    state: State
    lengths: Tensor | None = None
    direction: Direction = "forward"
    condition: Tensor | None = None
    mask: State | None = None

    def __post_init__(self) -> None:
        F = self.cell.input_size
        one_hot = not self.x.is_floating_point() and not self.x.is_complex()
        if one_hot and self.x.dim() != 2:
            raise ShapeError(f"whole-number input must be (T, B) symbols below {F}; {tuple(self.x.shape)} came")
        if not one_hot and (self.x.dim() < 3 or self.x.shape[-1] != F):
            raise ShapeError(
                f"{type(self.cell).__name__} wants x as (T, B, {F}), time first; {tuple(self.x.shape)} came"
            )
        if self.x.shape[0] == 0:
            raise ShapeError("x has no time steps (T = 0); a sequence has one at least")
        if self.lengths is not None and self.lengths.shape != self.x.shape[1:2]:
            raise ShapeError(f"lengths must be ({self.x.shape[1]},), one a row; {tuple(self.lengths.shape)} came")


class Trace(NamedTuple):
    """What one pass gave.

    output: (T, B, output_size), zero past each length.
    state: the final one, at each row's length.
    states: every state, time first in each leaf, if it was asked for; past a length the final one stands still.
    gates: name → (T, B, ...), if asked for, zero past each length.
    """

    output: Tensor
    state: State
    states: State | None = None
    gates: dict[str, Tensor] | None = None


class Stepper(ABC):
    """A closed loop's view of one cell: packed once, then one step a call. Gradients flow through it."""

    @abstractmethod
    def __call__(self, x_t: Tensor, state: State) -> Step:
        """x_t: (B, F), or whole numbers (B,)."""


class Kernel(ABC):
    """A way to run passes. `NAME` is what `--kernel` takes."""

    NAME: ClassVar[str]
    #: Greatest relative L2 distance from the reference, over outputs, states and gradients, by dtype.
    TOLERANCE: ClassVar[dict[torch.dtype, float]]

    @abstractmethod
    def refuses(self, passes: Sequence[Pass], record: Collection[Record] = ()) -> list[str]:
        """Why this kernel cannot serve these passes, in words for a user; empty when it can."""

    @abstractmethod
    def run(self, passes: Sequence[Pass], record: Collection[Record] = ()) -> list[Trace]:
        """The trace of each pass."""


def past_length(x: Tensor, lengths: Tensor | None) -> Tensor:
    """x (T, B, ...) with everything past each length set to zero."""
    if lengths is None:
        return x
    keep = torch.arange(x.shape[0], device=x.device)[:, None] < lengths[None, :]
    return x * keep.reshape(*keep.shape, *([1] * (x.dim() - 2))).to(x.dtype)


def at(u: Any, t: int) -> Any:
    """What `project` made, at time t: u is a tensor or a tuple of tensors (or of None), time first."""
    if isinstance(u, tuple):
        parts = [at(part, t) for part in u]
        return type(u)(*parts) if hasattr(u, "_fields") else tuple(parts)
    return None if u is None else u[t]
