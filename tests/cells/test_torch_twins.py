"""Cells with a twin in torch.nn give what the twin gives, with equal weights: outputs, states and gradients."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from unrolled import states
from unrolled.cells.cell import state_like
from unrolled.cells.elman import IRNN, Elman, ElmanReLU
from unrolled.cells.gru import GRU
from unrolled.cells.lstm import LSTM
from unrolled.cells.lstm_variations import ProjectedLSTM
from unrolled.kernels.fused import Fused
from unrolled.kernels.kernel import Pass
from unrolled.kernels.reference import Reference

T, B, F, H, P = 6, 3, 4, 5, 2

TWINS = {
    "tanh": (Elman, lambda: nn.RNN(F, H, nonlinearity="tanh")),
    "relu": (ElmanReLU, lambda: nn.RNN(F, H, nonlinearity="relu")),
    "irnn": (IRNN, lambda: nn.RNN(F, H, nonlinearity="relu")),
    "lstm": (LSTM, lambda: nn.LSTM(F, H)),
    "projected": (ProjectedLSTM, lambda: nn.LSTM(F, H, proj_size=P)),
    "gru": (GRU, lambda: nn.GRU(F, H)),
}


# Torch says once that it computes this twin by itself.
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")


def pair(name):
    """A cell and torch's module with the same weights: torch's two biases add up to our one, but for the GRU's b_h."""
    make, twin = TWINS[name]
    cell, module = make(F, H).double(), twin().double()
    with torch.no_grad():
        cell.b.normal_()
        if name == "gru":
            cell.b_h.normal_()
        module.weight_ih_l0.copy_(cell.U)
        module.weight_hh_l0.copy_(cell.W)
        module.bias_hh_l0.normal_()
        if name == "gru":
            module.bias_hh_l0[2 * H :].copy_(cell.b_h)
            module.bias_ih_l0.copy_(cell.b)
            module.bias_ih_l0[: 2 * H] -= module.bias_hh_l0[: 2 * H]
        else:
            module.bias_ih_l0.copy_(cell.b - module.bias_hh_l0)
        if name == "projected":
            module.weight_hr_l0.copy_(cell.P)
    return cell, module


@pytest.mark.parametrize("kernel", [Reference(), Fused()], ids=lambda kernel: kernel.NAME)
@pytest.mark.parametrize("name", TWINS)
def test_equal_weights_give_equal_outputs_states_and_gradients(name, kernel):
    cell, module = pair(name)
    x = torch.randn(T, B, F, dtype=torch.float64)
    start = states.map_state(torch.randn_like, state_like(cell, x))

    ours_x = x.clone().requires_grad_()
    ours_start = states.map_state(lambda leaf: leaf.clone().requires_grad_(), start)
    trace = kernel.run([Pass(cell, ours_x, ours_start)])[0]

    theirs_x = x.clone().requires_grad_()
    theirs_start = [leaf[None].clone().requires_grad_() for leaf in start]
    output, final = module(theirs_x, tuple(theirs_start) if len(start) == 2 else theirs_start[0])
    final = final if len(start) == 2 else (final,)

    torch.testing.assert_close(trace.output, output)
    for left, right in zip(trace.state, final, strict=True):
        torch.testing.assert_close(left, right[0])

    weight = torch.randn_like(output)
    ((trace.output * weight).sum() + sum(leaf.square().sum() for leaf in trace.state)).backward()
    ((output * weight).sum() + sum(leaf.square().sum() for leaf in final)).backward()
    torch.testing.assert_close(ours_x.grad, theirs_x.grad)
    for left, right in zip(ours_start, theirs_start, strict=True):
        torch.testing.assert_close(left.grad, right.grad[0])
    torch.testing.assert_close(cell.U.grad, module.weight_ih_l0.grad)
    torch.testing.assert_close(cell.W.grad, module.weight_hh_l0.grad)
    torch.testing.assert_close(cell.b.grad, module.bias_ih_l0.grad)
    if name == "gru":
        torch.testing.assert_close(cell.b_h.grad, module.bias_hh_l0.grad[2 * H :])
    if name == "projected":
        torch.testing.assert_close(cell.P.grad, module.weight_hr_l0.grad)
