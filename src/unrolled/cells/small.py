"""Three small cells: the minimal gated unit, the simple recurrent unit, the independently recurrent network.

`MinimalGatedUnit`: Zhou et al. (2016), arXiv:1603.09420. One gate, forget and reset in one:

    f_t = σ(W_f h_{t-1} + U_f x_t + b_f)
    h̃_t = tanh(W_h (f_t ∘ h_{t-1}) + U_h x_t + b_h)
    h_t = (1 − f_t) ∘ h_{t-1} + f_t ∘ h̃_t

`SRU`: Lei et al. (2017), arXiv:1709.02755, in its first version, whose gates see the input alone, so that the
recurrence is linear and diagonal (the later one adds v ∘ c_{t-1} within the gates, and with it must step):

    x̃_t = U x_t,   f_t = σ(U_f x_t + b_f),   r_t = σ(U_r x_t + b_r)
    c_t = f_t ∘ c_{t-1} + (1 − f_t) ∘ x̃_t
    h_t = r_t ∘ tanh c_t + (1 − r_t) ∘ x_t           where F ≠ H, with U_x x_t in the place of x_t

`IndRNN`: Li et al. (2018), arXiv:1803.04831. Each unit sees no state but its own:

    h_t = max(0, w ∘ h_{t-1} + U x_t + b)

Parameters: 2·H·(H + F + 1); H·(3·F + 2), and H·F more where F ≠ H; H·(F + 2).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unrolled.cells.cell import (
    Cell,
    DiagonalCell,
    LinearRecurrentCell,
    Step,
    fill_input_,
    fill_recurrent_,
    is_symbols,
    project_input,
)
from unrolled.cells.elman import ElmanState


class MinimalGatedWeights(NamedTuple):
    U: Tensor  # (2·H, F)
    W: Tensor  # (2·H, H)
    b: Tensor  # (2·H)


class MinimalGatedUnit(Cell):
    """Two products a step, the second of a gated state, so no `recur`."""

    NAME = "minimal-gated"
    GATES = ("forget", "candidate")

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.U = nn.Parameter(torch.empty(2 * hidden_size, input_size))
        self.W = nn.Parameter(torch.empty(2 * hidden_size, hidden_size))
        self.b = nn.Parameter(torch.zeros(2 * hidden_size))
        fill_input_(self.U, 2)
        fill_recurrent_(self.W, 2)

    def prepare(self) -> MinimalGatedWeights:
        return MinimalGatedWeights(self.U, self.W, self.b)

    def project(self, x: Tensor, weights: MinimalGatedWeights, condition: Tensor | None = None) -> Tensor:
        return project_input(x, weights.U, weights.b)

    def initial_state(self, shape: Sequence[int], device: torch.device, dtype: torch.dtype) -> ElmanState:
        return ElmanState(torch.zeros(*shape, self.hidden_size, device=device, dtype=dtype))

    def step(self, u_t: Tensor, state: ElmanState, weights: MinimalGatedWeights) -> Step:
        u_forget, u_candidate = u_t.chunk(2, -1)
        W_forget, W_candidate = weights.W.chunk(2)
        f = torch.sigmoid(u_forget + F.linear(state.hidden, W_forget))
        candidate = torch.tanh(u_candidate + F.linear(f * state.hidden, W_candidate))
        h = (1 - f) * state.hidden + f * candidate
        return Step(h, ElmanState(h), {"forget": f, "candidate": candidate})


class SRUInput(NamedTuple):
    """What `SRU.project` makes of x, each (T, B, H)."""

    candidate: Tensor
    forget: Tensor
    reset: Tensor
    carried: Tensor  # what goes past the recurrence


class SRU(DiagonalCell):
    """A diagonal recurrence between gates of the input, and a way past it. The state is c (B, H)."""

    NAME = "sru"
    GATES = ("candidate", "forget", "reset")

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.U = nn.Parameter(torch.empty(3 * hidden_size, input_size))
        self.b = nn.Parameter(torch.zeros(2 * hidden_size))
        fill_input_(self.U, 3)
        self.U_x = None
        if input_size != hidden_size:
            self.U_x = nn.Parameter(torch.empty(hidden_size, input_size))
            fill_input_(self.U_x, 1)

    def prepare(self) -> Tensor:
        # The candidate has no bias.
        return F.pad(self.b, (self.hidden_size, 0))

    def project(self, x: Tensor, weights: Tensor, condition: Tensor | None = None) -> SRUInput:
        candidate, forget, reset = project_input(x, self.U, weights).chunk(3, -1)
        if self.U_x is not None:
            carried = project_input(x, self.U_x, None)
        else:
            carried = F.one_hot(x.long(), self.input_size).to(candidate.dtype) if is_symbols(x) else x
        return SRUInput(candidate, torch.sigmoid(forget), torch.sigmoid(reset), carried)

    def initial_state(self, shape: Sequence[int], device: torch.device, dtype: torch.dtype) -> Tensor:
        return torch.zeros(*shape, self.hidden_size, device=device, dtype=dtype)

    def coefficients(self, u: SRUInput) -> tuple[Tensor, Tensor]:
        return u.forget, (1 - u.forget) * u.candidate

    def readout(self, h: Tensor, u: SRUInput) -> Tensor:
        return u.reset * torch.tanh(h) + (1 - u.reset) * u.carried

    def gates(self, u: SRUInput) -> dict[str, Tensor]:
        return {"candidate": u.candidate, "forget": u.forget, "reset": u.reset}


class IndRNNWeights(NamedTuple):
    U: Tensor  # (H, F)
    w: Tensor  # (H)
    b: Tensor  # (H)


class IndRNN(LinearRecurrentCell):
    """One recurrent weight a unit. w starts uniform in (0, 1): units with memories of all lengths.

    The paper also holds |w| below γ^(1/T) after each update, so that nothing explodes over T steps; clipped gradients
    take that place here.
    """

    NAME = "indrnn"
    GATES = ("candidate",)

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.U = nn.Parameter(torch.empty(hidden_size, input_size))
        self.w = nn.Parameter(torch.rand(hidden_size))
        self.b = nn.Parameter(torch.zeros(hidden_size))
        fill_input_(self.U, 1)

    def prepare(self) -> IndRNNWeights:
        return IndRNNWeights(self.U, self.w, self.b)

    def project(self, x: Tensor, weights: IndRNNWeights, condition: Tensor | None = None) -> Tensor:
        return project_input(x, weights.U, weights.b)

    def initial_state(self, shape: Sequence[int], device: torch.device, dtype: torch.dtype) -> ElmanState:
        return ElmanState(torch.zeros(*shape, self.hidden_size, device=device, dtype=dtype))

    def recur(self, state: ElmanState, weights: IndRNNWeights) -> Tensor:
        return weights.w * state.hidden

    def combine(self, u_t: Tensor, r: Tensor, state: ElmanState) -> Step:
        h = torch.relu(u_t + r)
        return Step(h, ElmanState(h), {"candidate": h})
