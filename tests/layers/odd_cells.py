"""Cells that no one would train, with states that those of the package lack: a counter, and places of a grid."""

from __future__ import annotations

from typing import NamedTuple

import torch

from unrolled.cells.cell import Cell, Step


class CountingState(NamedTuple):
    hidden: torch.Tensor
    steps: torch.Tensor


class Counting(Cell):
    """h_t = tanh(x_t + h_{t-1}), and how many steps it has seen."""

    def prepare(self):
        return None

    def project(self, x, weights, condition=None):
        return x

    def initial_state(self, shape, device, dtype):
        steps = torch.zeros(*shape, dtype=torch.int64, device=device)
        return CountingState(torch.zeros(*shape, self.hidden_size, dtype=dtype, device=device), steps)

    def step(self, u_t, state, weights):
        h = torch.tanh(u_t + state.hidden)
        return Step(h, CountingState(h, state.steps + 1), {})


class Blurring(Cell):
    """h_t = tanh(x_t + what h_{t-1} is one row further down), over (B, rows, columns, H)."""

    def prepare(self):
        return None

    def project(self, x, weights, condition=None):
        return x

    def initial_state(self, shape, device, dtype):
        return (torch.zeros(*shape, self.hidden_size, dtype=dtype, device=device),)

    def step(self, u_t, state, weights):
        h = torch.tanh(u_t + state[0].roll(1, dims=1))
        return Step(h, (h,), {})
