"""The traced kernel: cells of which the native core has no struct, somebody's own among them, in compiled code.

The cell's own step is taken once, and what it asks of torch is written down as a program (trace_step.py), which the
native core runs through all of time, forward and backward (native_program.py). docs/native.md tells how it works.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch

from unrolled import states
from unrolled.kernels import native_core, native_products, native_program
from unrolled.kernels.kernel import Kernel, Pass, Record, Trace, past_length
from unrolled.kernels.traced_plan import Plan, dtype_of, flat, form_of, leaves, plan_for

#: T below which the reference is faster (measured with one row of 64 units and with 16 of 128).
_FEWEST_STEPS = 4


class Traced(Kernel):
    """The cell's own step, traced and run in the native core. Under autocast it computes in float32."""

    NAME = "traced"
    TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12, torch.bfloat16: 3e-2}  # noqa: RUF012

    def refuses(self, passes: Sequence[Pass], record: Collection[Record] = ()) -> list[str]:
        if why := native_core.lacks("run_program"):
            return [why]
        if torch.compiler.is_compiling():
            return ["torch.compile cannot look into a traced step"]
        reasons = []
        for one in passes:
            dtype = dtype_of(one.cell)
            if one.x.device.type != "cpu" or any(leaf.device.type != "cpu" for _, leaf in states.leaves(one.state)):
                reasons.append(f"the native core runs on the CPU, and this is on {one.x.device}")
            elif dtype not in (torch.float32, torch.float64):
                reasons.append(f"programs are of float32 or float64, and these weights are {dtype}")
            elif isinstance(plan := plan_for(one.cell, form_of(one)), str):
                reasons.append(f"{type(one.cell).__name__} is no program: its step {plan}")
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
    plan, cell = plan_for(one.cell, form_of(one)), one.cell
    assert isinstance(plan, Plan)  # `refuses` saw to it
    dtype, (T, B) = dtype_of(cell), one.x.shape[:2]
    weights = cell.prepare()
    with native_products.Projections():
        u = cell.project(past_length(one.x, one.lengths), weights, one.condition)
    with torch.autocast("cpu", enabled=False):
        vectors, matrices = plan.weights(cell, weights)
        streams = [flat(leaf.to(dtype), 2) for leaf in (*leaves(u), *leaves(one.zoneout))]
        masks = [flat(leaf.to(dtype), 1).expand(T, B, -1) for leaf in leaves(one.mask)]
        start = [flat(leaf.to(dtype), 1) for _, leaf in states.leaves(one.state)]
        output, last = native_program.run(
            plan.step, [*streams, *masks], start, vectors, matrices, one.lengths, one.direction == "backward"
        )
    after = iter(last)
    state = states.map_state(lambda leaf: next(after).view(leaf.shape).to(leaf.dtype), one.state)
    return Trace(output.view(T, B, *plan.output), state)
