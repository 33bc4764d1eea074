"""A simple recurrent network that is conditioned on a vector v, a picture's code for one.

    h_t = tanh(U x_t + W h_{t-1} + W_v v + b)              at every step
    h_t = tanh(U x_t + W h_{t-1} + [t = 1] W_v v + b)      at the first step only

The second is the captioning network of Karpathy & Fei-Fei (2015), arXiv:1412.2306, who show it the picture once, with
tanh for their ReLU. Which step is the first, a cell cannot know: the state says it, and so it is right in windows of a
longer sequence, in either direction, and where rows of one batch start at different times.
Parameters: H·(H + F + C + 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unrolled.cells.cell import LinearRecurrentCell, Step, fill_input_, fill_recurrent_, project_input
from unrolled.errors import ShapeError


class ConditionedState(NamedTuple):
    hidden: Tensor  # (B, H)


class FirstStepState(NamedTuple):
    hidden: Tensor  # (B, H)
    first: Tensor  # (B), bool: no step has been taken yet


class FirstStepInput(NamedTuple):
    x: Tensor  # (T, B, H), U x + b
    v: Tensor  # (T, B, H), W_v v, equal at all times


class _Conditioned(LinearRecurrentCell):
    """The weights that both have."""

    GATES = ("candidate",)

    def __init__(self, input_size: int, hidden_size: int, condition_size: int = 1) -> None:
        super().__init__(input_size, hidden_size)
        if condition_size < 1:
            raise ShapeError(f"condition_size of {type(self).__name__} was {condition_size}; it must be 1 or more")
        self._condition_size = condition_size
        self.U = nn.Parameter(torch.empty(hidden_size, input_size))
        self.W = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.W_v = nn.Parameter(torch.empty(hidden_size, condition_size))
        self.b = nn.Parameter(torch.zeros(hidden_size))
        fill_input_(self.U, 1)
        fill_recurrent_(self.W, 1)
        fill_input_(self.W_v, 1)

    @property
    def condition_size(self) -> int:
        return self._condition_size

    def prepare(self) -> None:
        return None

    def recur(self, state: ConditionedState | FirstStepState, weights: None) -> Tensor:
        return F.linear(state.hidden, self.W)


class ConditionedElman(_Conditioned):
    """v at every step. condition_size: C, features of v."""

    NAME = "conditioned-elman"

    def project(self, x: Tensor, weights: None, condition: Tensor | None = None) -> Tensor:
        assert condition is not None  # a pass sees to it
        return project_input(x, self.U, self.b) + F.linear(condition, self.W_v)

    def initial_state(self, shape: Sequence[int], device: torch.device, dtype: torch.dtype) -> ConditionedState:
        return ConditionedState(torch.zeros(*shape, self.hidden_size, device=device, dtype=dtype))

    def combine(self, u_t: Tensor, r: Tensor, state: ConditionedState) -> Step:
        h = torch.tanh(u_t + r)
        return Step(h, ConditionedState(h), {"candidate": h})


class FirstStepConditionedElman(_Conditioned):
    """v at the first step only. condition_size: C, features of v."""

    NAME = "first-step-conditioned-elman"

    def project(self, x: Tensor, weights: None, condition: Tensor | None = None) -> FirstStepInput:
        assert condition is not None  # a pass sees to it
        u = project_input(x, self.U, self.b)
        return FirstStepInput(u, F.linear(condition, self.W_v).expand_as(u))

    def initial_state(self, shape: Sequence[int], device: torch.device, dtype: torch.dtype) -> FirstStepState:
        hidden = torch.zeros(*shape, self.hidden_size, device=device, dtype=dtype)
        return FirstStepState(hidden, torch.ones(*shape, device=device, dtype=torch.bool))

    def combine(self, u_t: FirstStepInput, r: Tensor, state: FirstStepState) -> Step:
        h = torch.tanh(u_t.x + r + u_t.v * state.first[..., None])
        return Step(h, FirstStepState(h, torch.zeros_like(state.first)), {"candidate": h})
