"""The gated recurrent unit of Cho et al. (2014), arXiv:1406.1078, in both forms that are in use.

    r_t = σ(W_r h_{t-1} + U_r x_t + b_r)                     reset gate
    z_t = σ(W_z h_{t-1} + U_z x_t + b_z)                     update gate
    h̃_t = tanh(U_c x_t + b_c + r_t ∘ (W_c h_{t-1} + b_h))    candidate, reset after the product: `GRU`
    h̃_t = tanh(U_c x_t + b_c + W_c (r_t ∘ h_{t-1}))          candidate, reset before it: `ResetBeforeGRU`
    h_t = z_t ∘ h_{t-1} + (1 − z_t) ∘ h̃_t

Reset after is the form of cuDNN and torch, whose weights this code shares: z_t keeps. Papers and lectures that write
h_t = u_t ∘ h̃_t + (1 − u_t) ∘ h_{t-1} call 1 − z_t their u_t.
Parameters: 3·H·(H + F + 1), and H more for b_h where the reset comes after.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unrolled.cells.cell import Cell, LinearRecurrentCell, Step, fill_input_, fill_recurrent_, project_input


class GRUState(NamedTuple):
    hidden: Tensor  # (B, H)


class GRUWeights(NamedTuple):
    U: Tensor  # (3·H, F)
    W: Tensor  # (3·H, H)
    b: Tensor  # (3·H)
    b_r: Tensor  # (3·H), b_h at the candidate's block and zeros elsewhere


class GRU(LinearRecurrentCell):
    """Reset after the product. Gate blocks stand in the order of `GATES`, which is also torch's."""

    NAME = "gru"
    GATES = ("reset", "update", "candidate")

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.U = nn.Parameter(torch.empty(3 * hidden_size, input_size))
        self.W = nn.Parameter(torch.empty(3 * hidden_size, hidden_size))
        self.b = nn.Parameter(torch.zeros(3 * hidden_size))
        self.b_h = nn.Parameter(torch.zeros(hidden_size))
        fill_input_(self.U, 3)
        fill_recurrent_(self.W, 3)

    def prepare(self) -> GRUWeights:
        # b_h belongs to the candidate's product alone, within the reset gate's reach.
        return GRUWeights(self.U, self.W, self.b, F.pad(self.b_h, (2 * self.hidden_size, 0)))

    def project(self, x: Tensor, weights: GRUWeights, condition: Tensor | None = None) -> Tensor:
        return project_input(x, weights.U, weights.b)

    def initial_state(self, shape: Sequence[int], device: torch.device, dtype: torch.dtype) -> GRUState:
        return GRUState(torch.zeros(*shape, self.hidden_size, device=device, dtype=dtype))

    def recur(self, state: GRUState, weights: GRUWeights) -> Tensor:
        return F.linear(state.hidden, weights.W, weights.b_r)

    def combine(self, u_t: Tensor, r: Tensor, state: GRUState) -> Step:
        u_reset, u_update, u_candidate = u_t.chunk(3, -1)
        r_reset, r_update, r_candidate = r.chunk(3, -1)
        reset = torch.sigmoid(u_reset + r_reset)
        z = torch.sigmoid(u_update + r_update)
        candidate = torch.tanh(u_candidate + reset * r_candidate)
        h = z * state.hidden + (1 - z) * candidate
        return Step(h, GRUState(h), {"reset": reset, "update": z, "candidate": candidate})


class ResetBeforeGRU(Cell):
    """Reset before the product, as in the first paper: two products a step, one after the other, so no `recur`."""

    NAME = "reset-before-gru"
    GATES = ("reset", "update", "candidate")

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.U = nn.Parameter(torch.empty(3 * hidden_size, input_size))
        self.W = nn.Parameter(torch.empty(3 * hidden_size, hidden_size))
        self.b = nn.Parameter(torch.zeros(3 * hidden_size))
        fill_input_(self.U, 3)
        fill_recurrent_(self.W, 3)

    def prepare(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        W_gates, W_candidate = self.W.split([2 * self.hidden_size, self.hidden_size])
        return self.U, W_gates, W_candidate, self.b

    def project(self, x: Tensor, weights: tuple[Tensor, ...], condition: Tensor | None = None) -> Tensor:
        U, _, _, b = weights
        return project_input(x, U, b)

    def initial_state(self, shape: Sequence[int], device: torch.device, dtype: torch.dtype) -> GRUState:
        return GRUState(torch.zeros(*shape, self.hidden_size, device=device, dtype=dtype))

    def step(self, u_t: Tensor, state: GRUState, weights: tuple[Tensor, ...]) -> Step:
        _, W_gates, W_candidate, _ = weights
        u_gates, u_candidate = u_t.split([2 * self.hidden_size, self.hidden_size], -1)
        reset, z = torch.sigmoid(u_gates + F.linear(state.hidden, W_gates)).chunk(2, -1)
        candidate = torch.tanh(u_candidate + F.linear(reset * state.hidden, W_candidate))
        h = z * state.hidden + (1 - z) * candidate
        return Step(h, GRUState(h), {"reset": reset, "update": z, "candidate": candidate})
