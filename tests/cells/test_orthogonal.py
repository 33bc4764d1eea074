"""Orthogonal and unitary cells stay so whatever an optimiser does, and gradients then neither fade nor grow."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from unrolled.cells.cell import state_like
from unrolled.cells.elman import Elman
from unrolled.cells.orthogonal import ExpRNN, HouseholderRNN
from unrolled.cells.unitary import URNN, UnitaryState
from unrolled.errors import ShapeError
from unrolled.kernels.kernel import Pass
from unrolled.kernels.reference import Reference

F = 3
CELLS = {
    "exp-rnn, cayley": ExpRNN,
    "exp-rnn, henaff": partial(ExpRNN, angles="henaff"),
    "householder-rnn": HouseholderRNN,
    "householder-rnn of 3": partial(HouseholderRNN, reflections=3),
    "urnn": URNN,
}


def matrix(cell) -> torch.Tensor:
    """W, from what `recur` does to each unit alone."""
    H = cell.hidden_size
    if isinstance(cell, URNN):
        return cell.recur(UnitaryState(torch.eye(H, dtype=cell.b.dtype.to_complex())), cell.prepare()).T
    return cell.prepare()


def from_orthogonal(cell) -> float:
    """‖W* W − 1‖."""
    with torch.no_grad():
        W = matrix(cell)
        return torch.linalg.norm(W.mH @ W - torch.eye(cell.hidden_size)).item()


@pytest.mark.parametrize("H", [1, 2, 5, 32])
@pytest.mark.parametrize("name", CELLS)
def test_the_matrix_is_orthogonal_at_the_start_and_after_updates(name, H):
    if name.endswith("of 3") and H < 3:
        return
    torch.manual_seed(0)
    cell = CELLS[name](F, H).double()
    before = matrix(cell).detach()
    assert from_orthogonal(cell) < 1e-12
    x = torch.randn(6, 2, F, dtype=torch.float64)
    optimiser = torch.optim.AdamW(cell.parameters(), lr=0.3)
    for _ in range(3):
        optimiser.zero_grad()
        Reference().run([Pass(cell, x, state_like(cell, x))])[0].output.square().sum().backward()
        optimiser.step()
    assert from_orthogonal(cell) < 1e-12
    if H > 1:
        assert (matrix(cell) - before).abs().max() > 0.1


@pytest.mark.parametrize("name", CELLS)
def test_single_precision_keeps_it_orthogonal_too(name):
    assert from_orthogonal(CELLS[name](F, 64)) < 1e-4


def gradient_at_the_start(cell, steps: int) -> float:
    """‖∂(q · output_T)/∂h_0‖ / ‖q‖ over random q, with x zero."""
    x = torch.zeros(steps, 4, F, dtype=torch.float64)
    start = torch.randn(4, cell.hidden_size, dtype=torch.float64)
    if isinstance(cell, URNN):
        start = torch.complex(start, torch.randn_like(start))
    start.requires_grad_()
    output = Reference().run([Pass(cell, x, type(state_like(cell, x))(start))])[0].output[-1]
    q = torch.randn_like(output)
    (gradient,) = torch.autograd.grad(output, start, q)
    return (torch.linalg.vector_norm(gradient) / torch.linalg.vector_norm(q)).item()


@pytest.mark.parametrize("name", CELLS)
def test_gradients_keep_their_norm_over_500_steps_where_the_nonlinearity_is_silent(name):
    torch.manual_seed(0)
    cell = CELLS[name](F, 16).double()
    torch.nn.init.zeros_(cell.b)  # modReLU is then the identity
    assert gradient_at_the_start(cell, 500) == pytest.approx(1, abs=1e-9)


def test_the_same_measure_sees_gradients_fade_and_grow():
    torch.manual_seed(0)
    for gain, low, high in ((0.9, 0, 1e-6), (1.1, 1e6, float("inf"))):
        cell = Elman(F, 16).double()
        cell.phi = lambda pre: pre
        cell.W.data.mul_(gain)
        torch.nn.init.zeros_(cell.b)
        assert low < gradient_at_the_start(cell, 300) < high


def test_starts_are_as_published():
    torch.manual_seed(0)
    cell = URNN(4, 1000)
    assert torch.linalg.vector_norm(cell.h_0).item() == pytest.approx(1, abs=0.1)  # E ‖h_0‖² = 1
    for theta in (cell.theta_1, cell.theta_2, cell.theta_3):
        assert -torch.pi <= theta.min() < -3.1 and 3.1 < theta.max() <= torch.pi
    assert -1 <= cell.v_1.min() < -0.99 and not cell.b.any()
    for angles, low, high in (("cayley", 0, 1), ("henaff", -torch.pi, torch.pi)):
        W = ExpRNN(4, 1001, angles).prepare().detach()
        turns = torch.atan2(W[torch.arange(0, 1000, 2), torch.arange(1, 1001, 2)], W.diagonal()[:1000:2])
        assert low <= turns.min() < low + 0.03 and high - 0.03 < turns.max() <= high
        assert W[-1, -1] == 1 and W.count_nonzero() == 2001


def test_a_product_of_few_reflections_leaves_the_rest_alone():
    H, K = 12, 3
    cell = HouseholderRNN(F, H, reflections=K).double()
    with torch.no_grad():
        cell.v.normal_()
    assert cell.v.numel() == K * (2 * H - K + 1) // 2
    eigenvalues = torch.linalg.eigvals(cell.prepare().detach())
    assert ((eigenvalues - 1).abs() < 1e-9).sum() == H - K


def test_all_reflections_make_a_rotation_of_an_even_number_of_units():
    for H in (4, 6):
        cell = HouseholderRNN(F, H).double()
        assert torch.linalg.det(cell.prepare()).item() == pytest.approx(1)


@pytest.mark.parametrize("reflections", [0, 5])
def test_a_number_of_reflections_that_there_cannot_be_is_refused(reflections):
    with pytest.raises(ShapeError, match=f"reflections of 4 units number 1 to 4; {reflections} came"):
        HouseholderRNN(F, 4, reflections)


def test_angles_of_another_name_are_refused():
    with pytest.raises(ShapeError, match="angles are 'cayley' or 'henaff'; 'henaf' came"):
        ExpRNN(F, 4, "henaf")


def test_modrelu_of_zero_is_zero_without_a_gradient_that_is_no_number():
    x = torch.zeros(2, 1, F, dtype=torch.float64)
    for cell in (ExpRNN(F, 4).double(), URNN(F, 4).double()):
        start = state_like(cell, x)
        zero = type(start)(torch.zeros_like(start.hidden))
        trace = Reference().run([Pass(cell, x, zero)])[0]
        trace.output.sum().backward()
        assert not trace.output.any()
        assert all(p.grad is None or p.grad.isfinite().all() for p in cell.parameters())
