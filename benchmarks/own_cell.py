"""A cell of somebody's own, of which no kernel here has heard: what `train-custom` measures the traced kernel with.

k_t = σ(W_k h_{t-1} + U_k x_t + b_k + p ∘ h_{t-1}),   h̃_t = tanh(W_c h_{t-1} + U_c x_t + b_c)
h_t = k_t ∘ h_{t-1} + (1 − k_t) ∘ h̃_t,               output h_t ∘ σ(q ∘ h_t)
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

from unrolled.cells.cell import LinearRecurrentCell, Step, fill_input_, fill_recurrent_, project_input


class OwnState(NamedTuple):
    hidden: torch.Tensor  # (B, H)


class OwnCell(LinearRecurrentCell):
    GATES = ("keep", "candidate")

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.U = nn.Parameter(torch.empty(2 * hidden_size, input_size))
        self.W = nn.Parameter(torch.empty(2 * hidden_size, hidden_size))
        self.b = nn.Parameter(torch.zeros(2 * hidden_size))
        self.p, self.q = nn.Parameter(torch.zeros(hidden_size)), nn.Parameter(torch.ones(hidden_size))
        fill_input_(self.U, 2)
        fill_recurrent_(self.W, 2)

    def prepare(self):
        return self.W

    def project(self, x, weights, condition=None):
        return project_input(x, self.U, self.b)

    def initial_state(self, shape, device, dtype):
        return OwnState(torch.zeros(*shape, self.hidden_size, device=device, dtype=dtype))

    def recur(self, state, weights):
        return nn.functional.linear(state.hidden, weights)

    def combine(self, u_t, r, state):
        keep, candidate = (u_t + r).chunk(2, -1)
        keep, candidate = torch.sigmoid(keep + self.p * state.hidden), torch.tanh(candidate)
        h = keep * state.hidden + (1 - keep) * candidate
        return Step(h * torch.sigmoid(self.q * h), OwnState(h), {"keep": keep, "candidate": candidate})
