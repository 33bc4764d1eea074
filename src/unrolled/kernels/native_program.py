"""Programs in the native core: a traced step run over whole sequences, as one function that torch can differentiate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from unrolled.errors import KernelError
from unrolled.kernels import (
    native_core,
    native_products,  # noqa: F401 (it makes the products known to torch)
)
from unrolled.kernels.native_core import ORDER, address, check
from unrolled.kernels.program import Program
from unrolled.kernels.program_code import Code, assemble
from unrolled.kernels.program_gradient import Gradient, differentiate


@dataclass(frozen=True)
class TracedStep:
    """A traced step. program: it gives the output alone. states: the width of each leaf.

    learnt: how many of its streams, the first ones, have gradients; the others are masks.
    """

    program: Program
    states: tuple[int, ...]
    learnt: int

    @cached_property
    def gradient(self) -> Gradient:
        return differentiate(self.program, self.states)

    @cached_property
    def forward(self) -> Code:
        return assemble(self.program, self.states)

    @cached_property
    def keeping(self) -> Code:
        """Forward, and what the backward pass needs is given too."""
        given = (*self.program.given, *self.gradient.kept)
        return assemble(Program(self.program.nodes, given, self.program.states), self.states)

    @cached_property
    def backward(self) -> Code:
        return assemble(self.gradient.program, self.states)


@dataclass(frozen=True)
class Span:
    """What is the same forward and backward. T, B; lengths (B,) or None; reverse: from the last step to the first."""

    T: int
    B: int
    lengths: Tensor | None
    reverse: bool


def run(
    step: TracedStep,
    streams: Sequence[Tensor],
    states: Sequence[Tensor],
    vectors: Sequence[Tensor],
    matrices: Sequence[Tensor],
    lengths: Tensor | None,
    reverse: bool,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The output (T, B, width) and the last state's leaves.

    streams (T, B, width); states (B, width), before the first step; vectors (width,); matrices (K, N); all of one type.
    """
    T, B = streams[0].shape[:2]
    sequence = Span(T, B, None if lengths is None else lengths.contiguous(), reverse)
    given = [_rows_together(one) for one in streams]
    starts, flat = [one.contiguous() for one in states], [one.contiguous() for one in vectors]
    tensors = (*given, *starts, *flat, *matrices)
    sizes = (len(given), len(starts), len(flat))
    if torch.is_grad_enabled() and any(one.requires_grad for one in tensors):
        output, *last = _Differentiable.apply(step, sequence, sizes, *tensors)
    else:
        (output,), last = _call(step.forward, step.states, sequence, given, starts, flat, matrices)
    return output, tuple(last)


def _rows_together(stream: Tensor) -> Tensor:
    """The numbers of each row side by side; times and rows may be apart, or the same."""
    return stream if stream.shape[2] == 1 or stream.stride(2) == 1 else stream.contiguous()


