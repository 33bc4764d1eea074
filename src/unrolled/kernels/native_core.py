"""The native core from Python: whether it is there, what it knows, and what it is told.

It takes addresses. So every tensor is looked at here before its address leaves Python: a wrong shape, type or place is
a ShapeError, never a crash.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from unrolled.errors import ShapeError

_MODULE = "unrolled.kernels._native"
#: In the order of `Number` in csrc/recurrence.h: what is stored, and what is computed with.
_NUMBERS = {torch.float32: torch.float32, torch.float64: torch.float64, torch.bfloat16: torch.float32}
_ORDER = list(_NUMBERS)


class NativeCell(NamedTuple):
    """What the native core says of a cell: its number there, and its struct's constants (csrc/isa/cells.h)."""

    number: int
    gates: int
    states: int
    saved: int
    extra: int
    same_gradient: bool


@cache
def is_built() -> bool:
    """Whether the native core came with this installation."""
    return importlib.util.find_spec(_MODULE) is not None


@cache
def core() -> Any:
    """The compiled module. ImportError where it was not built."""
    return importlib.import_module(_MODULE)


@cache
def cells() -> dict[str, NativeCell]:
    """The cells that the native core has structs for, by the names they have there."""
    return {name: NativeCell(*constants) for name, constants in core().cells().items()}


@cache
def _by_number() -> list[NativeCell]:
    return list(cells().values())


def known(number: int) -> NativeCell:
    """The cell of this number. ShapeError where there is none."""
    if not 0 <= number < len(_by_number()):
        raise ShapeError(f"the native core's cells have the numbers 0 to {len(_by_number()) - 1}; {number} came")
    return _by_number()[number]


def instruction_set() -> str:
    """The instruction set that the core runs with: the machine's best, or that of UNROLLED_ISA in the environment."""
    return core().instruction_set()


def check(name: str, tensor: Tensor, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    """ShapeError unless the tensor is as the native core wants it."""
    if tensor.shape != shape or tensor.dtype != dtype or tensor.device.type != "cpu":
        raise ShapeError(
            f"the native core wants {name} as {shape}, {dtype}, on the CPU; "
            f"{tuple(tensor.shape)}, {tensor.dtype}, on {tensor.device} came"
        )


def check_weights(stored: torch.dtype, W: Tensor, extra: list[Tensor], start: list[Tensor], cell: NativeCell) -> None:
    """ShapeError unless weights and state fit each other and the type `stored` of the sequence."""
    if stored not in _NUMBERS:
        raise ShapeError(f"the native core knows float32, float64 and bfloat16; {stored} came")
    if W.dim() != 2 or W.shape[1] == 0:
        raise ShapeError(f"the native core wants W as ({cell.gates}·H, H); {tuple(W.shape)} came")
    H = W.shape[1]
    computed = _NUMBERS[stored]
    check("W", W, (cell.gates * H, H), computed)
    if len(extra) != cell.extra or len(start) != cell.states:
        raise ShapeError(
            f"this cell has {cell.extra} weights of its own and {cell.states} leaves of state; "
            f"{len(extra)} and {len(start)} came"
        )
    for number, own in enumerate(extra):
        check(f"weight {number} of the cell's own", own, (H,), computed)
    for leaf in start:
        check("a leaf of the state", leaf, (leaf.shape[0] if leaf.dim() else 0, H), computed)


def check_rows(start: list[Tensor], lengths: Tensor | None, B: int, H: int) -> None:
    """ShapeError unless there are B rows of each."""
    for leaf in start:
        check("a leaf of the state", leaf, (B, H), leaf.dtype)
    if lengths is not None:
        check("lengths", lengths, (B,), torch.int64)


def problem(
    u: Tensor,
    W: Tensor,
    extra: list[Tensor],
    start: list[Tensor],
    lengths: Tensor | None,
    given: list[Tensor],
    cell: NativeCell,
    reverse: bool,
    keep: bool,
) -> tuple[Any, ...]:
    """What the core's two functions take first; in the backward one, u stands for its type alone."""
    T, B, H = given[0].shape
    kept = given[1 + cell.states :]
    return (
        cell.number,
        _ORDER.index(u.dtype),
        T,
        B,
        H,
        reverse,
        torch.get_num_threads(),
        0 if lengths is None else lengths.data_ptr(),
        u.data_ptr(),
        W.data_ptr(),
        addresses(extra),
        addresses(start),
        given[0].data_ptr(),
        kept[0].data_ptr() if keep else 0,
        [0, *addresses(kept[1:])],
    )


def contiguous(tensor: Tensor | None) -> Tensor | None:
    """The same, in C order."""
    return None if tensor is None else tensor.contiguous()


def all_contiguous(tensors: list[Tensor]) -> list[Tensor]:
    """The same, each in C order."""
    return [tensor.contiguous() for tensor in tensors]


def addresses(tensors: Sequence[Tensor]) -> list[int]:
    """Where each begins, for the core."""
    return [tensor.data_ptr() for tensor in tensors]
