"""The selective state-space recurrence (S6) of Gu & Dao (2023), "Mamba", arXiv:2312.00752.

    v_t = U x_t + b                                   H channels
    Δ_t = softplus(W_Δ (W_δ v_t) + b_Δ)               a step size for each channel, through R numbers: (H)
    B_t = W_B v_t,  C_t = W_C v_t                     what is written to, and read from, each of N states: (N)
    A = −e^α                                          (H, N), negative, so that every state fades
    h_t = e^{Δ_t A} ∘ h_{t-1} + (Δ_t ∘ v_t) B_tᵀ      state (H, N): a channel's N states see that channel alone
    y_t = h_t C_t + D ∘ v_t                           output (H)

The decay is discretised exactly (zero-order hold), the input to first order (Euler), as in the published code; the
paper's text has zero-order hold for both, and the two agree as Δ goes to 0. A channel with a large Δ_t takes in v_t and
forgets, one with a small Δ_t stands still: that is the selection. At the start A_{·n} = −n for n = 1…N, D = 1, and
Δ is spread evenly, in its logarithm, over [0.001, 0.1].

Of Mamba's block, this has the projections to Δ, B and C, which make the recurrence selective, and U, which stands where
the block widens its input. The short convolution and SiLU between U and the rest, the gate beside the output, the
projection back, norm and residual connection are blocks of their own.
Parameters: H·(F + 3 + 2·R + 3·N), with R = ⌈H/16⌉.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unrolled.cells.cell import DiagonalCell, fill_input_, project_input
from unrolled.errors import ShapeError

#: Where Δ starts.
SHORTEST, LONGEST = 1e-3, 1e-1


class SelectiveInput(NamedTuple):
    v: Tensor  # (T, B, H)
    delta: Tensor  # Δ, (T, B, H)
    write: Tensor  # B, (T, B, N)
    read: Tensor  # C, (T, B, N)


class Selective(DiagonalCell):
    """S6. Its state is (B, H, N): N times as wide as its output.

    state_size: N, states of each channel.
    """

    NAME = "selective"

    def __init__(self, input_size: int, hidden_size: int, state_size: int = 16) -> None:
        super().__init__(input_size, hidden_size)
        if state_size < 1:
            raise ShapeError(f"state_size of Selective was {state_size}; it must be 1 or more")
        self.state_size = state_size
        rank = math.ceil(hidden_size / 16)
        self.U = nn.Parameter(torch.empty(hidden_size, input_size))
        self.b = nn.Parameter(torch.zeros(hidden_size))
        self.W_rank = nn.Parameter(torch.empty(rank, hidden_size))  # W_δ
        self.W_delta = nn.Parameter(torch.empty(hidden_size, rank).uniform_(-(rank**-0.5), rank**-0.5))
        self.W_B = nn.Parameter(torch.empty(state_size, hidden_size))
        self.W_C = nn.Parameter(torch.empty(state_size, hidden_size))
        for weight in (self.U, self.W_rank, self.W_B, self.W_C):
            fill_input_(weight, 1)
        delta = torch.exp(torch.empty(hidden_size).uniform_(math.log(SHORTEST), math.log(LONGEST)))
        self.b_delta = nn.Parameter(torch.log(torch.expm1(delta)))  # softplus(b_Δ) = Δ
        self.alpha = nn.Parameter(torch.log(torch.arange(1.0, state_size + 1)).repeat(hidden_size, 1))
        self.D = nn.Parameter(torch.ones(hidden_size))

    def prepare(self) -> Tensor:
        # W_δ, W_B and W_C read the same v: one product.
        return torch.cat([self.W_rank, self.W_B, self.W_C])

    def project(self, x: Tensor, weights: Tensor, condition: Tensor | None = None) -> SelectiveInput:
        v = project_input(x, self.U, self.b)
        low, write, read = F.linear(v, weights).split([len(self.W_rank), self.state_size, self.state_size], -1)
        delta = F.softplus(F.linear(low, self.W_delta, self.b_delta))
        return SelectiveInput(v, delta, write, read)

    def initial_state(self, shape: Sequence[int], device: torch.device, dtype: torch.dtype) -> Tensor:
        return torch.zeros(*shape, self.hidden_size, self.state_size, device=device, dtype=dtype)

    def coefficients(self, u: SelectiveInput) -> tuple[Tensor, Tensor]:
        A = -torch.exp(self.alpha)
        return torch.exp(u.delta[..., None] * A), (u.delta * u.v)[..., None] * u.write[..., None, :]

    def readout(self, h: Tensor, u: SelectiveInput) -> Tensor:
        return torch.matmul(h, u.read.to(h.dtype)[..., None])[..., 0] + self.D * u.v

    def gates(self, u: SelectiveInput) -> dict[str, Tensor]:
        return {"step-size": u.delta, "write": u.write, "read": u.read}

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, state_size={self.state_size}"
