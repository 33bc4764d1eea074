"""The contract of a stepper: fed step by step, a cell gives what its own steps give, whatever comes beside the input.

`check_stepper(make, subject, dtype, tolerance)` tries vectors and symbols, zoneout by shares and by masks, the cell's
condition, known steps in one call, and gradients, always from a state that is not zero.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from unrolled import states
from unrolled.cells.cell import Cell
from unrolled.contracts.subject import B, Subject, T, agree, require
from unrolled.kernels.kernel import Pass, Stepper
from unrolled.kernels.reference import ReferenceStepper
from unrolled.states import State


def check_stepper(make: Callable[[Cell], Stepper], subject: Subject, dtype: torch.dtype, tolerance: float) -> None:
    """ContractError at the first clause that the steppers `make` gives break for this cell, in this number type.

    tolerance: the greatest relative L2 distance from the reference, over some steps, each from the same state.
    """
    cell = subject.cell(dtype)
    one = subject.sequence(cell)
    inputs = {"vectors": one.x}
    if not subject.places:
        inputs["symbols"] = torch.arange(T * B).reshape(T, B) % subject.input_size
    shares = subject.zoneout(one.state)
    masks = states.map_state(lambda leaf: None if leaf is None else leaf > 0.5, shares)
    for name, x in inputs.items():
        what = f"stepper of {type(cell).__name__}, {str(dtype).removeprefix('torch.')}, {name}"
        with torch.no_grad():
            whole = _stepped(make, one, x, None, what, tolerance)
            _stepped(make, one, x, shares, f"{what}, zoned out", tolerance)
            _stepped(make, one, x, masks, f"{what}, zoned out by masks", tolerance)
            agree(make(cell).run(x, one.state, one.condition), whole, f"{what}, many steps in one call", tolerance)
    agree(_gradients(make(cell), one), _gradients(ReferenceStepper(cell), one), f"gradients: {what}", tolerance)


def _stepped(
    make: Callable[[Cell], Stepper], one: Pass, x: Tensor, zoneout: State | None, what: str, tolerance: float
) -> tuple[Tensor, State]:
    """Each step beside the reference's from the same state → what the steps gave, and the last state."""
    stepper, reference = make(one.cell), ReferenceStepper(one.cell)
    state, ours, theirs = one.state, [], []
    for t, x_t in enumerate(x):
        now = None
        if zoneout is not None:
            now = states.map_state(lambda leaf, t=t: None if leaf is None else leaf[t], zoneout)
        right = reference(x_t, state, one.condition, now)
        step = stepper(x_t, state, one.condition, now)
        for (name, old), (_, new) in zip(states.leaves(state), states.leaves(step.state), strict=True):
            require(old.dtype == new.dtype, f"{what}: state {name!r} came as {old.dtype}, left as {new.dtype}")
        ours.append((step.output, step.state))
        theirs.append((right.output, right.state))
        state = step.state
    agree(states.stack(ours), states.stack(theirs), what, tolerance)
    return torch.stack([output for output, _ in ours]), state


def _gradients(stepper: Stepper, one: Pass) -> tuple[Tensor, ...]:
    """Of x and of each weight that has one, through all steps."""
    x = one.x.clone().requires_grad_()
    output, _ = stepper.run(x, one.state, one.condition)
    given = [x, *one.cell.parameters()]
    found = torch.autograd.grad(output.square().sum(), given, allow_unused=True)
    return tuple(torch.zeros_like(value) if d is None else d for value, d in zip(given, found, strict=True))
