"""What a contract is tried on: a cell, random input for it, and a state that it can really be in."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from unrolled import states
from unrolled.cells.cell import Cell, LinearRecurrentCell, state_like
from unrolled.errors import ContractError
from unrolled.kernels.kernel import Pass, Trace
from unrolled.kernels.reference import Reference
from unrolled.states import State, differentiable

#: Rows in every trial, and what their lengths are where they are ragged: one full, one empty, one between.
T, B = 5, 3
LENGTHS = (5, 0, 3)


@dataclass(frozen=True)
class Subject:
    """A kind of cell, and the sizes to try it at.

    make: called as make(input_size, hidden_size): a class, or a function.
    places: rows and columns, for a cell over a grid.
    seed: of the random input. A cell with kinks (ReLU) has other gradients where rounding carries a unit across one:
        in bfloat16, give a seed for which none does.
    """

    make: Callable[[int, int], Cell]
    places: tuple[int, ...] = ()
    input_size: int = 3
    hidden_size: int = 4
    seed: int = 1

    def cell(self, dtype: torch.dtype = torch.float64, seed: int = 0) -> Cell:
        """One cell; its zero parameters are moved a little, so that a bias that is never read cannot hide."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            cell = self.make(self.input_size, self.hidden_size).to(dtype)
            with torch.no_grad():
                for parameter in cell.parameters():
                    parameter.add_(torch.randn_like(parameter), alpha=0.1)
        return cell

    def sequence(self, cell: Cell, steps: int = T, rows: int = B, seed: int | None = None) -> Pass:
        """Random x (T, B, ..., F) and condition in the dtype of the weights, from a state reached in three steps."""
        generator = torch.Generator().manual_seed(self.seed if seed is None else seed)
        dtype = next((p.dtype.to_real() for p in cell.parameters()), torch.get_default_dtype())

        def draw(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

        condition = draw(rows, cell.condition_size) if cell.condition_size else None
        before = draw(3, rows, *self.places, self.input_size)
        with torch.no_grad():
            state = run(Pass(cell, before, state_like(cell, before), condition=condition)).state
        return Pass(cell, draw(steps, rows, *self.places, self.input_size), state, condition=condition)

    def mask(self, cell: Cell, state: State) -> State | None:
        """Random multipliers on every leaf that is not a counter, for a cell with a recurrent product."""
        if not isinstance(cell, LinearRecurrentCell):
            return None
        generator = torch.Generator().manual_seed(2)

        def draw(leaf: Tensor) -> Tensor:
            if not differentiable(leaf):
                return torch.ones_like(leaf)
            return torch.rand(leaf.shape, generator=generator, dtype=torch.float64).to(leaf.dtype) * 2

        return states.map_state(draw, state)

    def zoneout(self, state: State, steps: int = T) -> State:
        """Random shares of the old value for every leaf that is not a counter, time in front of each."""
        generator = torch.Generator().manual_seed(3)

        def draw(leaf: Tensor) -> Tensor | None:
            if not differentiable(leaf):
                return None
            return torch.rand(steps, *leaf.shape, generator=generator, dtype=torch.float64).to(leaf.dtype.to_real())

        return states.map_state(draw, state)


def usual(cell: type[Cell], seed: int = 1) -> Subject:
    """A class of cells at the usual sizes; over a grid at smaller ones, on 3 by 2 places."""
    return Subject(cell, (3, 2), 2, 1, seed) if cell.PLACES else Subject(cell, seed=seed)


def run(one: Pass, record: tuple = ()) -> Trace:
    """The pass, by the reference."""
    return Reference().run([one], record)[0]


def distance(ours: Tensor, theirs: Tensor) -> float:
    """‖ours − theirs‖ / ‖theirs‖ over all numbers; the plain ‖ours‖ where theirs is all zeros. NaN is far away."""
    wide = torch.complex128 if theirs.is_complex() else torch.float64
    ours, theirs = ours.detach().to(wide), theirs.detach().to(wide)
    scale = float(torch.linalg.vector_norm(theirs)) or 1.0
    apart = float(torch.linalg.vector_norm(ours - theirs)) / scale
    return float("inf") if math.isnan(apart) else apart


def require(holds: bool, sentence: str) -> None:
    """ContractError with the sentence unless it holds."""
    if not holds:
        raise ContractError(sentence)


def agree(ours: State, theirs: State, what: str, tolerance: float = 1e-10) -> None:
    """ContractError unless two tensors or states have equal leaves, shapes and, to a relative L2 distance, numbers."""
    require(
        states.names(ours) == states.names(theirs),
        f"{what}: the leaves are {states.names(ours)}, and should be {states.names(theirs)}",
    )
    for (name, left), (_, right) in zip(states.leaves(ours), states.leaves(theirs), strict=True):
        place = f"{what}, leaf {name!r}" if name else what
        require(left.shape == right.shape, f"{place}: the shape is {tuple(left.shape)}, not {tuple(right.shape)}")
        apart = distance(left, right)
        require(
            apart <= tolerance, f"{place}: {apart:.2g} apart in relative L2 distance, where {tolerance:.2g} is allowed"
        )