def _call(
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
    weights, held = _described(code, matrices, like.dtype)
    totals = [like.new_empty(width) for _, width in code.totals]
    native_core.core().run_program(
        *(ORDER[like.dtype], T, B, sequence.reverse, torch.get_num_threads(), address(sequence.lengths)),
        *(code.instructions, code.registers, arrays, states, weights),
        [number for total in totals for number in (total.data_ptr(), len(total))],
    )
    del held
    return [given[number] for number in sorted(given)], [*last, *totals]


def _described(code: Code, matrices: Sequence[Tensor], dtype: torch.dtype) -> tuple[list[int], list[Tensor]]:
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


class Packed:
    """A traced step whose weights the core has packed, for closed loops. No gradient comes through it.

    output: the shape of one row's. vectors, matrices: as in `run`, all of the type `dtype`.
    """

    def __init__(
        self,
        step: TracedStep,
        output: Sequence[int],
        vectors: Sequence[Tensor],
        matrices: Sequence[Tensor],
        dtype: torch.dtype,
    ) -> None:
        code = step.forward
        self._output, self._dtype = tuple(output), dtype
        self._vectors = [one.detach().clone(memory_format=torch.contiguous_format) for one in vectors]
        arrays: list[int] = []
        for one in code.arrays:
            vector = self._vectors[one.number] if one.kind == "static" else None
            if vector is not None:
                check("weights by unit", vector, (one.width,), dtype)
            arrays += (address(vector), 0, 0, one.width, int(one.kind == "given"))
        coming = {place: one for place, one in enumerate(code.arrays) if one.kind in ("stream", "given")}
        # Which stream each is (None: the output), and its width.
        self._coming = [(one.number if one.kind == "stream" else None, one.width) for one in coming.values()]
        states = [number for before, after in code.states for number in (before, after, 0, 0)]
        weights, held = _described(code, matrices, dtype)
        self._run = (
            native_core.core()
            .PackedProgram(*(ORDER[dtype], code.instructions, code.registers, arrays, states, weights, [*coming]))
            .run
        )
        del held

    def run(self, T: int, B: int, streams: Sequence[Tensor], states: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """The outputs (T·B, ...) and the last state's leaves.

        streams (T·B, width) and states (B, ...): contiguous, of the type; whoever calls has looked.
        """
        output = torch.empty(T * B, *self._output, dtype=self._dtype)
        last = [torch.empty_like(one) for one in states]
        addresses = []
        for number, width in self._coming:
            one = output if number is None else streams[number]
            if one.numel() != T * B * width:
                check(f"stream {number}", one, (T * B, width), self._dtype)
            addresses.append(one.data_ptr())
        for before, after in zip(states, last, strict=True):
            addresses += (before.data_ptr(), after.data_ptr())
        self._run(T, B, torch.get_num_threads(), addresses)
        return output, last


class _Differentiable(torch.autograd.Function):
    """Tensors: streams, starting states, vectors and matrices, as many of each as `sizes` says."""

    @staticmethod
    def forward(ctx: Any, step: TracedStep, sequence: Span, sizes: tuple[int, int, int], *tensors: Tensor) -> Any:
        streams, starts, vectors, matrices = _parted(tensors, sizes)
        (output, *kept), last = _call(step.keeping, step.states, sequence, streams, starts, vectors, matrices)
        ctx.step, ctx.sequence, ctx.sizes, ctx.kept = step, sequence, sizes, len(kept)
        ctx.save_for_backward(*kept, *tensors)
        return output, *last

    @staticmethod
    def backward(ctx: Any, *d_given: Tensor) -> Any:
        """d_given: of the output, and of each leaf of the last state."""
        saved = ctx.saved_tensors  # once: where activations are made again, each time makes them again
        kept, tensors = saved[: ctx.kept], saved[ctx.kept :]
        gradients = _Gradients.apply(ctx.step, ctx.sequence, ctx.sizes, kept, tensors, *d_given)
        return None, None, None, *gradients


class _Gradients(torch.autograd.Function):
    """The backward pass, as a function of its own: what asks for a second derivative is told that there is none."""

    @staticmethod
    def forward(
        ctx: Any,
        step: TracedStep,
        sequence: Span,
        sizes: tuple[int, int, int],
        kept: Sequence[Tensor],
        tensors: Sequence[Tensor],
        d_output: Tensor,
        *d_last: Tensor,
    ) -> Any:
        streams, starts, vectors, matrices = _parted(tensors, sizes)
        own, gradient = step.backward, step.gradient
        places = {"gradient": [_rows_together(d_output)], "stream": streams, "kept": kept}
        read = [places[kind][number] for kind, number in gradient.streams]
        turned = Span(sequence.T, sequence.B, sequence.lengths, not sequence.reverse)
        given, rest = _call(own, step.states, turned, read, [one.contiguous() for one in d_last], vectors, matrices)
        d_starts, totals = rest[: len(starts)], rest[len(starts) :]
        d_vectors = {number: total for (number, _), total in zip(own.totals, totals, strict=True)}
        d_matrices: dict[int, Tensor] = {}
        for one in gradient.matrices:
            d = _product(kept[one.kept], given[one.given], matrices[one.matrix])
            d_matrices[one.matrix] = d_matrices[one.matrix] + d if one.matrix in d_matrices else d
        d_streams = {number: given[place] for number, place in gradient.of_streams.items() if number < step.learnt}
        return (
            *(d_streams.get(number) for number in range(len(streams))),
            *d_starts,
            *(d_vectors.get(number) for number in range(len(vectors))),
            *(d_matrices.get(number) for number in range(len(matrices))),
        )

    @staticmethod
    def backward(ctx: Any, *d_gradients: Tensor) -> Any:
        raise KernelError("the traced kernel has no second derivative; kernel='reference' has")


def _product(operand: Tensor, d: Tensor, matrix: Tensor) -> Tensor:
    """Σ operandᵀ d, (K, N) as the matrix is, and in memory in the same order."""
    x, d = operand.flatten(0, 1), d.flatten(0, 1)
    if matrix.stride(0) == 1:
        return torch.ops.unrolled.product(d, x, True, False, None).mT
    return torch.ops.unrolled.product(x, d, True, False, None)


def _parted(tensors: Sequence[Tensor], sizes: tuple[int, int, int]) -> tuple[Sequence[Tensor], ...]:
    """Streams, starting states, vectors, matrices."""
    first, second, third = sizes[0], sizes[0] + sizes[1], sum(sizes)
    return tensors[:first], tensors[first:second], tensors[second:third], tensors[third:]
