"""No memory at all: the recurrence with its recurrent part left out, what every other is to be compared with.

    h_t = tanh(U x_t + b),    output h_t

A perceptron with one hidden layer, on each step's input alone. Parameters: H·(F + 1).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from unrolled.cells.cell import DiagonalCell, fill_input_, project_input


class Memoryless(DiagonalCell):
    """h_t = a ∘ h_{t-1} + tanh(U x_t + b) with a = 0."""

    NAME = "memoryless"
    GATES = ("candidate",)

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.U = nn.Parameter(torch.empty(hidden_size, input_size))
        self.b = nn.Parameter(torch.zeros(hidden_size))
        fill_input_(self.U, 1)

    def prepare(self) -> None:
        """Nothing: U and b are used as they are."""

    def project(self, x: Tensor, weights: None, condition: Tensor | None = None) -> Tensor:
        return torch.tanh(project_input(x, self.U, self.b))

    def initial_state(self, shape: Sequence[int], device: torch.device, dtype: torch.dtype) -> Tensor:
        return torch.zeros(*shape, self.hidden_size, device=device, dtype=dtype)

    def coefficients(self, u: Tensor) -> tuple[Tensor, Tensor]:
        return torch.zeros_like(u), u

    def readout(self, h: Tensor, u: Tensor) -> Tensor:
        return h

    def gates(self, u: Tensor) -> dict[str, Tensor]:
        return {"candidate": u}
