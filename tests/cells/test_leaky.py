"""Leaky units: their time constants, their gradients, and what they become at the ends of α."""

from __future__ import annotations

import pytest
import torch

from unrolled.cells.cell import count_parameters, state_like
from unrolled.cells.elman import Elman, ElmanState
from unrolled.cells.gru import GRU
from unrolled.cells.leaky import GatedLeaky, Leaky, LearntLeaky
from unrolled.errors import OptionError
from unrolled.kernels.kernel import Pass
from unrolled.kernels.reference import Reference

F, H = 3, 4


def run(cell, x, state=None):
    return Reference().run([Pass(cell, x, state_like(cell, x) if state is None else state)])[0]


@pytest.mark.parametrize(("make", "count"), [(Leaky, 11 * 19), (LearntLeaky, 11 * 19 + 11), (GatedLeaky, 2 * 11 * 19)])
def test_the_number_of_parameters_is_the_docstring_s(make, count):
    assert count_parameters(make(7, 11)) == count


def test_without_a_leak_it_is_elman_s_network():
    cell, elman = Leaky(F, H, alpha=0).double(), Elman(F, H).double()
    elman.load_state_dict(cell.state_dict())
    x = torch.randn(5, 2, F, dtype=torch.float64)
    torch.testing.assert_close(run(cell, x).output, run(elman, x).output)


@pytest.mark.parametrize("make", [Leaky, LearntLeaky, GatedLeaky])
def test_left_alone_a_state_fades_by_alpha_at_each_step(make):
    cell = make(F, H, alpha=0.8).double()
    with torch.no_grad():
        for name in "UW":
            cell.get_parameter(name).zero_()
    start = ElmanState(torch.randn(2, H, dtype=torch.float64))
    output = run(cell, torch.zeros(7, 2, F, dtype=torch.float64), start).output
    torch.testing.assert_close(output[-1], 0.8**7 * start.hidden)


def test_a_learnt_alpha_is_each_unit_s_own():
    cell = LearntLeaky(F, H)
    with torch.no_grad():
        cell.W.zero_()
        cell.U.zero_()
        cell.a.copy_(torch.tensor([-30.0, 0.0, 1.0, 30.0]))
    output = run(cell, torch.zeros(1, 1, F), ElmanState(torch.ones(1, H))).output
    torch.testing.assert_close(output[0, 0], torch.tensor([0.0, 0.5, 0.7310586, 1.0]))


def test_a_gradient_never_passes_the_bound():
    """‖∂h_T/∂h_0‖ ≤ (α + (1 − α)‖W‖)^T, since |tanh′| ≤ 1: the leak keeps a gradient alive."""
    norms = {}
    for alpha in (0.0, 0.5, 0.9):
        torch.manual_seed(0)
        cell = Leaky(F, H, alpha=alpha).double()
        with torch.no_grad():
            cell.W.mul_(0.8)
        x = torch.randn(20, 1, F, dtype=torch.float64)

        def last(h, cell=cell, x=x):
            return run(cell, x, ElmanState(h[None])).output[-1, 0]

        jacobian = torch.autograd.functional.jacobian(last, torch.zeros(H, dtype=torch.float64))
        norms[alpha] = torch.linalg.matrix_norm(jacobian, 2).item()
        assert norms[alpha] <= (alpha + (1 - alpha) * 0.8) ** 20
    assert norms[0.0] < norms[0.5] < norms[0.9]


def test_the_gated_one_is_the_gru_whose_reset_gate_is_held_open():
    cell, gru = GatedLeaky(F, H).double(), GRU(F, H).double()
    with torch.no_grad():
        for name in "UWb":
            gru.get_parameter(name)[H:].copy_(cell.get_parameter(name))
            gru.get_parameter(name)[:H].zero_()
        gru.b[:H] = 100
    x = torch.randn(5, 2, F, dtype=torch.float64)
    torch.testing.assert_close(run(cell, x).output, run(gru, x).output)


@pytest.mark.parametrize(
    ("make", "alpha"), [(Leaky, 1.0), (Leaky, -0.1), (LearntLeaky, 0.0), (LearntLeaky, 1.0), (GatedLeaky, 0.0)]
)
def test_an_alpha_that_keeps_all_or_less_than_nothing_is_refused(make, alpha):
    with pytest.raises(OptionError, match=f"alpha of {make.__name__} was {alpha}"):
        make(F, H, alpha=alpha)
