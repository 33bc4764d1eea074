"""A cell with random weights beside its oracle: the same input, two answers, and how far they are apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from unrolled import states
from unrolled.cells import registry
from unrolled.cells.cell import Cell, state_like
from unrolled.kernels.kernel import Direction, Kernel, Pass
from unrolled.kernels.reference import Reference
from unrolled.states import State

from .oracles import all_oracles
from .oracles.oracle import Answer, Oracle

#: H is no multiple and no factor of the others, so that only blocks of H units are taken for such.
T, B, F, H = 6, 2, 3, 5

#: Between numbers that are the same but for rounding, and numbers that are not.
SAME, SEEN = 1e-10, 1e-3


@dataclass(frozen=True)
class Trial:
    """A cell, its oracle, and what both are given."""

    cell: Cell
    oracle: Oracle
    x: Tensor
    state: State
    condition: Tensor | None

    def a_pass(self, **changes) -> Pass:
        given = {"cell": self.cell, "x": self.x, "state": self.state, "condition": self.condition, **changes}
        return Pass(**given)


def trial(name: str, fresh: bool = False) -> Trial:
    """Random weights, biases too, and random x, from the initial state (`fresh`) or from one reached in T steps."""
    oracle = all_oracles()[name]
    torch.manual_seed(3)
    cell = registry.find(name)(F, H, **oracle.options).double()
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.normal_(std=oracle.std)
    before, x = torch.randn(2, T, B, *oracle.places, F, dtype=torch.float64)
    condition = torch.randn(B, cell.condition_size, dtype=torch.float64) if cell.condition_size else None
    state = state_like(cell, x)
    if not fresh:
        with torch.no_grad():
            state = Reference().run([Pass(cell, before, state, condition=condition)])[0].state
    return Trial(cell, oracle, x, state, condition)


def ours(one: Pass, kernel: Kernel | None = None) -> Answer:
    """The answer of the package; without the gates where a kernel that gives none is named."""
    with torch.no_grad():
        trace = (kernel or Reference()).run([one], () if kernel else ("gates",))[0]
    gates = {name: gate.numpy() for name, gate in (trace.gates or {}).items()}
    return Answer(trace.output.numpy(), tuple(leaf.numpy() for _, leaf in states.leaves(trace.state)), gates)


def theirs(it: Trial, direction: Direction = "forward", lengths: Sequence[int] | None = None) -> Answer:
    """The answer of the equations, row by row, zero past each length."""
    p = {name: value.numpy() for name, value in it.cell.state_dict().items()}
    rows = []
    for b in range(B):
        length = T if lengths is None else lengths[b]
        x = it.x[:length, b].numpy()
        state = [leaf[b].numpy() for _, leaf in states.leaves(it.state)]
        extra = {} if it.condition is None else {"condition": it.condition[b].numpy()}
        order = slice(None, None, -1) if direction == "backward" else slice(None)
        answer = it.oracle.run(p, x[order], *state, **extra)
        gates = {name: _padded(gate[order]) for name, gate in answer.gates.items()}
        rows.append(Answer(_padded(answer.outputs[order]), answer.state, gates))
    return Answer(
        np.stack([row.outputs for row in rows], 1),
        tuple(np.stack(leaf) for leaf in zip(*(row.state for row in rows), strict=True)),
        {name: np.stack([row.gates[name] for row in rows], 1) for name in rows[0].gates},
    )


def _padded(over_time: np.ndarray) -> np.ndarray:
    return np.pad(over_time, [(0, T - len(over_time)), *[(0, 0)] * (over_time.ndim - 1)])


def apart(left: np.ndarray, right: np.ndarray) -> float:
    """The greatest difference, relative to the greatest number where that is above 1; infinite for another shape."""
    if left.shape != right.shape:
        return float("inf")
    # NaN and overflow are as far away as can be. Truth values have no difference: times 1 they do.
    difference = np.nan_to_num(np.abs(left - 1 * right).max(initial=0), nan=np.inf)
    return float(difference / max(1.0, np.abs(right).max(initial=0)))


def farthest(left: Answer, right: Answer) -> tuple[str, float]:
    """Which part of two answers is farthest apart, and by how much. Gates only where both have them."""
    parts = {"output": apart(left.outputs, right.outputs)}
    for number, (a, b) in enumerate(zip(left.state, right.state, strict=True)):
        parts[f"state leaf {number}"] = apart(a, b)
    for name in left.gates.keys() & right.gates.keys():
        parts[f"gate {name!r}"] = apart(left.gates[name], right.gates[name])
    return max(parts.items(), key=lambda part: part[1])
