"""The contract of a cell: one step, and nothing else.

A cell has no time loop, no masks of its own, no memory between calls. It says what can be done for all times at
once (`project`), what needs the state (`step`), and, where the state enters through one linear product, which product
that is (`recur`), so that kernels may fuse it. Letters, here and in every cell:

    T time, B batch rows, F features in, H hidden units, G gate blocks
    x (T, B, F) input,  u what `project` makes of it,  h (B, H) hidden state
    U (G·H, F) input weights,  W (G·H, H) recurrent weights,  b (G·H) bias
    σ logistic sigmoid,  ∘ element-wise product

A cell over a grid has places (rows, columns) between batch and features, in input, output and state alike:
x (T, B, rows, columns, F). Features are always the last axis. `unrolled.contracts.cell` checks all that is said here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unrolled import states
from unrolled.errors import ShapeError
from unrolled.states import State


class Step(NamedTuple):
    """What one step gives: output (B, output_size), the new state, and the gates by name, each (B, ...).

    The gates hold whatever a person may want to look at, all that `Cell.GATES` names among them.
    """

    output: Tensor
    state: State
    gates: dict[str, Tensor]


class Cell(nn.Module, ABC):
    """One step of a recurrence.

    input_size: F, features of x.
    hidden_size: H, units of the state.
    """

    #: How the command line and run folders call it: lower case, with hyphens.
    NAME: ClassVar[str] = ""
    #: The blocks of `u` and of the weights, in the one order that kernels, converters and diagnostics read.
    GATES: ClassVar[tuple[str, ...]] = ()
    #: Parameter → the share of the optimiser's rate that it learns at, where its authors give it one of its own.
    RATE_SHARES: ClassVar[Mapping[str, float]] = {}
    #: Leaves of the state whose numbers mean something only together (sums and the scale that they share, a line of
    #: past states): zoneout, which keeps them one by one, leaves them alone.
    JOINT: ClassVar[tuple[str, ...]] = ()
    #: Axes of places that x must have between batch and features: 2 (rows, columns) for a cell over a grid, else 0.
    PLACES: ClassVar[int] = 0

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size)):
            if size < 1:
                raise ShapeError(f"{name} of {type(self).__name__} was {size}; it must be 1 or more")
        self.input_size = input_size
        self.hidden_size = hidden_size

    @property
    def output_size(self) -> int:
        """Features of the output, H unless a cell says otherwise."""
        return self.hidden_size

    @property
    def condition_size(self) -> int:
        """C, features of the vector (B, C) that the cell must be given beside x; 0 where it takes none."""
        return 0

    @abstractmethod
    def prepare(self) -> Any:
        """The weights as the steps use them, made once per sequence: packing, exponentials, constraints."""

    @abstractmethod
    def project(self, x: Tensor, weights: Any, condition: Tensor | None = None) -> Any:
        """All work that needs no state, for all T at once: x (T, B, F), condition (B, C) → u.

        x may also be whole numbers (T, B), for a one-hot input of F symbols: `project_input` takes both.
        u is a tensor, or a tuple of tensors, with time first in each. What is made of one time must not depend on
        the others: a closed loop calls with T = 1.
        """

    @abstractmethod
    def initial_state(self, shape: Sequence[int], device: torch.device, dtype: torch.dtype) -> State:
        """The state before the first step, zeros unless the cell says otherwise.

        shape is (B,), or (B, rows, columns) over a grid. dtype is a real type, that of the weights: a complex leaf
        takes `dtype.to_complex()`, and a counter stays whole. Every leaf has the batch first, even where all rows are
        alike.
        """

    @abstractmethod
    def step(self, u_t: Any, state: State, weights: Any) -> Step:
        """One step: what `project` made for this time, and the state, give output, new state and gates.

        The new state has the form of the old one: the same leaves, shapes and types.
        """

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}"


class LinearRecurrentCell(Cell):
    """A cell into which the state enters through one linear product.

    A subclass gives `recur` and `combine`; `step` follows. `recur` is where masks on the recurrent product go (the
    kernel masks the state that it hands to `recur`, and only that), and what a native kernel can fuse for a cell
    that it has never seen.
    """

    @abstractmethod
    def recur(self, state: State, weights: Any) -> Any:
        """r, the linear product of the state with the recurrent weights."""

    @abstractmethod
    def combine(self, u_t: Any, r: Any, state: State) -> Step:
        """The point-wise part: what came in, what came round, and the old state."""

    def step(self, u_t: Any, state: State, weights: Any) -> Step:
        return self.combine(u_t, self.recur(state, weights), state)


class DiagonalCell(Cell):
    """A linear recurrence with a diagonal transition, real or complex: h_t = a_t ∘ h_{t-1} + b_t.

    A subclass gives `coefficients` and `readout`, and `gates` where it has any; they hold for one time as for all at
    once. `step` follows, and a scan kernel takes the whole sequence from there. The state is the tensor h itself.
    """

    @abstractmethod
    def coefficients(self, u: Any) -> tuple[Tensor, Tensor]:
        """(a, b), of the form of h at each time."""

    @abstractmethod
    def readout(self, h: Tensor, u: Any) -> Tensor:
        """The output (…, output_size) at each time."""

    def gates(self, u: Any) -> dict[str, Tensor]:
        """The gates by name at each time, all of `GATES` among them. They cannot see the state: u is all they need."""
        return {}

    def step(self, u_t: Any, state: State, weights: Any) -> Step:
        a, b = self.coefficients(u_t)
        h = a * state + b
        return Step(self.readout(h, u_t), h, self.gates(u_t))


def is_symbols(x: Tensor) -> bool:
    """Whether x is whole numbers (T, B), which stand for one-hot vectors."""
    return not x.is_floating_point() and not x.is_complex()


def project_input(x: Tensor, U: Tensor, b: Tensor | None) -> Tensor:
    """U x + b for all times: x (T, B, F) → (T, B, G·H); whole-number x (T, B) is a one-hot input, looked up."""
    if is_symbols(x):
        u = F.embedding(x.long(), U.t())
        return u if b is None else u + b
    return F.linear(x, U, b)


def fill_recurrent_(weight: Tensor, blocks: int) -> None:
    """Each (H, H) gate block orthogonal (Saxe et al. 2013, arXiv:1312.6120), so nothing grows or fades at first."""
    with torch.no_grad():
        for block in weight.chunk(blocks, 0):
            nn.init.orthogonal_(block)


def fill_input_(weight: Tensor, blocks: int) -> None:
    """Each (H, F) gate block uniform, of variance 2/(H + F) (Glorot & Bengio 2010)."""
    with torch.no_grad():
        for block in weight.chunk(blocks, 0):
            nn.init.xavier_uniform_(block)


def state_like(cell: Cell, x: Tensor) -> State:
    """The initial state of `cell` for a sequence x (T, B, ..., F), or symbols (T, B), on its device.

    Its dtype is that of the cell's weights; where the cell has none, that of x.
    """
    weight = next((p for p in cell.parameters() if not is_symbols(p)), x)
    dtype = torch.get_default_dtype() if is_symbols(weight) else states.real_type(weight)
    shape = x.shape[1:] if is_symbols(x) else x.shape[1:-1]
    return cell.initial_state(shape, x.device, dtype)


def needs_beside(cell: Cell) -> list[str]:
    """What a cell must have that a sequence of vectors or symbols is not, in words; most need nothing."""
    needs = []
    if cell.condition_size:
        needs.append(f"a condition, a vector of {cell.condition_size} beside the sequence")
    if cell.PLACES:
        needs.append("a sequence of pictures")
    return needs


def count_parameters(module: nn.Module) -> int:
    """Numbers that are trained."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def check_state(cell: Cell, state: State, x: Tensor) -> None:
    """Raise ShapeError unless `state` has the leaves, shapes and types that `cell` wants for x (T, B, ..., F)."""
    wanted = state_like(cell, x)
    if type(state) is type(wanted):  # as it almost always is, and then soon known
        given, own = (state, wanted) if isinstance(wanted, tuple) else ((state,), (wanted,))
        if len(given) == len(own) and all(map(_is_like, given, own)):
            return
    name = type(cell).__name__
    if states.names(state) != states.names(wanted):
        raise ShapeError(
            f"{name} has a state of {states.names(wanted)}; a state of {states.names(state)} came. "
            f"Start from {name}.initial_state, or from the state that an earlier call gave back"
        )
    for (leaf_name, leaf), (_, want) in zip(states.leaves(state), states.leaves(wanted), strict=True):
        if not _is_like(leaf, want):
            raise ShapeError(
                f"state {leaf_name!r} of {name} must be {tuple(want.shape)}, {want.dtype}, on {want.device}; "
                f"{tuple(leaf.shape)}, {leaf.dtype}, on {leaf.device} came"
            )


def _is_like(leaf: Any, want: Any) -> bool:
    """Whether both are tensors, and of one form."""
    if not (isinstance(leaf, Tensor) and isinstance(want, Tensor)):
        return False
    return leaf.shape == want.shape and leaf.dtype == want.dtype and leaf.device == want.device
