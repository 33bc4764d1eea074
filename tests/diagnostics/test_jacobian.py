"""Jacobians against the equations and against differences; spectra against matrices whose spectrum is known."""

from __future__ import annotations

import math

import pytest
import torch

from unrolled import states
from unrolled.cells import registry
from unrolled.cells.cell import state_like
from unrolled.cells.elman import Elman
from unrolled.cells.gru import GRU
from unrolled.cells.lstm import LSTM
from unrolled.cells.memoryless import Memoryless
from unrolled.diagnostics import jacobian as module
from unrolled.diagnostics.gradient_flow import flow
from unrolled.diagnostics.jacobian import (
    cell_jacobians,
    eigenvalue_points,
    lyapunov_curve,
    lyapunov_exponents,
    model_jacobians,
    product,
    singular_value_curves,
)
from unrolled.errors import OptionError, ShapeError
from unrolled.kernels.kernel import Pass
from unrolled.kernels.reference import Reference
from unrolled.models.language_model import LanguageModel

T, F, H = 6, 3, 4


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_a_vanilla_step_has_the_jacobian_of_the_equations():
    """J_t = diag(1 − h_t²) W."""
    torch.manual_seed(0)
    cell, x = Elman(F, H), draw(T, 1, F)
    found = cell_jacobians(cell, x)
    U, W, b = (getattr(cell, name).detach().double() for name in "UWb")
    h = torch.zeros(H, dtype=torch.float64)
    for t in range(T):
        h = torch.tanh(W @ h + U @ x[t, 0] + b)
        torch.testing.assert_close(found[t], (1 - h**2)[:, None] * W, rtol=1e-12, atol=1e-14)


def _flat(state) -> torch.Tensor:
    parts = [p for _, p in states.leaves(state) if p.is_floating_point() or p.is_complex()]
    return torch.cat([torch.view_as_real(p).flatten() if p.is_complex() else p.flatten() for p in parts])


def _moved(state, number: int, by: float):
    """The state with one of its real numbers moved."""
    place = [number]

    def move(leaf):
        if not (leaf.is_floating_point() or leaf.is_complex()):
            return leaf
        flat = (torch.view_as_real(leaf) if leaf.is_complex() else leaf).clone()
        if 0 <= place[0] < flat.numel():
            flat.view(-1)[place[0]] += by
        place[0] -= flat.numel()
        return torch.view_as_complex(flat) if leaf.is_complex() else flat

    return states.map_state(move, state)


@pytest.mark.parametrize("name", ["lstm", "gru", "time-skip", "urnn", "lru", "mlstm", "sru", "reset-before-gru"])
def test_it_is_what_small_differences_give(name):
    torch.manual_seed(0)
    cell = registry.find(name)(F, 2).double()
    x = draw(4, 1, F)
    with torch.no_grad():
        before = Reference().run([Pass(cell, x[:3], state_like(cell, x))])[0].state
        found = cell_jacobians(cell, x[3:], before)[0]
        n = found.shape[0]
        assert n == len(_flat(before))
        for i in range(n):
            up, down = (
                _flat(Reference().run([Pass(cell, x[3:], _moved(before, i, by))])[0].state) for by in (1e-6, -1e-6)
            )
            torch.testing.assert_close(found[:, i], (up - down) / 2e-6, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("make", [GRU, Elman])
def test_the_product_carries_a_gradient_as_far_as_gradient_flow_says(make):
    torch.manual_seed(1)
    cell, x, v = make(F, H), draw(T, 1, F), draw(1, H, seed=1)
    found = cell_jacobians(cell, x)
    norms = flow(cell, x, v).norms
    for k in range(1, T + 1):
        torch.testing.assert_close((product(found, k).T @ v[0]).norm(), norms[k, 0], rtol=1e-10, atol=0)


def test_a_network_without_memory_has_the_jacobian_zero():
    found = cell_jacobians(Memoryless(F, H), draw(2, 1, F))
    assert len(found) == 2
    assert not found.any()


def test_through_a_text_all_layers_are_one_state():
    torch.manual_seed(2)
    model = LanguageModel(LSTM, 5, 3, (3, 2), dropout=0.5)
    symbols = torch.tensor([0, 3, 1, 4, 4, 2])
    whole = model_jacobians(model, symbols)
    assert whole.shape == (6, 10, 10)
    torch.testing.assert_close(model_jacobians(model, symbols, last=2), whole[-2:])
    assert torch.equal(model_jacobians(model, symbols, last=99), whole)
    carried = model.eval().read(symbols[:4, None], model.initial_state(1)).state
    torch.testing.assert_close(model_jacobians(model, symbols[4:], carried), whole[-2:], rtol=1e-4, atol=1e-6)
    model = model.double()
    state = model.read(symbols[:5, None], states.map_state(lambda p: p.double(), model.initial_state(1))).state
    for i in range(10):
        up, down = (_flat(model.read(symbols[5:, None], _moved(state, i, by)).state) for by in (1e-6, -1e-6))
        torch.testing.assert_close(whole[-1][:, i], (up - down).detach() / 2e-6, rtol=1e-5, atol=1e-8)
    # The lower layer does not hear of the upper one.
    assert not whole[:, :6, 6:].any()


# Pictures


def rotation(angle: float, size: float) -> torch.Tensor:
    return size * torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]).double()


