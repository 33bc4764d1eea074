"""Cells of which the native core has no struct, fed step by step in compiled code: their programs (traced_plan.py),
with the weights packed once. docs/native.md tells how it works.
"""

from __future__ import annotations

from itertools import chain
from typing import Any, NamedTuple

import torch
from torch import Tensor

from unrolled import states
from unrolled.cells.cell import Cell, Step, is_symbols, state_like
from unrolled.errors import KernelError
from unrolled.kernels import native_core
from unrolled.kernels.kernel import Stepper, check_steps
from unrolled.kernels.native_core import check
from unrolled.kernels.native_packed import Packed
from unrolled.kernels.reference import ReferenceStepper
from unrolled.kernels.traced_plan import Form, dtype_of, flat, kept_types, leaves, plan_for, weights_of, why_not
from unrolled.states import State

#: Greatest relative L2 distance from the reference, over the outputs and the state of some steps of a new cell.
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}


def refuses(cell: Cell) -> list[str]:
    """Why this cell's steps cannot be taken as a program of the native core, in words; empty where they can."""
    if why := native_core.lacks("PackedProgram"):
        return [why]
    dtype, name = dtype_of(cell), type(cell).__name__
    if any(parameter.device.type != "cpu" for parameter in cell.parameters()):
        return [f"the native core runs on the CPU, and this {name} is elsewhere"]
    if dtype not in TOLERANCE:
        return [f"programs are of float32 or float64, and these weights are {dtype}"]
    if cell.PLACES:
        return [f"programs are of rows of numbers, and {name} reads pictures"]
    like = state_like(cell, torch.empty(0, 1, cell.input_size))
    if not isinstance(like, Tensor) and any(isinstance(part, tuple) for part in like):
        return [f"the leaves of a state stand side by side, and {name} has some within others"]
    for symbols in (False, True):
        if why := why_not(cell, *_form(cell, symbols, False)):
            return [f"{name} is no program: its step {why}"]
    return []


def _form(cell: Cell, symbols: bool, whole: bool) -> Form:
    return Form(symbols, () if symbols else (cell.input_size,), False, None, whole)


