"""What the weights of a model's stacks are packed as when it is fed step by step: float32, bfloat16 or int8."""

from __future__ import annotations

from typing import get_args

from torch import nn

from unrolled.errors import OptionError
from unrolled.kernels import native_stream
from unrolled.kernels.kernel import Precision
from unrolled.layers.recurrent import Recurrent


def step_with(model: nn.Module, precision: Precision) -> None:
    """Let all stacks in `model` make their next steppers with weights of this precision.

    OptionError, with the reasons, where it is not float32 and a stack's cells cannot be had so.
    """
    if precision not in get_args(Precision):
        raise OptionError(f"weights are packed as one of {', '.join(get_args(Precision))}; {precision!r} came")
    stacks = [module for module in model.modules() if isinstance(module, Recurrent)]
    if precision != "float32":
        reasons = [
            why for one in stacks for layer in one.cells() for cell in layer for why in native_stream.refuses(cell)
        ]
        if not stacks:
            reasons = ["the model has no recurrent stack"]
        if reasons:
            raise OptionError(f"--precision {precision}: {'; '.join(dict.fromkeys(reasons))}. Leave --precision out")
    for one in stacks:
        one.precision = precision
