"""The native kernels: whole sequences in compiled code, forward and backward, for the cells that it knows.

Torch does the big products over all times, into the cell (`project`) and for the weights' gradients; the native core
does the recurrence. Where the package was built without a compiler, this kernel refuses, and says so. docs/native.md
tells how it works, and how a cell is added.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from unrolled.cells.cell import Cell
from unrolled.cells.elman import IRNN, Elman, ElmanReLU, ElmanSigmoid
from unrolled.cells.gru import GRU
from unrolled.cells.lstm import LSTM
from unrolled.kernels import (
    native_core,
    native_operators,  # noqa: F401 (it makes the operators known to torch)
)
from unrolled.kernels.kernel import Kernel, Pass, Record, Trace, past_length


class Struct(NamedTuple):
    """A cell's struct in the native core, and the weights that the cell has beside the product, (H) each."""

    name: str
    extra: Callable[[Any], list[Tensor]] = lambda cell: []


# Exactly these classes: a subclass may have changed a step.
_STRUCTS: dict[type[Cell], Struct] = {
    Elman: Struct("elman-tanh"),
    ElmanReLU: Struct("elman-relu"),
    IRNN: Struct("elman-relu"),
    ElmanSigmoid: Struct("elman-sigmoid"),
    LSTM: Struct("lstm"),
    GRU: Struct("gru", lambda cell: [cell.b_h]),
}


class Native(Kernel):
    """Compiled code, on the CPU."""

    NAME = "native"
    TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12, torch.bfloat16: 3e-2}  # noqa: RUF012

    def refuses(self, passes: Sequence[Pass], record: Collection[Record] = ()) -> list[str]:
        if not native_core.is_built():
            return ["the native core was not built when this package was installed: there was no C++ compiler"]
        reasons = []
        for one in passes:
            if type(one.cell) not in _STRUCTS:
                there = ", ".join(sorted(cell.__name__ for cell in _STRUCTS))
                reasons.append(f"the native core has no struct for {type(one.cell).__name__} (it has: {there})")
                continue
            weight = _recurrent_weight(one.cell)
            if one.x.device.type != "cpu" or weight.device.type != "cpu":
                reasons.append(f"the native core runs on the CPU, and this is on {one.x.device}")
            if weight.dtype not in (torch.float32, torch.float64):
                reasons.append(f"the native core takes weights of float32 or float64, and these are {weight.dtype}")
            if torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") != torch.bfloat16:
                reasons.append("the native core knows bfloat16 as the one type of autocast")
            if one.mask is not None:
                reasons.append("the native core takes no mask on the recurrent product")
            if one.zoneout is not None:
                reasons.append("the native core knows no zoneout")
        if record:
            reasons.append(f"the native core gives no record of every step ({', '.join(sorted(record))} asked for)")
        return list(dict.fromkeys(reasons))

    def _run(self, passes: Sequence[Pass], record: Collection[Record]) -> list[Trace]:
        return [_run_pass(one) for one in passes]


def _recurrent_weight(cell: Cell) -> Tensor:
    return cast("Any", cell).W  # not get_parameter: under weight drop another tensor stands here


def _run_pass(one: Pass) -> Trace:
    struct = _STRUCTS[type(one.cell)]
    known = native_core.cells()[struct.name]
    u = one.cell.project(past_length(one.x, one.lengths), one.cell.prepare(), one.condition)
    W = _recurrent_weight(one.cell)
    if torch.is_autocast_enabled("cpu") and W.dtype == torch.float32:
        u = u.to(torch.bfloat16)
    extra, start = struct.extra(one.cell), list(cast("tuple[Tensor, ...]", one.state))
    keep = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (u, W, *extra, *start))
    given = torch.ops.unrolled.recurrence(
        u, W, extra, start, one.lengths, known.number, one.direction == "backward", keep
    )
    return Trace(given[0], type(one.state)(*given[1 : 1 + known.states]))
