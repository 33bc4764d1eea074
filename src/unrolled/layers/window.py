"""Networks without recurrence over windows of a fixed length, to stand beside recurrent ones.

WindowMLP   h = relu(W₂ relu(W₁ [x_1; …; x_T] + b₁) + b₂)
WindowCNN   h^l_t = relu(Σ_k A^l_k h^{l-1}_{t+k} + a^l), each layer over every second step of the one below;
            h = relu(W [h^L_1; …] + b)
"""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from unrolled.errors import ShapeError

#: Steps that one convolution sees.
KERNEL = 5


class WindowMLP(nn.Module):
    """x (T, B, F), T = `window` → (B, hidden_size): two layers over all that the window holds."""

    def __init__(self, window: int, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.window, self.output_size = window, hidden_size
        self.first = nn.Linear(window * input_size, hidden_size)
        self.second = nn.Linear(hidden_size, hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        """ShapeError for a window of another length."""
        return F.relu(self.second(F.relu(self.first(_side_by_side(x, self.window)))))


class WindowCNN(nn.Module):
    """x (T, B, F), T = `window` → (B, hidden_size): convolutions, each at every second step, and a layer over all."""

    def __init__(self, window: int, input_size: int, hidden_size: int, layers: int = 2) -> None:
        super().__init__()
        self.window, self.output_size = window, hidden_size
        sizes = [input_size, *[hidden_size] * layers]
        self.convolutions = nn.ModuleList(
            [nn.Conv1d(below, above, KERNEL, stride=2, padding=KERNEL // 2) for below, above in pairwise(sizes)]
        )
        left = window
        for _ in range(layers):
            left = (left + 1) // 2
        self.output = nn.Linear(left * hidden_size, hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        """ShapeError for a window of another length."""
        _check(x, self.window)
        h = x.permute(1, 2, 0)  # (B, F, T), as convolutions want it
        for convolution in self.convolutions:
            h = F.relu(convolution(h))
        return F.relu(self.output(h.flatten(1)))


def _side_by_side(x: Tensor, window: int) -> Tensor:
    _check(x, window)
    return x.transpose(0, 1).flatten(1)


def _check(x: Tensor, window: int) -> None:
    if x.dim() != 3 or len(x) != window:
        raise ShapeError(f"a window of {window} steps, ({window}, B, F), was expected; {tuple(x.shape)} came")
