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

from unrolled import states
from unrolled.cells.cell import Cell, DiagonalCell, Step, check_state, is_symbols
from unrolled.errors import KernelError, ShapeError
from unrolled.states import State

Direction = Literal["forward", "backward"]
Record = Literal["states", "gates"]
#: What a stepper's weights are packed as.
Precision = Literal["float32", "bfloat16", "int8"]

#: Both, in the order in which their outputs stand side by side.
DIRECTIONS: tuple[Direction, Direction] = ("forward", "backward")


@dataclass(frozen=True)
class Pass:
    """One cell over one batch of sequences.

    x: (T, B, F), or whole numbers (T, B) for a one-hot input of F symbols; over a grid (T, B, rows, columns, F).
    state: before the first step that the direction takes.
    lengths: (B,) int64 in [0, T]; None means all are T. What x holds past a length changes nothing, NaN included.
    condition: (B, C), constant over time, for the cells that want one (`Cell.condition_size`), and only for them.
    mask: a state of multipliers, batch first, on what enters the recurrent product, and only on that (a leaf that is
        not masked is ones, of its own dtype).
    zoneout: of the form of the state, with time in front, (T, B, ...) in each leaf: what of the old value stays at
        each step. A leaf is bool (true: the old value stays), or real, from 0 to 1 (its share in the mixture of old
        and new), or None: the new value, always, which is all that a counter can take. The state is then the mixture,
        and the output what `zoned_out` says.

    Raises ShapeError where one of them does not fit the cell or the others.
    """

    cell: Cell
    x: Tensor
    state: State
    lengths: Tensor | None = None
    direction: Direction = "forward"
    condition: Tensor | None = None
    mask: State | None = None
    zoneout: State | None = None

    def __post_init__(self) -> None:
        F, C = self.cell.input_size, self.cell.condition_size
        name = type(self.cell).__name__
        if is_symbols(self.x):
            if self.x.dim() != 2:
                raise ShapeError(f"whole-number input must be (T, B) symbols below {F}; {tuple(self.x.shape)} came")
        elif self.x.dim() < 3 or self.x.shape[-1] != F:
            raise ShapeError(f"{name} wants x as (T, B, {F}), time first; {tuple(self.x.shape)} came")
        if self.cell.PLACES and self.x.dim() != 3 + self.cell.PLACES:
            raise ShapeError(f"{name} wants x as (T, B, rows, columns, {F}); {tuple(self.x.shape)} came")
        T, B = self.x.shape[:2]
        if T == 0:
            raise ShapeError("x has no time steps (T = 0); a sequence has one at least")
        if self.lengths is not None:
            _check_lengths(self.lengths, T, B)
        if self.condition is not None and (C == 0 or self.condition.shape != (B, C)):
            wants = f"a condition of ({B}, {C})" if C else "no condition"
            raise ShapeError(f"{name} takes {wants}; one of {tuple(self.condition.shape)} came")
        if self.condition is None and C > 0:
            raise ShapeError(f"{name} needs a condition of ({B}, {C}); none came")
        check_state(self.cell, self.state, self.x)
        if self.mask is not None:
            _check_beside("mask", self.state, self.mask)
        if self.zoneout is not None:
            _check_beside("zoneout", self.state, self.zoneout, T)


def _check_lengths(lengths: Tensor, T: int, B: int) -> None:
    if lengths.shape != (B,) or lengths.dtype != torch.int64:
        raise ShapeError(f"lengths must be ({B},) int64, one a row; {tuple(lengths.shape)} {lengths.dtype} came")
    if torch.compiler.is_compiling():  # what they hold is seen when the graph runs
        torch._assert_async(((lengths >= 0) & (lengths <= T)).all(), "lengths must be from 0 to T")
    elif B and not 0 <= int(lengths.min()) <= int(lengths.max()) <= T:
        raise ShapeError(f"lengths must be from 0 to T = {T}; {int(lengths.min())} to {int(lengths.max())} came")


def _check_beside(what: str, state: State, given: State, *before: int) -> None:
    """Each leaf of `given` must have the shape of the state's, after `before`; with time before it, it may be None."""
    if states.names(given) != states.names(state):
        raise ShapeError(f"{what} must have the leaves {states.names(state)}; {states.names(given)} came")
    for (name, leaf), (_, beside) in zip(states.leaves(state), states.leaves(given), strict=True):
        if beside is None and before:
            continue
        wanted = (*before, *leaf.shape)
        if beside is None or beside.shape != wanted:
            came = None if beside is None else tuple(beside.shape)
            raise ShapeError(f"{what} {name!r} must be {wanted}, as its state leaf is {tuple(leaf.shape)}; {came} came")


