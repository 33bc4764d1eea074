"""Long short-term memory: Hochreiter & Schmidhuber (1997), doi:10.1162/neco.1997.9.8.1735, with the forget gate of
Gers et al. (2000), doi:10.1162/089976600300015015.

    i_t = σ(W_i h_{t-1} + U_i x_t + b_i)          input gate
    f_t = σ(W_f h_{t-1} + U_f x_t + b_f)          forget gate
    c̃_t = tanh(W_c h_{t-1} + U_c x_t + b_c)       candidate
    o_t = σ(W_o h_{t-1} + U_o x_t + b_o)          output gate
    c_t = f_t ∘ c_{t-1} + i_t ∘ c̃_t               cell state
    h_t = o_t ∘ tanh c_t                          hidden state and output

Parameters: 4·H·(H + F + 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unrolled.cells.cell import LinearRecurrentCell, Step, fill_input_, fill_recurrent_, project_input


class LSTMState(NamedTuple):
    hidden: Tensor  # (B, H)
    cell: Tensor  # (B, H)


class LSTMWeights(NamedTuple):
    U: Tensor  # (4·H, F)
    W: Tensor  # (4·H, H)
    b: Tensor  # (4·H)


class LSTM(LinearRecurrentCell):
    """The LSTM. Gate blocks stand in the order of `GATES`, which is also torch's.

    forget_bias: b_f at the start; 1 keeps the memory open at first (Jozefowicz et al. 2015).
    """

    NAME = "lstm"
    GATES = ("input", "forget", "candidate", "output")

    def __init__(self, input_size: int, hidden_size: int, forget_bias: float = 1.0) -> None:
        super().__init__(input_size, hidden_size)
        self.forget_bias = forget_bias
        self.U = nn.Parameter(torch.empty(4 * hidden_size, input_size))
        self.W = nn.Parameter(torch.empty(4 * hidden_size, hidden_size))
        self.b = nn.Parameter(torch.zeros(4 * hidden_size))
        fill_input_(self.U, 4)
        fill_recurrent_(self.W, 4)
        with torch.no_grad():
            self.b.view(4, hidden_size)[self.GATES.index("forget")] = forget_bias

    def prepare(self) -> LSTMWeights:
        return LSTMWeights(self.U, self.W, self.b)

    def project(self, x: Tensor, weights: LSTMWeights, condition: Tensor | None = None) -> Tensor:
        return project_input(x, weights.U, weights.b)

    def initial_state(self, shape: Sequence[int], device: torch.device, dtype: torch.dtype) -> LSTMState:
        zeros = torch.zeros(*shape, self.hidden_size, device=device, dtype=dtype)
        return LSTMState(zeros, zeros.clone())

    def recur(self, state: LSTMState, weights: LSTMWeights) -> Tensor:
        return F.linear(state.hidden, weights.W)

    def combine(self, u_t: Tensor, r: Tensor, state: LSTMState) -> Step:
        i, f, candidate, o = (u_t + r).chunk(4, -1)
        i, f, candidate, o = torch.sigmoid(i), torch.sigmoid(f), torch.tanh(candidate), torch.sigmoid(o)
        c = f * state.cell + i * candidate
        h = o * torch.tanh(c)
        return Step(h, LSTMState(h, c), {"input": i, "forget": f, "candidate": candidate, "output": o})
