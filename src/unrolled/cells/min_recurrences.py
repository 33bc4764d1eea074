"""The minimal recurrences of Feng et al. (2024), arXiv:2410.01201: gates that see x alone, so that a scan can run them.

    minGRU:   z_t = σ(U_z x_t + b_z)                         update gate: here it takes the new, 1 − z_t keeps
              h̃_t = g(U_c x_t + b_c)                         candidate
              h_t = (1 − z_t) ∘ h_{t-1} + z_t ∘ h̃_t          hidden state and output

    minLSTM:  i_t = σ(U_i x_t + b_i)                         input gate
              f_t = σ(U_f x_t + b_f)                         forget gate
              h̃_t = g(U_c x_t + b_c)                         candidate
              h_t = f_t/(f_t + i_t) ∘ h_{t-1} + i_t/(f_t + i_t) ∘ h̃_t

    g(v) = v + ½ where v ≥ 0, σ(v) elsewhere: positive, continuous, and with a slope of 1 wherever v is positive

The paper has two forms: the plain one, where the candidate is U_c x_t + b_c itself, and the one for log-space, with g.
This is the second, with which the paper trained; g is the layer's only nonlinearity beside its gates. The logarithms
themselves only served the paper's scan and are not needed here: h_t is a convex mixture of what came before, so the
scan of this package is safe in plain numbers, and the state before the first step is 0 (a scan in logarithms has to
start from a positive one).

All that stands here is the recurrence with its input projections. The convolution, MLP and norm that the paper puts
around it in its language models are blocks of their own.
Parameters: 2·H·(F + 1) for minGRU, 3·H·(F + 1) for minLSTM.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unrolled.cells.cell import DiagonalCell, fill_input_, project_input


def positive(v: Tensor) -> Tensor:
    """g(v) = v + ½ where v ≥ 0, σ(v) elsewhere."""
    return torch.where(v >= 0, v + 0.5, torch.sigmoid(v))


class _Minimal(DiagonalCell):
    """What the two have in common: one projection, a block for each of `GATES`, and an output that is the state."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        blocks = len(self.GATES)
        self.U = nn.Parameter(torch.empty(blocks * hidden_size, input_size))
        self.b = nn.Parameter(torch.zeros(blocks * hidden_size))
        fill_input_(self.U, blocks)

    def prepare(self) -> tuple[Tensor, Tensor]:
        return self.U, self.b

    def project(self, x: Tensor, weights: tuple[Tensor, Tensor], condition: Tensor | None = None) -> Tensor:
        return project_input(x, *weights)

    def initial_state(self, shape: Sequence[int], device: torch.device, dtype: torch.dtype) -> Tensor:
        return torch.zeros(*shape, self.hidden_size, device=device, dtype=dtype)

    def readout(self, h: Tensor, u: Tensor) -> Tensor:
        return h


class MinGRU(_Minimal):
    """A GRU whose gate and candidate do not see the state, without a reset gate."""

    NAME = "min-gru"
    GATES = ("update", "candidate")

    def coefficients(self, u: Tensor) -> tuple[Tensor, Tensor]:
        update, candidate = u.chunk(2, -1)
        # 1 − σ(v) = σ(−v), without the rounding of 1 − z where z is near 1.
        return torch.sigmoid(-update), torch.sigmoid(update) * positive(candidate)

    def gates(self, u: Tensor) -> dict[str, Tensor]:
        update, candidate = u.chunk(2, -1)
        return {"update": torch.sigmoid(update), "candidate": positive(candidate)}


class MinLSTM(_Minimal):
    """An LSTM whose gates and candidate do not see the state, the two gates scaled to a sum of 1, no output gate.

    The gates that a step gives are the scaled ones: what is kept, and what is taken.
    """

    NAME = "min-lstm"
    GATES = ("input", "forget", "candidate")

    def _scaled(self, u: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        i, f, candidate = u.chunk(3, -1)
        # f/(f + i) = σ(log f − log i), which holds where both have underflowed.
        log_ratio = F.logsigmoid(f) - F.logsigmoid(i)
        return torch.sigmoid(-log_ratio), torch.sigmoid(log_ratio), positive(candidate)

    def coefficients(self, u: Tensor) -> tuple[Tensor, Tensor]:
        i, f, candidate = self._scaled(u)
        return f, i * candidate

    def gates(self, u: Tensor) -> dict[str, Tensor]:
        return dict(zip(self.GATES, self._scaled(u), strict=True))
