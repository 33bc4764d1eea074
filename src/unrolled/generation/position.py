"""A place in a text from which one can go on: what drawing and searching both start from."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from unrolled.errors import CheckpointError, PromptError, ShapeError
from unrolled.states import State

#: One step of a model: (symbols (B,) int64, state) → (logits (B, V), state), as `SteppedModel.stepper` gives it.
Advance = Callable[[Tensor, State], tuple[Tensor, State]]


class Position(NamedTuple):
    """After some symbols have been read.

    logits: (B, V), what the model says of the next symbol.
    state: the model's, after the same symbols.
    """

    logits: Tensor
    state: State


def read_prompt(advance: Advance, state: State, prompt: Tensor) -> Position:
    """Read `prompt` (T, B) int64, T ≥ 1, step by step from `state`.

    A model that reads whole sequences at once is quicker over a long prompt: a position can be made from the last
    of its logits and its state as well.
    """
    if prompt.dim() != 2 or prompt.is_floating_point():
        raise ShapeError(f"a prompt is symbols (T, B), whole numbers; {tuple(prompt.shape)} {prompt.dtype} came")
    if prompt.shape[0] == 0:
        raise PromptError("the prompt is empty; a model needs one symbol at least to start from")
    with torch.inference_mode():
        logits, state = advance(prompt[0], state)
        for symbols in prompt[1:]:
            logits, state = advance(symbols, state)
    return Position(logits, state)


def log_probabilities_of(logits: Tensor) -> Tensor:
    """The model's own log-probabilities (B, V) in nats. CheckpointError where the logits are not a distribution."""
    # Minus infinity rules a symbol out, and may stand; a NaN anywhere in a row makes its maximum NaN.
    if not torch.isfinite(logits.amax(-1)).all():
        raise CheckpointError(
            "the model's output is not finite (NaN or infinity), so nothing can be drawn from it: "
            "its training went wrong. Take an earlier checkpoint"
        )
    return torch.log_softmax(logits.float(), -1)
