"""The traced kernel: cells of which the native core has no struct, somebody's own among them, in compiled code.

The cell's own step is taken once, and what it asks of torch is written down as a program (trace_step.py), which the
native core runs through all of time, forward and backward (native_program.py). docs/native.md tells how it works.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import torch
from torch import Tensor

from unrolled import states
from unrolled.cells.cell import Cell
from unrolled.kernels import native_core, native_products, native_program
from unrolled.kernels.kernel import Kernel, Pass, Record, Trace, past_length
from unrolled.kernels.traced_plan import Form, Plan, dtype_of, flat, form_of, leaves, plan_for, weights_of, why_not

#: T below which the reference is faster (measured with one row of 64 units and with 16 of 128).
_FEWEST_STEPS = 4


class Traced(Kernel):
    """The cell's own step, traced and run in the native core. Under autocast it computes in float32."""

    NAME = "traced"
    TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12, torch.bfloat16: 3e-2}  # noqa: RUF012

    def refuses(self, passes: Sequence[Pass], record: Collection[Record] = ()) -> list[str]:
        if why := native_core.lacks("run_program"):
            return [why]
        reasons = []
        for one in passes:
            dtype, held = dtype_of(one.cell), [leaf for _, leaf in states.leaves(one.state)]
            if one.x.device.type != "cpu" or any(leaf.device.type != "cpu" for leaf in held):
                reasons.append(f"the native core runs on the CPU, and this is on {one.x.device}")
            elif dtype not in (torch.float32, torch.float64):
                reasons.append(f"programs are of float32 or float64, and these weights are {dtype}")
            elif any(leaf.is_complex() for leaf in held):
                reasons.append("programs are of real numbers, and this state is complex")
            elif why := why_not(one.cell, *form_of(one)):
                reasons.append(f"{type(one.cell).__name__} is no program: its step {why}")
        if record:
            reasons.append(f"a traced step gives no record of every step ({', '.join(sorted(record))} asked for)")
        return list(dict.fromkeys(reasons))

    def yields(self, passes: Sequence[Pass], record: Collection[Record] = ()) -> list[str]:
        if any(len(one.x) < _FEWEST_STEPS for one in passes):
            return ["for so few steps, making a sequence ready costs more than it saves"]
        return []

    def _run(self, passes: Sequence[Pass], record: Collection[Record]) -> list[Trace]:
        return [_run_pass(one) for one in passes]


def _run_pass(one: Pass) -> Trace:
    cell, form, compiling = one.cell, form_of(one), torch.compiler.is_compiling()
    prepared, x = cell.prepare(), past_length(one.x, one.lengths)
    with native_products.projections():
        u = cell.project(x, prepared, one.condition)
    streams = [*leaves(u), *leaves(one.zoneout)]
    given = weights_of(cell, prepared), streams, leaves(one.mask), leaves(one.state), one.lengths
    if compiling:
        output, *last = _run_numbered(_numbered(cell, *form), *given, one.direction == "backward")
    else:
        plan = plan_for(cell, form)
        assert isinstance(plan, Plan)  # `refuses` saw to it
        output, *last = _run_plan(plan, *given, one.direction == "backward")
    after = iter(last)
    return Trace(output, states.map_state(lambda _: next(after), one.state))


def _run_plan(
    plan: Plan,
    weights: Sequence[Tensor],
    streams: Sequence[Tensor],
    masks: Sequence[Tensor],
    start: Sequence[Tensor],
    lengths: Tensor | None,
    reverse: bool,
) -> list[Tensor]:
    """The output, and the last state's leaves."""
    dtype, (T, B) = plan.dtype, streams[0].shape[:2]
    with torch.autocast("cpu", enabled=False):
        vectors, matrices = plan.weights(weights)
        given = [flat(leaf.to(dtype), 2) for leaf in streams]
        given += [flat(leaf.to(dtype), 1).expand(T, B, -1) for leaf in masks]
        before = [flat(leaf.to(dtype), 1) for leaf in start]
        output, last = native_program.run(plan.step, given, before, vectors, matrices, lengths, reverse)
        after = [one.view(leaf.shape).to(leaf.dtype) for one, leaf in zip(last, start, strict=True)]
    return [output.view(T, B, *plan.output), *after]


# --- under torch.compile, which can hold numbers in a graph, but no plans ---

_plans: list[Plan] = []


@native_core.constant
def _numbered(cell: Cell, *form: Any) -> int:
    """The number of the plan for `_run_numbered`, which torch.compile from now on does not look into."""
    plan = plan_for(cell, Form(*form))
    assert isinstance(plan, Plan)  # `refuses` saw to it
    torch.compiler.allow_in_graph(_run_numbered)
    _plans.append(plan)
    return len(_plans) - 1


def _run_numbered(number: int, *given: Any) -> list[Tensor]:
    plan = _plans[number]
    plan.step.called(plan.step.forward).check()  # a graph that is not compiled any further comes here at each call
    return _run_plan(plan, *given)
