"""Cells fed step by step in compiled code, from weights that are packed once: what closed loops run on.

The weights may be packed narrower than they are: a step with few rows costs what reading them costs. Input, state and
sums stay float32. docs/native.md tells how it works.

    float32    the numbers of the reference, to rounding
    bfloat16   weights, and what enters the products, rounded to 8 bits
    int8       weights to 8 bits, with a scale for each row of U and of W; on a machine that multiplies bytes, what
               enters the products too, with a scale for each row of the batch and each step
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from unrolled.cells.cell import Cell, Step, is_symbols
from unrolled.cells.lstm_variations import ProjectedLSTM
from unrolled.errors import KernelError, ShapeError
from unrolled.kernels import native_core
from unrolled.kernels.kernel import Precision, Stepper, check_steps, zoned_out
from unrolled.kernels.native import _STRUCTS
from unrolled.kernels.native_core import address, check
from unrolled.kernels.reference import ReferenceStepper
from unrolled.states import State

#: Greatest relative L2 distance from the reference, over the outputs and the state of some steps of a new cell.
TOLERANCE: dict[Precision, float] = {"float32": 1e-5, "bfloat16": 1e-2, "int8": 3e-2}
_ORDER: dict[Precision, int] = {"float32": 0, "bfloat16": 1, "int8": 2}


class StreamCell(NamedTuple):
    """What the native core says of a cell that it streams: its number there, and its struct's constants."""

    number: int
    gates: int
    states: int
    extra: int


@cache
def cells() -> dict[str, StreamCell]:
    """The cells that the native core streams, by the names of their structs."""
    return {name: StreamCell(*constants) for name, constants in native_core.core().streams().items()}


def refuses(cell: Cell) -> list[str]:
    """Why this cell cannot be streamed by the native core, in words; empty where it can."""
    if why := native_core.lacks("stream"):
        return [why]
    if not _is_streamed(type(cell)):
        served = ", ".join(sorted(kind.__name__ for kind in _STRUCTS if _is_streamed(kind)))
        return [f"the native core does not stream {type(cell).__name__} (it streams: {served})"]
    reasons = []
    weight = cast("Any", cell).W
    if weight.device.type != "cpu":
        reasons.append(f"the native core runs on the CPU, and this cell is on {weight.device}")
    if weight.dtype != torch.float32:
        reasons.append(f"the native core streams cells of float32, and this one is {weight.dtype}")
    return reasons


def _is_streamed(kind: type[Cell]) -> bool:
    # ProjectedLSTM has the struct of the LSTM for whole sequences alone: there its second product can wait.
    return kind in _STRUCTS and _STRUCTS[kind].name in cells() and kind is not ProjectedLSTM


class NativeStepper(Stepper):
    """The native core's stepper, with packed copies of the weights. KernelError where it refuses the cell.

    Where gradients are wanted the reference takes the step, from the cell's own weights. It gives no gates.
    """

    NAME = "native"

    def __init__(self, cell: Cell, precision: Precision = "float32") -> None:
        if reasons := refuses(cell):
            raise KernelError(f"this cannot be streamed: {'; '.join(reasons)}")
        self._cell, self._reference = cell, ReferenceStepper(cell)
        self._F, self._H = cell.input_size, cell.hidden_size
        self._struct = _STRUCTS[type(cell)]
        self._known = cells()[self._struct.name]
        self._precision = _ORDER[precision]
        self._own = cast("Any", cell)
        self._run = native_core.core().stream
        self._packed: dict[int, Tensor] = {}
        self._table: Tensor | None = None

    def __call__(
        self, x_t: Tensor, state: State, condition: Tensor | None = None, zoneout: State | None = None
    ) -> Step:
        if torch.is_grad_enabled() and self._wants_gradient(x_t, state):
            return self._reference(x_t, state, condition, zoneout)
        _, after = self._steps(x_t, state, 1)
        step = Step(after[0], after, {})  # in each of these cells the output is h, the first leaf
        return step if zoneout is None else zoned_out(self._cell, step, None, state, zoneout)

    def run(self, x: Tensor, state: State, condition: Tensor | None = None) -> tuple[Tensor, State]:
        if torch.is_grad_enabled() and self._wants_gradient(x, state):
            return self._reference.run(x, state, condition)
        check_steps(x)
        output, after = self._steps(x.flatten(0, 1), state, len(x))
        return output.view(len(x), *state[0].shape), after

    def _wants_gradient(self, x: Tensor, state: Any) -> bool:
        return any(t.requires_grad for t in (x, *state, *self._cell.parameters()))

    def _steps(self, x: Tensor, state: Any, T: int) -> tuple[Tensor, Any]:
        """T steps, x (T·B, F) or whole numbers (T·B) → every h (T·B, H), and the state.

        In a small cell this is most of a step's time: nothing is looked at twice, and the words are made in `check`.
        """
        first = state[0]
        shape = first.shape
        B, H = shape[0], self._H
        read = []
        for leaf in state:
            if leaf.shape != shape or shape[-1] != H or leaf.dtype is not torch.float32 or not leaf.is_cpu:
                check(f"the state of {type(self._cell).__name__}", leaf, (B, H), torch.float32)
            read.append(leaf.contiguous())
        if x.dtype is torch.float32:
            F, table, V = self._F, 0, 0
            if x.shape != (T * B, F) or not x.is_cpu:
                check("the input", x, (T * B, F), torch.float32)
            x = x.contiguous()
            at, symbols = x.data_ptr(), 0
        elif is_symbols(x):
            F, table, V = 0, self._looked_up().data_ptr(), self._F
            check("symbols", x, (T * B,), x.dtype)
            x = x.long().contiguous()
            at, symbols = 0, x.data_ptr()
        else:
            raise ShapeError(f"the native core wants the input as float32, or as whole numbers; {x.dtype} came")
        packed = self._packed[F] if F in self._packed else self._pack(F)
        after = [torch.empty(shape) for _ in read]
        output = torch.empty(T * B, H) if T > 1 else after[0]  # of one step, h is the first leaf
        self._run(
            *(self._known.number, self._precision, T, B, F, H, torch.get_num_threads(), packed.data_ptr()),
            *(at, symbols, table, V, *self._addresses(read), output.data_ptr(), *self._addresses(after)),
        )
        return output, type(state)(*after)

    @staticmethod
    def _addresses(leaves: list[Tensor]) -> tuple[int, int]:
        return leaves[0].data_ptr(), leaves[1].data_ptr() if len(leaves) > 1 else 0

    def _looked_up(self) -> Tensor:
        """(V, G·H): U and b for each symbol."""
        if self._table is None:
            with torch.no_grad():
                self._table = (self._own.U.T + self._own.b).contiguous()
        return self._table

    def _pack(self, F: int) -> Tensor:
        """The weights for an input of F features; F is 0 where symbols are looked up."""
        H, core, number = self._cell.hidden_size, native_core.core(), self._known.number
        # Views of a larger room, as the start must be a multiple of a line.
        room = torch.empty(core.packed_bytes(number, self._precision, F, H) + 64, dtype=torch.uint8)
        packed = room[-room.data_ptr() % 64 :]
        with torch.no_grad():
            own, extra = self._own, self._struct.extra(self._cell)
            U, W, b, extra = (native_core.contiguous(part) for part in (own.U, own.W, own.b, extra))
            core.pack(
                *(number, self._precision, F, H, address(U if F else None), address(W)),
                *(address(b if F else None), address(extra), packed.data_ptr()),
            )
        self._packed[F] = packed
        return packed
