"""The reference: the one Python loop over a known sequence. It serves every cell, and the others must agree with it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import torch
from torch import Tensor

from unrolled import states
from unrolled.cells.cell import Cell, LinearRecurrentCell, Step
from unrolled.kernels.kernel import Kernel, Pass, Record, Stepper, Trace, at, past_length, zoned_out
from unrolled.states import State


class Reference(Kernel):
    """Step by step, in Python."""

    NAME = "reference"
    # Under autocast the cell decides how much is lost; a normalisation of few features loses the most.
    TOLERANCE = {torch.float32: 0.0, torch.float64: 0.0, torch.bfloat16: 1e-1}  # noqa: RUF012

    def refuses(self, passes: Sequence[Pass], record: Collection[Record] = ()) -> list[str]:
        return [
            f"masks on the recurrent product need a cell with `recur`; {type(one.cell).__name__} gives only `step`"
            for one in passes
            if one.mask is not None and not isinstance(one.cell, LinearRecurrentCell)
        ]

    def _run(self, passes: Sequence[Pass], record: Collection[Record]) -> list[Trace]:
        return [_unroll(one, record) for one in passes]


def _unroll(one: Pass, record: Collection[Record]) -> Trace:
    weights = one.cell.prepare()
    # The steps past a length are taken, and thrown away: on zeros, so that nothing in them can spoil a gradient.
    u = one.cell.project(past_length(one.x, one.lengths), weights, one.condition)
    T = one.x.shape[0]
    state = one.state
    outputs: list[Tensor] = []
    every: list[State] = []
    gates: list[dict[str, Tensor]] = []
    for t in range(T) if one.direction == "forward" else reversed(range(T)):
        kept = None if one.zoneout is None else states.map_state(lambda leaf, t=t: at(leaf, t), one.zoneout)
        step = take_step(one.cell, at(u, t), state, weights, one.mask, kept)
        state = step.state if one.lengths is None else states.where(t < one.lengths, step.state, state)
        outputs.append(step.output)
        if "states" in record:
            every.append(state)
        if "gates" in record:
            gates.append(step.gates)
    if one.direction == "backward":
        for taken in (outputs, every, gates):
            taken.reverse()
    return Trace(
        past_length(torch.stack(outputs), one.lengths),
        state,
        states.stack(every) if every else None,
        {name: past_length(torch.stack([g[name] for g in gates]), one.lengths) for name in gates[0]} if gates else None,
    )


def take_step(
    cell: Cell, u_t: Any, state: State, weights: Any, mask: State | None = None, zoneout: State | None = None
) -> Step:
    """One step of a pass. mask: as in the pass; zoneout: of this step, (B, ...) in each leaf that is not None."""
    if mask is None:
        step = cell.step(u_t, state, weights)
    else:
        assert isinstance(cell, LinearRecurrentCell)  # `refuses` saw to it
        masked = states.map_state(torch.mul, state, mask)
        step = cell.combine(u_t, cell.recur(masked, weights), state)
    if zoneout is not None:
        step = zoned_out(cell, step, u_t, state, zoneout)
    # Autocast may have narrowed the new state; carried, it keeps the type it came with.
    return step._replace(state=states.map_state(lambda leaf, old: leaf.to(old.dtype), step.state, state))


class ReferenceStepper(Stepper):
    """The cell's own step, with `prepare` done once."""

    NAME = "reference"

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.weights = cell.prepare()

    def __call__(
        self, x_t: Tensor, state: State, condition: Tensor | None = None, zoneout: State | None = None
    ) -> Step:
        u = self.cell.project(x_t[None], self.weights, condition)
        return take_step(self.cell, at(u, 0), state, self.weights, zoneout=zoneout)