class Trace(NamedTuple):
    """What one pass gave.

    output: (T, B, output_size), zero past each length. Under autocast it may be of either of the two types.
    state: the final one, at each row's length, of the type that it started with.
    states: the state after each step, time first in each leaf, if it was asked for. Past a length no step is taken:
        there stands the final state going forward, the first one going backward.
    gates: name → (T, B, ...), if asked for, zero past each length.
    """

    output: Tensor
    state: State
    states: State | None = None
    gates: dict[str, Tensor] | None = None


class Stepper(ABC):
    """A closed loop's view of one cell: packed once, then one step a call. Gradients flow through it."""

    #: What `unrolled doctor` calls it.
    NAME: ClassVar[str]

    @abstractmethod
    def __call__(
        self, x_t: Tensor, state: State, condition: Tensor | None = None, zoneout: State | None = None
    ) -> Step:
        """x_t: (B, F), or whole numbers (B,); condition (B, C) for the cells that want one.

        zoneout: as in a pass, of this step: (B, ...) in each leaf that is not None.
        The step may leave the gates out.
        """

    def run(self, x: Tensor, state: State, condition: Tensor | None = None) -> tuple[Tensor, State]:
        """Steps whose input is known: x (T, B, F), or whole numbers (T, B) → outputs (T, B, ...), the last state.

        ShapeError where there is no step.
        """
        check_steps(x)
        outputs = []
        for x_t in x:
            output, state, _ = self(x_t, state, condition)
            outputs.append(output)
        return torch.stack(outputs), state


def check_steps(x: Tensor) -> None:
    """ShapeError unless x holds a step or more, for a stepper's `run`."""
    if x.dim() == 0 or len(x) == 0:
        raise ShapeError(f"steps are x (T, B, F) or (T, B), T at least 1; {tuple(x.shape)} came")


class Kernel(ABC):
    """A way to run passes. `NAME` is what `--kernel` takes. A subclass gives `refuses` and `_run`."""

    NAME: ClassVar[str]
    #: Greatest relative L2 distance from the reference in full precision, over outputs, states and gradients, by dtype;
    #: bfloat16 is the dtype of autocast. A dtype that is not named here is not promised.
    TOLERANCE: ClassVar[dict[torch.dtype, float]]

    @abstractmethod
    def refuses(self, passes: Sequence[Pass], record: Collection[Record] = ()) -> list[str]:
        """Why this kernel cannot serve these passes, in words for a user; empty when it can."""

    def yields(self, passes: Sequence[Pass], record: Collection[Record] = ()) -> list[str]:
        """Why, though it can serve these passes, a later one is measured to be faster; empty where none is."""
        return []

    def run(self, passes: Sequence[Pass], record: Collection[Record] = ()) -> list[Trace]:
        """The trace of each pass. KernelError, with the reasons, where this kernel refuses: it never gives way."""
        if reasons := self.refuses(passes, record):
            raise KernelError(f"kernel {self.NAME!r} cannot serve this: {'; '.join(reasons)}")
        return self._run(passes, record)

    @abstractmethod
    def _run(self, passes: Sequence[Pass], record: Collection[Record]) -> list[Trace]:
        """As `run`, for passes that are not refused."""


def zoned_out(cell: Cell, step: Step, u_t: Any, old: State, zoneout: State) -> Step:
    """The step with `zoneout` of the old state kept in the new one (Krueger et al. 2016, arXiv:1606.01305).

    An output that is itself a leaf of the new state (h, in most cells) is that leaf as it is kept; a `DiagonalCell`
    reads its output from the state as it is kept; any other output is the step's own.
    """

    def mixed(new: Tensor, before: Tensor, kept: Tensor | None) -> Tensor:
        if kept is None:
            return new
        if kept.dtype == torch.bool:
            return torch.where(kept, before, new)
        return kept * before + (1 - kept) * new

    state = states.map_state(mixed, step.state, old, zoneout)
    output = step.output
    if isinstance(cell, DiagonalCell):
        output = cell.readout(state, u_t)
    for (_, new), (_, kept) in zip(states.leaves(step.state), states.leaves(state), strict=True):
        if step.output is new:
            output = kept
    return Step(output, state, step.gates)


def past_length(x: Tensor, lengths: Tensor | None) -> Tensor:
    """x (T, B, ...) with everything past each length set to zero, whatever it was: NaN goes too, and its gradient."""
    if lengths is None:
        return x
    past = torch.arange(x.shape[0], device=x.device)[:, None] >= lengths[None, :]
    return x.masked_fill(past.reshape(*past.shape, *([1] * (x.dim() - 2))), 0)


def at(u: Any, t: int) -> Any:
    """What `project` made, at time t: u is a tensor or a tuple of tensors (or of None), time first."""
    if isinstance(u, tuple):
        parts = [at(part, t) for part in u]
        return type(u)(*parts) if hasattr(u, "_fields") else tuple(parts)
    return None if u is None else u[t]
