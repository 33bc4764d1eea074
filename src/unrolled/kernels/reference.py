"""The reference: the one Python loop over a known sequence. It serves every cell, and the others must agree with it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from unrolled import states
from unrolled.cells.cell import Cell, LinearRecurrentCell, Step
from unrolled.kernels.kernel import Kernel, Pass, Record, Stepper, Trace, at, past_length
from unrolled.states import State


class Reference(Kernel):
    NAME = "reference"
    TOLERANCE = {torch.float32: 0.0, torch.float64: 0.0, torch.bfloat16: 0.0}  # noqa: RUF012

    def refuses(self, passes: Sequence[Pass], record: Collection[Record] = ()) -> list[str]:
        return [
            f"masks on the recurrent product need a cell with `recur`; {type(one.cell).__name__} gives only `step`"
            for one in passes
            if one.mask is not None and not isinstance(one.cell, LinearRecurrentCell)
        ]

    def run(self, passes: Sequence[Pass], record: Collection[Record] = ()) -> list[Trace]:
        return [_unroll(one, record) for one in passes]


def _unroll(one: Pass, record: Collection[Record]) -> Trace:
    weights = one.cell.prepare()
    u = one.cell.project(one.x, weights, one.condition)
    T = one.x.shape[0]
    state = one.state
    taken: list[Step] = []
    for t in range(T) if one.direction == "forward" else reversed(range(T)):
        step = _masked_step(one.cell, at(u, t), state, weights, one.mask)
        # Autocast may have narrowed the new state; carried, it keeps the type it came with.
        new = states.map_state(lambda leaf, old: leaf.to(old.dtype), step.state, state)
        state = new if one.lengths is None else states.where(t < one.lengths, new, state)
        taken.append(Step(step.output, state, step.gates))
    if one.direction == "backward":
        taken.reverse()

    output = past_length(torch.stack([step.output for step in taken]), one.lengths)
    every = states.stack([step.state for step in taken]) if "states" in record else None
    gates = None
    if "gates" in record:
        gates = {
            name: past_length(torch.stack([step.gates[name] for step in taken]), one.lengths) for name in taken[0].gates
        }
    return Trace(output, state, every, gates)


def _masked_step(cell: Cell, u_t: Tensor, state: State, weights: object, mask: State | None) -> Step:
    if mask is None:
        return cell.step(u_t, state, weights)
    assert isinstance(cell, LinearRecurrentCell)  # `refuses` saw to it
    masked = states.map_state(torch.mul, state, mask)
    return cell.combine(u_t, cell.recur(masked, weights), state)


class ReferenceStepper(Stepper):
    """The cell's own step, with `prepare` done once."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.weights = cell.prepare()

    def __call__(self, x_t: Tensor, state: State) -> Step:
        u = self.cell.project(x_t[None], self.weights)
        step = self.cell.step(at(u, 0), state, self.weights)
        return Step(step.output, states.map_state(lambda leaf, old: leaf.to(old.dtype), step.state, state), step.gates)