class _Leaf(NamedTuple):
    """What a leaf of the state must be: one row's shape, and the type; whether it is computed with in another one."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    other: bool


class TracedStepper(Stepper):
    """The cell's program, with packed copies of the weights. KernelError where `refuses` has something against it.

    Where gradients are wanted the reference takes the step, from the cell's own weights. It gives no gates.
    """

    NAME = "traced"

    def __init__(self, cell: Cell) -> None:
        if reasons := refuses(cell):
            raise KernelError(f"this cannot be streamed: {'; '.join(reasons)}")
        self._cell, self._reference = cell, ReferenceStepper(cell)
        self._dtype, self._name = dtype_of(cell), type(cell).__name__
        like = state_like(cell, torch.empty(0, 1, cell.input_size))
        self._single = isinstance(like, Tensor)
        kinds = [(tuple(leaf.shape[1:]), leaf.dtype) for _, leaf in states.leaves(like)]
        self._leaves = [_Leaf(shape, dtype, dtype is not self._dtype) for shape, dtype in kinds]
        self._mixed = any(leaf.other for leaf in self._leaves)
        self._packed: dict[Form, Packed] = {}
        self._whole = not cell.condition_size and not why_not(cell, *_form(cell, False, True))
        self._plain, self._looked_up = _form(cell, False, self._whole), _form(cell, True, False)
        self._table: list[Tensor] | None = None

    def __call__(
        self, x_t: Tensor, state: State, condition: Tensor | None = None, zoneout: State | None = None
    ) -> Step:
        if torch.is_grad_enabled() and self._wants_gradient(x_t, state, condition, zoneout):
            return self._reference(x_t, state, condition, zoneout)
        output, after = self._steps(x_t, 1, state, condition, zoneout)
        return Step(output, after, {})

    def run(self, x: Tensor, state: State, condition: Tensor | None = None) -> tuple[Tensor, State]:
        if torch.is_grad_enabled() and self._wants_gradient(x, state, condition):
            return self._reference.run(x, state, condition)
        check_steps(x)
        output, after = self._steps(x.flatten(0, 1), len(x), state, condition, None)
        return output.view(*x.shape[:2], *output.shape[1:]), after

    def _wants_gradient(self, *given: Any) -> bool:
        beside = (leaf for one in given for _, leaf in states.leaves(one) if leaf is not None)
        return any(tensor.requires_grad for tensor in chain(beside, self._cell.parameters()))

    def _steps(
        self, x: Tensor, T: int, state: Any, condition: Tensor | None, zoneout: State | None
    ) -> tuple[Tensor, Any]:
        """T steps, x (T·B, F) or whole numbers (T·B) → the outputs (T·B, ...), and the state.

        In a small cell this is most of a step's time: nothing is looked at twice, and the words are made in `check`.
        """
        given = (state,) if self._single else state
        B = len(given[0])
        read = []
        for leaf, (shape, dtype, other) in zip(given, self._leaves, strict=True):
            if leaf.shape != (B, *shape) or leaf.dtype is not dtype or not leaf.is_cpu:
                check(f"the state of {self._name}", leaf, (B, *shape), dtype)
            read.append(leaf if leaf.is_contiguous() and not other else leaf.to(self._dtype).contiguous())
        if is_symbols(x):
            form, streams = self._looked_up, self._of_symbols(x, T, B, condition)
        else:
            form, streams = self._plain, self._of_vectors(x, T, B, condition)
        if zoneout is not None:
            form = form._replace(zoneout=kept_types(zoneout))
            streams += self._kept(zoneout, B)
        packed = self._packed.get(form) or self._pack(form)
        output, after = packed.run(T, B, streams, read)
        if self._mixed:
            after = [one.to(leaf.dtype) for one, leaf in zip(after, self._leaves, strict=True)]
        return output, after[0] if self._single else type(state)(*after)

    def _of_vectors(self, x: Tensor, T: int, B: int, condition: Tensor | None) -> list[Tensor]:
        """What comes in, (T·B, width) each: x, or what the cell makes of it."""
        dtype, F = self._dtype, self._cell.input_size
        if x.dtype is not dtype and torch.is_autocast_enabled("cpu"):
            x = x.to(dtype)
        if x.shape != (T * B, F) or x.dtype is not dtype or not x.is_cpu:
            check("the input", x, (T * B, F), dtype)
        return [x.contiguous()] if self._whole else self._made(x.reshape(T, B, F), condition)

    def _of_symbols(self, x: Tensor, T: int, B: int, condition: Tensor | None) -> list[Tensor]:
        check("symbols", x, (T * B,), x.dtype)
        if condition is not None:
            return self._made(x.reshape(T, B), condition)
        return [leaf.index_select(0, x.long()) for leaf in self._by_symbol()]

    def _made(self, x: Tensor, condition: Tensor | None) -> list[Tensor]:
        with torch.no_grad():
            u = self._cell.project(x, self._reference.weights, condition)
        return [leaf.to(self._dtype).contiguous() for leaf in leaves(u)]

    def _by_symbol(self) -> list[Tensor]:
        """What the cell makes of each symbol, (V, width) each."""
        if self._table is None:
            with torch.no_grad():
                u = self._cell.project(torch.arange(self._cell.input_size)[None], self._reference.weights)
            self._table = [flat(leaf[0], 1).to(self._dtype).contiguous() for leaf in leaves(u)]
        return self._table

    def _kept(self, zoneout: Any, B: int) -> list[Tensor]:
        """The leaves of this step's zoneout that there are."""
        given = (zoneout,) if self._single else tuple(zoneout)
        read = []
        for leaf, (shape, *_) in zip(given, self._leaves, strict=True):
            if leaf is not None:
                check("zoneout", leaf, (B, *shape), leaf.dtype)
                read.append(leaf.to(self._dtype).contiguous())
        return read

    def _pack(self, form: Form) -> Packed:
        plan = plan_for(self._cell, form)
        if isinstance(plan, str):
            raise KernelError(f"{self._name} with this zoneout is no program: its step {plan}")
        with torch.no_grad(), torch.autocast("cpu", enabled=False):
            vectors, matrices = plan.weights(weights_of(self._cell, self._reference.weights))
            self._packed[form] = Packed(plan.step, plan.output, vectors, matrices, self._dtype)
        return self._packed[form]
