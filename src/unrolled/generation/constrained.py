"""Drawing and searching among what is allowed alone: a rule beside a model says which symbols may come next.

The rule has a state of its own, batch first, which goes along with the model's: beams take it with them. What it
forbids has a logit of −∞, so that the probabilities of what is left add up to 1.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from unrolled.generation.position import Advance
from unrolled.states import State


class Rule(Protocol):
    """What may be written."""

    def follow(self, symbols: Tensor, place: State) -> State:
        """The place after these symbols (B,)."""
        ...

    def allowed(self, place: State) -> Tensor:
        """(B, V) bool: what may come there. One symbol at least, wherever allowed symbols have led."""
        ...


def constrained(advance: Advance, rule: Rule) -> Advance:
    """A stepper over (the model's state, the rule's place) that allows only what the rule allows."""

    def step(symbols: Tensor, state: State) -> tuple[Tensor, State]:
        inner, place = state
        place = rule.follow(symbols, place)
        logits, inner = advance(symbols, inner)
        return logits.masked_fill(~rule.allowed(place), -torch.inf), (inner, place)

    return step
