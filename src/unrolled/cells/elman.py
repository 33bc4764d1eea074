"""The simple recurrent network of Elman (1990), "vanilla": doi:10.1207/s15516709cog1402_1.

    h_t = φ(W h_{t-1} + U x_t + b),    h_0 = 0,    output h_t

Written on the concatenation, as some lectures do, it is φ([W U] [h; x] + b): the same numbers.
Parameters: H·(H + F + 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unrolled.cells.cell import LinearRecurrentCell, Step, fill_input_, fill_recurrent_, project_input


class ElmanState(NamedTuple):
    hidden: Tensor  # (B, H)


class ElmanWeights(NamedTuple):
    U: Tensor  # (H, F)
    W: Tensor  # (H, H)
    b: Tensor  # (H)


class Elman(LinearRecurrentCell):
    """h_t = tanh(W h_{t-1} + U x_t + b)."""

    NAME = "elman"
    GATES = ("candidate",)

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.U = nn.Parameter(torch.empty(hidden_size, input_size))
        self.W = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.b = nn.Parameter(torch.zeros(hidden_size))
        fill_input_(self.U, 1)
        fill_recurrent_(self.W, 1)

    @staticmethod
    def phi(pre: Tensor) -> Tensor:
        """φ, the nonlinearity."""
        return torch.tanh(pre)

    def prepare(self) -> ElmanWeights:
        return ElmanWeights(self.U, self.W, self.b)

    def project(self, x: Tensor, weights: ElmanWeights, condition: Tensor | None = None) -> Tensor:
        return project_input(x, weights.U, weights.b)

    def initial_state(self, shape: Sequence[int], device: torch.device, dtype: torch.dtype) -> ElmanState:
        return ElmanState(torch.zeros(*shape, self.hidden_size, device=device, dtype=dtype))

    def recur(self, state: ElmanState, weights: ElmanWeights) -> Tensor:
        return F.linear(state.hidden, weights.W)

    def combine(self, u_t: Tensor, r: Tensor, state: ElmanState) -> Step:
        h = self.phi(u_t + r)
        return Step(h, ElmanState(h), {"candidate": h})


class ElmanReLU(Elman):
    """h_t = max(0, W h_{t-1} + U x_t + b)."""

    NAME = "elman-relu"

    @staticmethod
    def phi(pre: Tensor) -> Tensor:
        return torch.relu(pre)


class IRNN(ElmanReLU):
    """The same, started so that it only adds up what comes in (Le et al. 2015, arXiv:1504.00941).

    W starts as the identity and b as zero: without input the state stays as it is, and so does its gradient.
    input_std: deviation of U at the start, small, so that the state grows slowly.
    """

    NAME = "irnn"

    def __init__(self, input_size: int, hidden_size: int, input_std: float = 0.001) -> None:
        super().__init__(input_size, hidden_size)
        self.input_std = input_std
        nn.init.eye_(self.W)
        nn.init.normal_(self.U, std=input_std)


class ElmanSigmoid(Elman):
    """h_t = σ(W h_{t-1} + U x_t + b), Elman's own choice."""

    NAME = "elman-sigmoid"

    @staticmethod
    def phi(pre: Tensor) -> Tensor:
        return torch.sigmoid(pre)
