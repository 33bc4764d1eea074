"""The LSTM normalised within the step: Ba et al. (2016), arXiv:1607.06450, equations 20 to 22.

    LN(a) = (a − mean a) / √(var a + ε)            over the features of one row at one time
    i, f, c̃, o = γ_h ∘ LN(W h_{t-1}) + γ_x ∘ LN(U x_t) + b      before σ, σ, tanh, σ
    c_t = f_t ∘ c_{t-1} + i_t ∘ c̃_t
    h_t = o_t ∘ tanh(γ_c ∘ LN(c_t) + β_c)          c_t itself is carried as it is

All four gates are normalised together, as in the paper. It adds a shift to each of the first two norms, which are but
one with b, and so left out. Parameters: 4·H·(H + F + 1) + 10·H.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unrolled.cells.cell import Step, project_input
from unrolled.cells.lstm import LSTM, LSTMState, LSTMWeights


class LayerNormLSTM(LSTM):
    """The products with h and with x, and the cell state on its way out, each normalised.

    forget_bias: b_f at the start.
    """

    NAME = "layer-norm-lstm"

    def __init__(self, input_size: int, hidden_size: int, forget_bias: float = 1.0) -> None:
        super().__init__(input_size, hidden_size, forget_bias)
        self.gain_h = nn.Parameter(torch.ones(4 * hidden_size))
        self.gain_x = nn.Parameter(torch.ones(4 * hidden_size))
        self.gain_c = nn.Parameter(torch.ones(hidden_size))
        self.shift_c = nn.Parameter(torch.zeros(hidden_size))

    def project(self, x: Tensor, weights: LSTMWeights, condition: Tensor | None = None) -> Tensor:
        product = project_input(x, weights.U, None)
        return F.layer_norm(product, self.gain_x.shape, self.gain_x) + weights.b

    def combine(self, u_t: Tensor, r: Tensor, state: LSTMState) -> Step:
        i, f, candidate, o = (u_t + F.layer_norm(r, self.gain_h.shape, self.gain_h)).chunk(4, -1)
        i, f, candidate, o = torch.sigmoid(i), torch.sigmoid(f), torch.tanh(candidate), torch.sigmoid(o)
        c = f * state.cell + i * candidate
        h = o * torch.tanh(F.layer_norm(c, self.gain_c.shape, self.gain_c, self.shift_c))
        return Step(h, LSTMState(h, c), {"input": i, "forget": f, "candidate": candidate, "output": o})
