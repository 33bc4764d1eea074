"""The native core from Python: whether it is there, what it knows, and what it is told.

It takes addresses. So every tensor is looked at here before its address leaves Python: a wrong shape, type or place is
a ShapeError, never a crash.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

from unrolled.errors import ShapeError

_MODULE = "unrolled.kernels._native"
#: The types that a sequence is stored in → those that are computed with.
COMPUTED = {torch.float32: torch.float32, torch.float64: torch.float64, torch.bfloat16: torch.float32}
#: The former → their numbers in `Number` of csrc/recurrence.h.
ORDER = {stored: number for number, stored in enumerate(COMPUTED)}


class NativeCell(NamedTuple):
    """What the native core says of a cell: its number there, and its struct's constants (csrc/isa/cells.h)."""

    number: int
    gates: int
    states: int
    saved: int
    extra: int
    product: bool
    same_gradient: bool


_Function = TypeVar("_Function", bound=Callable[..., Any])


def constant(function: _Function) -> _Function:
    """To torch.compile, what it gives is a constant.

    `torch.compiler.assume_constant_result` says no more, but imports all of torch.compile, a second at every start.
    """
    function._dynamo_marked_constant = True  # type: ignore[attr-defined]
    return function


@cache
def is_built() -> bool:
    """Whether the native core came with this installation."""
    return importlib.util.find_spec(_MODULE) is not None


@cache
def core() -> Any:
    """The compiled module. ImportError where it was not built."""
    return importlib.import_module(_MODULE)


@constant
def lacks(name: str) -> str:
    """Why the core cannot be asked for its function `name`, in words for a user; empty where it can."""
    if not is_built():
        return "the native core was not built when this package was installed: there was no C++ compiler"
    if not hasattr(core(), name):
        return "the native core was built from older source: scripts/setup builds it anew"
    return ""


@cache
def cells() -> dict[str, NativeCell]:
    """The cells that the native core has structs for, by the names they have there."""
    return {name: NativeCell(*constants) for name, constants in core().cells().items()}


@constant
def number(name: str) -> int:
    """The number of the cell whose struct has this name there."""
    return cells()[name].number


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


def check_weights(
    stored: torch.dtype,
    W: Tensor,
    extra: Tensor | None,
    mask: Tensor | None,
    start: Tensor,
    lengths: Tensor | None,
    B: int,
    cell: NativeCell,
) -> int:
    """H. ShapeError unless weights, state and lengths fit each other, B rows, and the type `stored` of the sequence."""
    if stored not in COMPUTED:
        raise ShapeError(f"the native core knows float32, float64 and bfloat16; {stored} came")
    if W.dim() != 2 or W.shape[1] == 0:
        raise ShapeError(f"the native core wants W as ({cell.gates}·H, H); {tuple(W.shape)} came")
    H, computed = W.shape[1], COMPUTED[stored]
    check("W", W, (cell.gates * H if cell.product else 0, H), computed)
    check("the state", start, (cell.states, B, H), computed)
    if extra is not None:
        check("the cell's own weights", extra, (cell.extra, H), computed)
    elif cell.extra:
        raise ShapeError(f"the native core wants this cell's own weights as ({cell.extra}, {H}); none came")
    if mask is not None:
        check("the mask", mask, (B, H), computed)
        if not cell.product:
            raise ShapeError("the native core was given a mask for a cell without a recurrent product to mask")
    if lengths is not None:
        check("lengths", lengths, (B,), torch.int64)
    return H


def contiguous(tensor: Tensor | None) -> Tensor | None:
    """The same in C order, if there is one."""
    return None if tensor is None else tensor.contiguous()


def address(tensor: Tensor | None) -> int:
    """Where it begins, for the core; 0 for none. It must live for as long as the core may look."""
    return 0 if tensor is None else tensor.data_ptr()
