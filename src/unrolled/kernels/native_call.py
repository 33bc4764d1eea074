"""One call of a program in the native core (csrc/program.h): tensors in, tensors out, without gradients.

Under torch.compile the operator `unrolled::program` stands in its place, which finds by number what it is to run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from unrolled.errors import KernelError
from unrolled.kernels import native_core
from unrolled.kernels.native_core import ORDER, address, check
from unrolled.kernels.program_code import Code


@dataclass(frozen=True)
class Span:
    """What is the same forward and backward. T, B; lengths (B,) or None; reverse: from the last step to the first."""

    T: int
    B: int
    lengths: Tensor | None
    reverse: bool


class Compiled(NamedTuple):
    """What a graph calls. unchanged: whether the cell still is as it was when the graph was made."""

    code: Code
    states: tuple[int, ...]
    unchanged: Callable[[], bool]

    def check(self) -> None:
        """KernelError where it is not."""
        if not self.unchanged():
            raise KernelError(
                "a setting of a compiled cell was changed: torch.compiler.reset(), and it is compiled anew"
            )


#: By number; as long as the process lives, for nobody says when a graph is gone.
_compiled: list[Compiled] = []

torch.library.define(
    "unrolled::program",
    "(int number, Tensor[] streams, Tensor[] starts, Tensor[] vectors, Tensor[] matrices, Tensor? lengths, "
    "bool reverse) -> Tensor[]",
)


def call(
    one: Compiled,
    sequence: Span,
    streams: Sequence[Tensor],
    starts: Sequence[Tensor],
    vectors: Sequence[Tensor],
    matrices: Sequence[Tensor],
) -> tuple[list[Tensor], list[Tensor]]:
    """What is given (T, B, width) and what is left of the state (B, width); then the totals."""
    if not torch.compiler.is_compiling():
        return _computed(one.code, one.states, sequence, streams, starts, vectors, matrices)
    if one not in _compiled:
        _compiled.append(one)
    tensors = (list(streams), list(starts), list(vectors), list(matrices))
    made = torch.ops.unrolled.program(_compiled.index(one), *tensors, sequence.lengths, sequence.reverse)
    given = sum(array.kind == "given" for array in one.code.arrays)
    return made[:given], made[given:]


@torch.library.register_fake("unrolled::program")
def _program_fake(
    number: int,
    streams: list[Tensor],
    starts: list[Tensor],
    vectors: list[Tensor],
    matrices: list[Tensor],
    lengths: Tensor | None,
    reverse: bool,
) -> list[Tensor]:
    code = _compiled[number].code
    T, B = streams[0].shape[:2]
    given = sorted((array.number, array.width) for array in code.arrays if array.kind == "given")
    return [
        *(streams[0].new_empty(T, B, width) for _, width in given),
        *(start.new_empty(start.shape) for start in starts),
        *(streams[0].new_empty(width) for _, width in code.totals),
    ]


@torch.library.impl("unrolled::program", "CPU")
def _program(
    number: int,
    streams: list[Tensor],
    starts: list[Tensor],
    vectors: list[Tensor],
    matrices: list[Tensor],
    lengths: Tensor | None,
    reverse: bool,
) -> list[Tensor]:
    """What `call` gives, one after the other. KernelError where the cell is no longer as it was."""
    one = _compiled[number]
    one.check()
    T, B = streams[0].shape[:2]
    given, rest = _computed(
        *(one.code, one.states, Span(T, B, lengths, reverse), list(map(rows_together, streams))),
        *([start.contiguous() for start in starts], [vector.contiguous() for vector in vectors], matrices),
    )
    return [*given, *rest]


def rows_together(stream: Tensor) -> Tensor:
    """The numbers of each row side by side; times and rows may be apart, or the same."""
    return stream if stream.shape[2] == 1 or stream.stride(2) == 1 else stream.contiguous()


def _computed(
    code: Code,
    widths: Sequence[int],
    sequence: Span,
    streams: Sequence[Tensor],
    starts: Sequence[Tensor],
    vectors: Sequence[Tensor],
    matrices: Sequence[Tensor],
) -> tuple[list[Tensor], list[Tensor]]:
    """What is given (T, B, width) and what is left of the state (B, width); then the totals."""
    T, B = sequence.T, sequence.B
    like = streams[0] if streams else starts[0]
    given: dict[int, Tensor] = {}
    arrays: list[int] = []
    for one in code.arrays:
        match one.kind:
            case "stream":
                tensor = streams[one.number]
                check("a stream", tensor, (T, B, one.width), like.dtype)
                arrays += (tensor.data_ptr(), tensor.stride(0), tensor.stride(1), one.width, 0)
            case "static":
                check("weights by unit", vectors[one.number], (one.width,), like.dtype)
                arrays += (vectors[one.number].data_ptr(), 0, 0, one.width, 0)
            case "given":
                given[one.number] = like.new_empty(T, B, one.width)
                arrays += (given[one.number].data_ptr(), B * one.width, one.width, one.width, 1)
            case "own":
                arrays += (0, 0, 0, one.width, 0)
    last = [torch.empty_like(one) for one in starts]
    states: list[int] = []
    for (before, after), start, to, width in zip(code.states, starts, last, widths, strict=True):
        check("a leaf of the state", start, (B, width), like.dtype)
        states += (before, after, start.data_ptr(), to.data_ptr())
    weights, held = described(code, matrices, like.dtype)
    totals = [like.new_empty(width) for _, width in code.totals]
    native_core.core().run_program(
        *(ORDER[like.dtype], T, B, sequence.reverse, torch.get_num_threads(), address(sequence.lengths)),
        *(code.instructions, code.registers, arrays, states, weights),
        [number for total in totals for number in (total.data_ptr(), len(total))],
    )
    del held
    return [given[number] for number in sorted(given)], [*last, *totals]


def described(code: Code, matrices: Sequence[Tensor], dtype: torch.dtype) -> tuple[list[int], list[Tensor]]:
    """What the core is told of the matrices, and what must live until it has looked."""
    weights: list[int] = []
    held: list[Tensor] = []
    for matrix, transposed in code.weights:
        data = matrices[matrix]
        check("a matrix", data, tuple(data.shape), dtype)
        K, N = reversed(data.shape) if transposed else data.shape
        # As they stand in memory: rows of the result's numbers, or rows of what is multiplied.
        by_result = data if transposed else data.mT
        if by_result.stride(1) != 1 and by_result.stride(0) != 1:
            by_result = by_result.contiguous()
        turned = by_result.stride(1) != 1
        held.append(by_result)
        weights += (by_result.data_ptr(), N, K, by_result.stride(1 if turned else 0), int(turned))
    return weights, held
