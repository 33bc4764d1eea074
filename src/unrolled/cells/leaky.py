"""Leaky units, which take up the new only in part, and so change slowly.

    C_t = tanh(W h_{t-1} + U x_t + b)              candidate
    h_t = α ∘ h_{t-1} + (1 − α) ∘ C_t              h_0 = 0, output h_t

α is what a unit keeps from one step to the next; left alone it forgets with a time constant of about 1/(1 − α) steps.

`Leaky`         α is one number, fixed (leaky integrators: Jaeger et al. 2007, doi:10.1016/j.neunet.2007.04.016)
`LearntLeaky`   α = σ(a), one a for each unit, learnt: each unit finds its own time constant
`GatedLeaky`    α_t = σ(W_α h_{t-1} + U_α x_t + b_α), decided anew at each step: the update gate RNN of
                Collins et al. (2016), arXiv:1611.09913, which is the GRU without its reset gate

Parameters: H·(H + F + 1); H more for a; twice as many with the gate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unrolled.cells.cell import LinearRecurrentCell, Step, fill_input_, fill_recurrent_, project_input
from unrolled.cells.elman import Elman, ElmanState
from unrolled.errors import OptionError


class Leaky(Elman):
    """α fixed and the same for all units.

    alpha: α, from 0 (Elman's network) to below 1. OptionError for another.
    """

    NAME = "leaky"

    def __init__(self, input_size: int, hidden_size: int, alpha: float = 0.9) -> None:
        super().__init__(input_size, hidden_size)
        if not 0 <= alpha < 1:
            raise OptionError(f"alpha of {type(self).__name__} was {alpha}; it must be from 0 to below 1")
        self.alpha = alpha

    def combine(self, u_t: Tensor, r: Tensor, state: ElmanState) -> Step:
        candidate = torch.tanh(u_t + r)
        h = self.alpha * state.hidden + (1 - self.alpha) * candidate
        return Step(h, ElmanState(h), {"candidate": candidate})

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, alpha={self.alpha}"


class LearntLeaky(Elman):
    """α learnt, one for each unit.

    alpha: α of every unit at the start, between 0 and 1. OptionError for another.
    """

    NAME = "learnt-leaky"

    def __init__(self, input_size: int, hidden_size: int, alpha: float = 0.9) -> None:
        super().__init__(input_size, hidden_size)
        self.alpha = alpha
        self.a = nn.Parameter(torch.full((hidden_size,), _logit(self, alpha)))

    def combine(self, u_t: Tensor, r: Tensor, state: ElmanState) -> Step:
        alpha = torch.sigmoid(self.a)
        candidate = torch.tanh(u_t + r)
        h = alpha * state.hidden + (1 - alpha) * candidate
        return Step(h, ElmanState(h), {"candidate": candidate})


class GatedLeakyWeights(NamedTuple):
    U: Tensor  # (2·H, F)
    W: Tensor  # (2·H, H)
    b: Tensor  # (2·H)


class GatedLeaky(LinearRecurrentCell):
    """α of each unit and step from state and input.

    alpha: α of every unit at the start, before anything has come in, between 0 and 1. OptionError for another.
    """

    NAME = "gated-leaky"
    GATES = ("keep", "candidate")

    def __init__(self, input_size: int, hidden_size: int, alpha: float = 0.9) -> None:
        super().__init__(input_size, hidden_size)
        self.alpha = alpha
        self.U = nn.Parameter(torch.empty(2 * hidden_size, input_size))
        self.W = nn.Parameter(torch.empty(2 * hidden_size, hidden_size))
        self.b = nn.Parameter(torch.zeros(2 * hidden_size))
        fill_input_(self.U, 2)
        fill_recurrent_(self.W, 2)
        with torch.no_grad():
            self.b[:hidden_size] = _logit(self, alpha)

    def prepare(self) -> GatedLeakyWeights:
        return GatedLeakyWeights(self.U, self.W, self.b)

    def project(self, x: Tensor, weights: GatedLeakyWeights, condition: Tensor | None = None) -> Tensor:
        return project_input(x, weights.U, weights.b)

    def initial_state(self, shape: Sequence[int], device: torch.device, dtype: torch.dtype) -> ElmanState:
        return ElmanState(torch.zeros(*shape, self.hidden_size, device=device, dtype=dtype))

    def recur(self, state: ElmanState, weights: GatedLeakyWeights) -> Tensor:
        return F.linear(state.hidden, weights.W)

    def combine(self, u_t: Tensor, r: Tensor, state: ElmanState) -> Step:
        keep, candidate = (u_t + r).chunk(2, -1)
        keep, candidate = torch.sigmoid(keep), torch.tanh(candidate)
        h = keep * state.hidden + (1 - keep) * candidate
        return Step(h, ElmanState(h), {"keep": keep, "candidate": candidate})


def _logit(cell: Elman | GatedLeaky, alpha: float) -> float:
    """The a for which σ(a) is alpha."""
    if not 0 < alpha < 1:
        raise OptionError(f"alpha of {type(cell).__name__} was {alpha}; it must be above 0 and below 1")
    return math.log(alpha / (1 - alpha))
