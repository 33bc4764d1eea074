"""Programs in the native core: a traced step run over whole sequences, as one function that torch can differentiate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from unrolled.errors import KernelError
from unrolled.kernels import native_products
from unrolled.kernels.native_call import Compiled, Span, call, rows_together
from unrolled.kernels.program import Program
from unrolled.kernels.program_code import Code, assemble
from unrolled.kernels.program_gradient import Gradient, differentiate


@dataclass(frozen=True)
class TracedStep:
    """A traced step. program: it gives the output alone. states: the width of each leaf.

    learnt: how many of its streams, the first ones, have gradients; the others are masks. unchanged: whether the cell
    still is as it was traced.
    """

    program: Program
    states: tuple[int, ...]
    learnt: int
    unchanged: Callable[[], bool]

    def called(self, code: Code) -> Compiled:
        """One of its codes, as it is called."""
        return Compiled(code, self.states, self.unchanged)

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
    given = [rows_together(one) for one in streams]
    starts, flat = [one.contiguous() for one in states], [one.contiguous() for one in vectors]
    tensors = (*given, *starts, *flat, *matrices)
    sizes = (len(given), len(starts), len(flat))
    if torch.is_grad_enabled() and any(one.requires_grad for one in tensors):
        output, *last = _Differentiable.apply(step, sequence, sizes, *tensors)
    else:
        (output,), last = call(step.called(step.forward), sequence, given, starts, flat, matrices)
    return output, tuple(last)


class _Differentiable(torch.autograd.Function):
    """Tensors: streams, starting states, vectors and matrices, as many of each as `sizes` says."""

    @staticmethod
    def forward(ctx: Any, step: TracedStep, sequence: Span, sizes: tuple[int, int, int], *tensors: Tensor) -> Any:
        streams, starts, vectors, matrices = _parted(tensors, sizes)
        (output, *kept), last = call(step.called(step.keeping), sequence, streams, starts, vectors, matrices)
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
        places = {"gradient": [rows_together(d_output)], "stream": streams, "kept": kept}
        read = [places[kind][number] for kind, number in gradient.streams]
        turned = Span(sequence.T, sequence.B, sequence.lengths, not sequence.reverse)
        given, rest = call(step.called(own), turned, read, [one.contiguous() for one in d_last], vectors, matrices)
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
        return native_products.product(d, x, True, False, None).mT
    return native_products.product(x, d, True, False, None)


def _parted(tensors: Sequence[Tensor], sizes: tuple[int, int, int]) -> tuple[Sequence[Tensor], ...]:
    """Streams, starting states, vectors, matrices."""
    first, second, third = sizes[0], sizes[0] + sizes[1], sum(sizes)
    return tensors[:first], tensors[first:second], tensors[second:third], tensors[third:]
