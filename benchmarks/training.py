"""Training a stack of layers, forward and backward, in this package and in torch: what most suites compare.

Scope, on both sides: the projections into the cells, the recurrences, and the gradients of the input, of every weight
and of the starting state. Weights change before each call, so that nothing packed can be kept.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.contest import Agreement, Contest, agreement
from unrolled.interchange.torch_modules import from_torch, state_from_torch
from unrolled.layers.recurrent import Recurrent

#: Gate blocks of torch's layers.
GATES: dict[type[nn.RNNBase], int] = {nn.LSTM: 4, nn.GRU: 3, nn.RNN: 1}
#: Relative change of every weight before each call.
CHANGE = 1e-6
#: Scales of the input at which both sides are held against float64: as it is, where gates saturate, and where products
#: of small numbers leave the range of normal ones.
SCALES = (1.0, 30.0, 1e-30)


def change(weights: Sequence[Tensor]) -> None:
    """Every weight a little larger: another one, and yet of the same size after any number of calls."""
    with torch.no_grad():
        torch._foreach_mul_(list(weights), 1 + CHANGE)


def layers_contest(
    module: nn.RNNBase, T: int, B: int, dtype: torch.dtype = torch.float32, lengths: Tensor | None = None
) -> Contest:
    """This package's stack with the weights of a torch module, beside the module.

    dtype: float32, or bfloat16: ours and the module under autocast, beside the module in float32 and in pure bfloat16.
    lengths (B,): the module then reads a packed sequence.
    """
    stack = from_torch(module)
    x = torch.randn(T, B, module.input_size)
    cotangent = torch.randn(T, B, module.hidden_size * (2 if module.bidirectional else 1))
    state = start_of(module, B)
    ours = partial(ours_trains, stack, x, state_from_torch(stack, state), cotangent, dtype, lengths)
    theirs = partial(torch_trains, module, x, state, cotangent, dtype, lengths)
    ways: dict[str, Callable[[], object]] = {"float32": theirs}
    weights = [*stack.parameters(), *module.parameters()]
    if dtype == torch.bfloat16:
        pure = copy.deepcopy(module).bfloat16()
        narrow = [part.bfloat16() for part in (x, cotangent)]
        ways = {
            "float32": partial(torch_trains, module, x, state, cotangent, torch.float32, lengths),
            "autocast": theirs,
            "pure bfloat16": partial(
                torch_trains, pure, narrow[0], _cast(state, torch.bfloat16), narrow[1], torch.float32, lengths
            ),
        }
        weights += list(pure.parameters())
    return Contest(
        ours,
        {f"nn.{type(module).__name__}": ways},
        partial(_agreements, stack, module, x, state, cotangent, dtype, lengths),
        flops=flops(module, T, B),
        number=str(dtype).removeprefix("torch."),
        before=partial(change, weights),
    )


def flops(module: nn.RNNBase, T: int, B: int) -> float:
    """Of all products, forward and backward."""
    directions = 2 if module.bidirectional else 1
    H, read, total = module.hidden_size, module.input_size, 0
    for _ in range(module.num_layers):
        total += directions * 6 * GATES[type(module)] * H * (read + H)
        read = directions * H
    return float(total * T * B)


def start_of(module: nn.RNNBase, B: int) -> Any:
    """A starting state that is not zero, in torch's form."""
    shape = (module.num_layers * (2 if module.bidirectional else 1), B, module.hidden_size)
    return (torch.randn(shape), torch.randn(shape)) if isinstance(module, nn.LSTM) else torch.randn(shape)


def _cast(state: Any, dtype: torch.dtype) -> Any:
    return tuple(part.to(dtype) for part in state) if isinstance(state, tuple) else state.to(dtype)


def _leaves(state: Any) -> list[Tensor]:
    if isinstance(state, Tensor):
        return [state]
    return [leaf for part in state for leaf in _leaves(part)]


def _fresh(state: Any) -> Any:
    """The same numbers, each to be differentiated after."""
    if isinstance(state, Tensor):
        return state.detach().requires_grad_()
    parts = [_fresh(part) for part in state]
    return type(state)(*parts) if hasattr(state, "_fields") else type(state)(parts)


def _narrowed(dtype: torch.dtype) -> contextlib.AbstractContextManager[object]:
    return torch.autocast("cpu", dtype) if dtype == torch.bfloat16 else contextlib.nullcontext()


def ours_trains(
    stack: Recurrent, x: Tensor, state: Any, cotangent: Tensor, dtype: torch.dtype, lengths: Tensor | None = None
) -> list[Tensor]:
    """The output, then the gradients of x, of the stack's parameters and of the starting state."""
    x, state = x.detach().requires_grad_(), _fresh(state)
    with _narrowed(dtype):
        output, _ = stack(x, state, lengths=lengths)
    inputs = [x, *stack.parameters(), *_leaves(state)]
    return [output, *torch.autograd.grad(output, inputs, cotangent.to(output.dtype))]


def torch_trains(
    module: nn.RNNBase, x: Tensor, state: Any, cotangent: Tensor, dtype: torch.dtype, lengths: Tensor | None = None
) -> list[Tensor]:
    """The same for torch's module."""
    x, state = x.detach().requires_grad_(), _fresh(state)
    with _narrowed(dtype):
        if lengths is None:
            output, _ = module(x, state)
        else:
            packed = nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
            output, _ = nn.utils.rnn.pad_packed_sequence(module(packed, state)[0], total_length=len(x))
    inputs = [x, *module.parameters(), *_leaves(state)]
    return [output, *torch.autograd.grad(output, inputs, cotangent.to(output.dtype))]


def _agreements(
    stack: Recurrent,
    module: nn.RNNBase,
    x: Tensor,
    state: Any,
    cotangent: Tensor,
    dtype: torch.dtype,
    lengths: Tensor | None,
) -> Iterable[Agreement]:
    """Outputs, and the gradients that both sides have one by one: of x, of U and of W of each layer and direction."""
    exact_module = copy.deepcopy(module).double()
    own = [index for index, (name, _) in enumerate(stack.named_parameters()) if name.endswith((".U", ".W"))]
    other = [index for index, (name, _) in enumerate(module.named_parameters()) if name.startswith("weight")]
    for scale in SCALES:
        # In bfloat16 a saturated gate's gradient is rounding on either side, and says nothing of a kernel.
        if scale != 1 and dtype == torch.bfloat16:
            continue
        given = x * scale
        ours = ours_trains(stack, given, state_from_torch(stack, state), cotangent, dtype, lengths)
        theirs = torch_trains(module, given, state, cotangent, dtype, lengths)
        exact = torch_trains(
            exact_module, given.double(), _cast(state, torch.float64), cotangent.double(), torch.float64, lengths
        )
        words = "" if scale == 1 else f" with inputs of {scale:g}"
        most = None if dtype == torch.float32 else 3e-2
        pairs = [("the output", 0, 0), ("the gradient of x", 1, 1)]
        pairs += [("a weight's gradient", 2 + a, 2 + b) for a, b in zip(own, other, strict=True)]
        for what, a, b in pairs:
            yield agreement(what + words, ours[a], theirs[b], exact[b], most)