def test_eigenvalues_stand_where_they_are():
    jacobians = torch.stack([rotation(0.5, 0.8), rotation(1.0, 1.0), rotation(1.0, 2.0), rotation(2.0, 1.5)])
    figure = eigenvalue_points(jacobians)
    assert [one.name for one in figure.series] == ["step 1 of 4", "step 3 of 4", "step 4 of 4"]
    for one, (angle, size) in zip(figure.series, ((0.5, 0.8), (1.0, 2.0), (2.0, 1.5)), strict=True):
        assert sorted(zip(one.x, one.y, strict=True)) == [
            pytest.approx((size * math.cos(angle), sign * size * math.sin(angle))) for sign in (-1, 1)
        ]
    (circle,) = figure.lines
    assert all(math.hypot(x, y) == pytest.approx(1) for x, y in zip(circle.x, circle.y, strict=True))
    assert (circle.x[0], circle.y[0]) == pytest.approx((circle.x[-1], circle.y[-1]))
    assert len(eigenvalue_points(jacobians[:1]).series) == 1


def test_singular_values_are_those_of_the_last_steps_together():
    torch.manual_seed(0)
    jacobians = draw(5, 3, 3)
    figure = singular_value_curves(jacobians)
    assert [line.name for line in figure.series] == ["1 step", "2 steps", "4 steps", "5 steps"]
    assert figure.y_log
    for line, chain in zip(
        figure.series,
        (
            jacobians[4],
            jacobians[4] @ jacobians[3],
            jacobians[4] @ jacobians[3] @ jacobians[2] @ jacobians[1],
            jacobians[4] @ jacobians[3] @ jacobians[2] @ jacobians[1] @ jacobians[0],
        ),
        strict=True,
    ):
        assert line.x == (1.0, 2.0, 3.0)
        wanted = torch.linalg.eigvalsh(chain.T @ chain).clamp(min=0).sqrt().flip(0)
        assert line.y == pytest.approx(wanted.tolist(), rel=1e-5)
    assert [line.name for line in singular_value_curves(jacobians, (3,)).series] == ["3 steps"]
    with pytest.raises(OptionError, match="1 to 5 steps; 6 came"):
        singular_value_curves(jacobians, (6,))


def test_lyapunov_exponents_of_a_constant_step_are_the_logarithms_of_its_eigenvalues():
    basis = draw(4, 4, seed=3)
    sizes = torch.tensor([1.3, 0.9, 0.5, 0.2], dtype=torch.float64)
    step = basis @ sizes.diag() @ torch.linalg.inv(basis)
    found = lyapunov_exponents(step.expand(3000, 4, 4))
    torch.testing.assert_close(found, sizes.log(), atol=3e-3, rtol=0)
    turn = lyapunov_exponents(rotation(0.7, 1.2).expand(500, 2, 2))
    torch.testing.assert_close(turn, torch.full((2,), math.log(1.2), dtype=torch.float64))


def test_lyapunov_exponents_of_three_steps_in_turn_are_those_of_their_product_in_order():
    """J₃ J₂ J₁ has other eigenvalues than J₁ J₂ J₃, which steps the wrong way round, or transposed, would give."""
    three = draw(3, 3, 3, seed=6)
    found = lyapunov_exponents(three.repeat(1500, 1, 1))
    in_order = torch.linalg.eigvals(three[2] @ three[1] @ three[0]).abs().log().sort(descending=True).values / 3
    turned = torch.linalg.eigvals(three[0] @ three[1] @ three[2]).abs().log().sort(descending=True).values / 3
    assert (in_order - turned).abs().max() > 0.1
    torch.testing.assert_close(found, in_order, atol=5e-3, rtol=0)


def test_lyapunov_exponents_together_are_the_mean_change_of_volume_and_a_lost_direction_is_minus_infinity():
    jacobians = draw(50, 4, 4)
    found = lyapunov_exponents(jacobians)
    torch.testing.assert_close(found.sum(), torch.linalg.slogdet(jacobians).logabsdet.mean())
    assert (found.diff() <= 0).all()
    figure = lyapunov_curve(jacobians)
    assert figure.series[0].y == tuple(found.tolist())
    assert lyapunov_exponents(torch.zeros(3, 2, 2).double()).tolist() == [-math.inf, -math.inf]


def test_a_chaotic_network_has_a_positive_exponent_and_a_calm_one_has_none():
    """Sompolinsky, Crisanti & Sommers (1988): h' = tanh(g J h) with J of variance 1/H is chaotic for g well above 1."""
    x = torch.zeros(300, 1, 1)
    for gain, positive in ((3.0, True), (0.5, False)):
        torch.manual_seed(0)
        cell = Elman(1, 40)
        with torch.no_grad():
            cell.W.copy_(torch.randn(40, 40) * gain / 40**0.5)
        start = state_like(cell, x)._replace(hidden=torch.randn(1, 40))
        largest = lyapunov_exponents(cell_jacobians(cell, x, start)[100:])[0]
        assert (largest > 0.05) == positive
        assert (largest < -0.05) == (not positive)


def test_what_does_not_fit_is_refused(monkeypatch):
    with pytest.raises(ShapeError, match="one row"):
        cell_jacobians(GRU(F, H), draw(T, 2, F))
    with pytest.raises(ShapeError, match="one symbol or more"):
        model_jacobians(LanguageModel(GRU, 5, 0, (3,)), torch.zeros(0, dtype=torch.int64))
    monkeypatch.setattr(module, "MOST", 95)
    with pytest.raises(OptionError, match="4 numbers; 6 Jacobians would have 96, and 1 to 95 are taken"):
        cell_jacobians(GRU(F, H), draw(T, 1, F))
