"""A traced step whose weights the native core has packed (`PackedProgram` of csrc/program.h), for closed loops."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from unrolled.kernels import native_core
from unrolled.kernels.native_call import described
from unrolled.kernels.native_core import ORDER, address, check
from unrolled.kernels.native_program import TracedStep


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
        weights, held = described(code, matrices, dtype)
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
