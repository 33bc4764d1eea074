"""The convolutional LSTM of Shi et al. (2015), arXiv:1506.04214: an LSTM whose products are convolutions over places.

    i_t = σ(U_i * x_t + W_i * h_{t-1} + p_i ∘ c_{t-1} + b_i)        input gate
    f_t = σ(U_f * x_t + W_f * h_{t-1} + p_f ∘ c_{t-1} + b_f)        forget gate
    c̃_t = tanh(U_c * x_t + W_c * h_{t-1} + b_c)                     candidate
    c_t = f_t ∘ c_{t-1} + i_t ∘ c̃_t                                 cell state
    o_t = σ(U_o * x_t + W_o * h_{t-1} + p_o ∘ c_t + b_o)            output gate, which sees the new cell state
    h_t = o_t ∘ tanh c_t                                            hidden state and output

x (T, B, rows, columns, F), h and c (B, rows, columns, H); * is a convolution with k × k kernels, zeros around the grid.
Parameters: 4·H·(k²·(H + F) + 1) + 3·H, the last times rows · columns where each place has peepholes of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unrolled.cells.cell import LinearRecurrentCell, Step, fill_input_
from unrolled.errors import ShapeError


class ConvLSTMState(NamedTuple):
    hidden: Tensor  # (B, rows, columns, H)
    cell: Tensor  # (B, rows, columns, H)


class ConvLSTM(LinearRecurrentCell):
    """The ConvLSTM, with peepholes. input_size and hidden_size count features of a place.

    kernel_size: k, odd: how far a place sees in one step.
    places: rows and columns, where each place has peephole weights of its own, as the paper's product with c reads;
        empty: one weight a feature, alike at all places, for grids of any size.
    forget_bias: b_f at the start.
    """

    NAME = "conv-lstm"
    GATES = ("input", "forget", "candidate", "output")
    PLACES = 2

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        kernel_size: int = 3,
        places: Sequence[int] = (),
        forget_bias: float = 1.0,
    ) -> None:
        super().__init__(input_size, hidden_size)
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ShapeError(f"kernel_size of ConvLSTM was {kernel_size}; it must be odd, so that it has a middle")
        self.kernel_size = kernel_size
        self.places = tuple(places)
        self.forget_bias = forget_bias
        self.U = nn.Parameter(torch.empty(4 * hidden_size, input_size, kernel_size, kernel_size))
        self.W = nn.Parameter(torch.empty(4 * hidden_size, hidden_size, kernel_size, kernel_size))
        self.p = nn.Parameter(torch.zeros(3, *self.places, hidden_size))  # of input, forget and output gate
        self.b = nn.Parameter(torch.zeros(4 * hidden_size))
        fill_input_(self.U, 4)
        fill_input_(self.W, 4)
        with torch.no_grad():
            self.b.view(4, hidden_size)[self.GATES.index("forget")] = forget_bias

    def prepare(self) -> None:
        return None

    def project(self, x: Tensor, weights: None, condition: Tensor | None = None) -> Tensor:
        return convolve(x.flatten(0, 1), self.U, self.b).unflatten(0, x.shape[:2])

    def initial_state(self, shape: Sequence[int], device: torch.device, dtype: torch.dtype) -> ConvLSTMState:
        zeros = torch.zeros(*shape, self.hidden_size, device=device, dtype=dtype)
        return ConvLSTMState(zeros, zeros.clone())

    def recur(self, state: ConvLSTMState, weights: None) -> Tensor:
        return convolve(state.hidden, self.W)

    def combine(self, u_t: Tensor, r: Tensor, state: ConvLSTMState) -> Step:
        if self.places and self.places != state.cell.shape[1:-1]:
            raise ShapeError(
                f"this ConvLSTM has peepholes for places {self.places}; pictures {tuple(state.cell.shape[1:-1])} came"
            )
        p_i, p_f, p_o = self.p
        i, f, candidate, o = (u_t + r).chunk(4, -1)
        i, f = torch.sigmoid(i + p_i * state.cell), torch.sigmoid(f + p_f * state.cell)
        candidate = torch.tanh(candidate)
        c = f * state.cell + i * candidate
        o = torch.sigmoid(o + p_o * c)
        h = o * torch.tanh(c)
        return Step(h, ConvLSTMState(h, c), {"input": i, "forget": f, "candidate": candidate, "output": o})


def convolve(x: Tensor, kernels: Tensor, bias: Tensor | None = None) -> Tensor:
    """x (B, rows, columns, F) with kernels (H, F, k, k), zeros around it → (B, rows, columns, H)."""
    return F.conv2d(x.movedim(-1, 1), kernels, bias, padding=kernels.shape[-1] // 2).movedim(1, -1)
