"""LSTMs over grids: two forget gates, one for each neighbour. h and c are zero outside the grid.

The spatial LSTM of Theis & Bethge (2015), arXiv:1506.03478, at place (i, j), written with r for the row above and l for
the column on the left:

    g, o, i, f^r, f^l = tanh, σ, σ, σ, σ of  U x_{ij} + W [h_{i-1,j}; h_{i,j-1}] + b
    c_{ij} = g ∘ i + c_{i-1,j} ∘ f^r + c_{i,j-1} ∘ f^l
    h_{ij} = tanh(c_{ij} ∘ o)                           output; the output gate stands within the tanh

The multi-dimensional LSTM of Graves, Fernández & Schmidhuber (2007), arXiv:0705.2011, one cell in a block, with tanh as
both squashing functions, has peepholes:

    i   = σ(… + p_i ∘ (c_{i-1,j} + c_{i,j-1}))          the … as above, by rows and columns of U, W, b
    f^r = σ(… + p_r ∘ c_{i-1,j}),    f^l = σ(… + p_l ∘ c_{i,j-1})
    g   = tanh(…)
    c_{ij} = g ∘ i + c_{i-1,j} ∘ f^r + c_{i,j-1} ∘ f^l
    o   = σ(… + p_o ∘ c_{ij}),    h_{ij} = o ∘ tanh c_{ij}

Parameters: 5·H·(F + 2·H + 1), and 4·H peepholes. b_f starts at 0: with both forget gates open, c would grow from place
to place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unrolled.cells.cell import Step, fill_input_
from unrolled.cells.grid import GridCell, Neighbours


class GridLSTMState(NamedTuple):
    hidden: Tensor  # (B, N, H)
    cell: Tensor  # (B, N, H)


class SpatialLSTM(GridCell):
    """The spatial LSTM. Gate blocks of U, W, b stand in the order of `GATES`; the columns of W are h above, h left."""

    GATES = ("candidate", "output", "input", "forget above", "forget left")

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.U = nn.Parameter(torch.empty(5 * hidden_size, input_size))
        self.W = nn.Parameter(torch.empty(5 * hidden_size, 2 * hidden_size))
        self.b = nn.Parameter(torch.zeros(5 * hidden_size))
        fill_input_(self.U, 5)
        fill_input_(self.W, 5)

    def project(self, x: Tensor) -> Tensor:
        return F.linear(x, self.U, self.b)

    def border(self, shape: Sequence[int], device: torch.device, dtype: torch.dtype) -> GridLSTMState:
        zeros = torch.zeros(*shape, self.hidden_size, device=device, dtype=dtype)
        return GridLSTMState(zeros, zeros.clone())

    def recur(self, neighbours: Neighbours) -> Tensor:
        """W [h above; h left]."""
        return F.linear(torch.cat([neighbours.above.hidden, neighbours.left.hidden], -1), self.W)

    def step(self, u: Tensor, neighbours: Neighbours) -> Step:
        g, o, i, f_r, f_l = (u + self.recur(neighbours)).chunk(5, -1)
        g, o, i, f_r, f_l = torch.tanh(g), torch.sigmoid(o), torch.sigmoid(i), torch.sigmoid(f_r), torch.sigmoid(f_l)
        c = g * i + neighbours.above.cell * f_r + neighbours.left.cell * f_l
        h = torch.tanh(c * o)
        return Step(h, GridLSTMState(h, c), dict(zip(self.GATES, (g, o, i, f_r, f_l), strict=True)))


class MultiDimensionalLSTM(SpatialLSTM):
    """The multi-dimensional LSTM over two dimensions, with its peepholes, which start at 0."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.p = nn.Parameter(torch.zeros(4, hidden_size))  # of input, both forget gates (above, left), output

    def step(self, u: Tensor, neighbours: Neighbours) -> Step:
        c_r, c_l = neighbours.above.cell, neighbours.left.cell
        p_i, p_r, p_l, p_o = self.p
        g, o, i, f_r, f_l = (u + self.recur(neighbours)).chunk(5, -1)
        i = torch.sigmoid(i + p_i * (c_r + c_l))
        f_r, f_l = torch.sigmoid(f_r + p_r * c_r), torch.sigmoid(f_l + p_l * c_l)
        g = torch.tanh(g)
        c = g * i + c_r * f_r + c_l * f_l
        o = torch.sigmoid(o + p_o * c)
        h = o * torch.tanh(c)
        return Step(h, GridLSTMState(h, c), dict(zip(self.GATES, (g, o, i, f_r, f_l), strict=True)))
