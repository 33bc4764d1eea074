"""Operators of torch that are computed in the native core: `unrolled::recurrence`, `unrolled::product` and others.

Tracers, torch.compile among them, see an operator. Where nobody traces, it is called past torch's dispatcher for
operators written in Python, which takes longer than a short sequence does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn

from unrolled.errors import KernelError

#: Tensors that hold their numbers themselves. A tracer's are of other types.
_PLAIN = (Tensor, nn.Parameter)


def no_second_setup(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    """Nothing is kept for a derivative of a derivative."""


def no_second(ctx: Any, *d_given: Tensor) -> tuple[Any, ...]:
    """KernelError: what this is a derivative of has no second one."""
    raise KernelError("the native kernel has no second derivative; kernel='reference' has")


class TorchOperator:
    """`unrolled::NAME`, which a schema "NAME(Tensor a, ...) -> Tensor" declares; its first argument is a tensor.

    compute: what it gives, on the CPU. shapes: the same of no numbers, only of their form: what a tracer gets.
    differentiate, setup: the gradients, and what is kept for them, as `torch.library.register_autograd` wants them; an
    operator without them gives tensors that have none.
    """

    def __init__(
        self,
        schema: str,
        compute: Callable[..., Any],
        shapes: Callable[..., Any],
        differentiate: Callable[..., Any] | None = None,
        setup: Callable[..., None] | None = None,
    ) -> None:
        name, bracket, rest = schema.partition("(")
        torch.library.define(f"unrolled::{name}", bracket + rest)
        torch.library.impl(f"unrolled::{name}", "CPU", compute)
        torch.library.register_fake(f"unrolled::{name}", shapes)
        self._compute = compute
        self._function: Callable[..., Any] = compute
        if differentiate is not None and setup is not None:
            torch.library.register_autograd(f"unrolled::{name}", differentiate, setup_context=setup)

            # One method for both: of two, torch looks up the first one's signature at every call.
            def forward(ctx: Any, *given: Any) -> Any:
                output = compute(*given)
                setup(ctx, given, output)
                return output

            own = {"forward": staticmethod(forward), "backward": staticmethod(differentiate)}
            self._function = cast("Any", type(name, (torch.autograd.Function,), own)).apply
        self._operator = getattr(torch.ops.unrolled, name)

    def __call__(self, first: Tensor, *rest: Any) -> Any:
        """As the schema says, in its order."""
        if torch.compiler.is_compiling() or type(first) not in _PLAIN:
            return self._operator(first, *rest)
        return self._function(first, *rest) if torch.is_grad_enabled() else self._compute(first, *rest)
