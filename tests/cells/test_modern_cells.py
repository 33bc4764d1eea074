"""How the modern recurrences start, what their sizes are, and that their numbers hold at the extremes."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
import torch

from unrolled.cells.cell import count_parameters, state_like
from unrolled.cells.lru import LRU
from unrolled.cells.min_recurrences import MinGRU, MinLSTM, positive
from unrolled.cells.selective import Selective
from unrolled.cells.xlstm import MLSTM, SLSTM
from unrolled.contracts.cell import check_cell
from unrolled.contracts.subject import Subject
from unrolled.errors import OptionError, ShapeError
from unrolled.kernels.kernel import Pass
from unrolled.kernels.reference import Reference

from .oracles.xlstm import ORACLES


@pytest.mark.parametrize(
    ("make", "number"),
    [
        (MinGRU, 2 * 12 * (7 + 1)),
        (MinLSTM, 3 * 12 * (7 + 1)),
        (LRU, 12 * (3 + 3 * 7 + 2 * 12)),
        (Selective, 12 * (7 + 3 + 2 * 1 + 3 * 16)),
        (partial(SLSTM, heads=3), 4 * 12 * (7 + 12 // 3 + 1)),
        (partial(MLSTM, heads=3), 4 * 12 * (7 + 1) + 2 * 3 * (7 + 1)),
    ],
)
def test_the_number_of_parameters_is_the_docstring_s(make, number):
    assert count_parameters(make(7, 12)) == number


def test_g_is_positive_and_continuous():
    v = torch.tensor([-30.0, -1e-7, 0.0, 2.0])
    torch.testing.assert_close(positive(v), torch.tensor([math.exp(-30), 0.5, 0.5, 2.5]))


def test_a_min_lstm_whose_gates_are_both_shut_still_mixes():
    cell = MinLSTM(1, 1).double()
    u = torch.tensor([[[-2000.0, -2001.0, 3.0]]], dtype=torch.float64)
    gates = cell.gates(u)
    assert float(gates["input"].detach()) == pytest.approx(1 / (1 + math.exp(-1)))
    torch.testing.assert_close(gates["input"] + gates["forget"], torch.ones_like(u[..., :1]))


def test_the_lru_starts_in_its_ring_normalised():
    torch.manual_seed(0)
    cell = LRU(3, 2000, r_min=0.6, r_max=0.9, max_phase=0.5)
    eigenvalues = cell.prepare().eigenvalues.detach()
    r, phase = eigenvalues.abs(), eigenvalues.angle()
    assert 0.6 <= float(r.min()) < 0.61 and 0.89 < float(r.max()) <= 0.9 + 1e-6
    # Even over the area: r² is even over [0.36, 0.81].
    torch.testing.assert_close(r.square().mean(), torch.tensor((0.36 + 0.81) / 2), atol=0.015, rtol=0)
    torch.testing.assert_close(phase.mean(), torch.tensor(0.25), atol=0.02, rtol=0)
    torch.testing.assert_close(cell.gamma.exp(), (1 - r.square()).sqrt(), atol=1e-5, rtol=1e-4)
    whole = LRU(3, 1000)
    assert all(p.isfinite().all() for p in whole.parameters())
    assert whole.prepare().eigenvalues.abs().max() < 1
    with pytest.raises(OptionError, match=r"r_min 0\.9, r_max 0\.5"):
        LRU(3, 4, r_min=0.9, r_max=0.5)


def test_the_selective_cell_starts_with_steps_and_decays_of_many_lengths():
    torch.manual_seed(0)
    cell = Selective(3, 400, state_size=5)
    delta = torch.nn.functional.softplus(cell.b_delta)
    assert 0.001 - 1e-6 <= delta.min() < 0.0012 and 0.09 < delta.max() <= 0.1 + 1e-6
    assert float(delta.detach().log10().mean()) == pytest.approx(-2, abs=0.05)
    torch.testing.assert_close(-cell.alpha.exp(), -torch.arange(1.0, 6).expand(400, 5))
    with pytest.raises(ShapeError, match="state_size of Selective was 0"):
        Selective(3, 4, state_size=0)


@pytest.mark.parametrize("kind", [SLSTM, MLSTM])
def test_heads_are_the_paper_s_four_or_what_divides(kind):
    assert [kind(3, H).heads for H in (8, 6, 5)] == [4, 2, 1]
    assert kind(3, 6, heads=3).heads == 3
    for heads in (4, 0):
        with pytest.raises(ShapeError, match=f"6 units among its heads evenly; {heads} heads came"):
            kind(3, 6, heads=heads)


@pytest.mark.parametrize("heads", [2, 3])
@pytest.mark.parametrize("kind", [SLSTM, MLSTM])
def test_cells_of_several_heads_keep_the_contract(kind, heads):
    check_cell(lambda F, H: kind(F, 6, heads=heads))


def dense(W, heads):
    """The block-diagonal matrix (4·H, H) that the blocks (4·H, H/heads) stand for."""
    d = W.shape[1]
    H = d * heads
    full = np.zeros((4 * H, H))
    for gate in range(4):
        for head in range(heads):
            rows = slice(gate * H + head * d, gate * H + (head + 1) * d)
            full[rows, head * d : (head + 1) * d] = W[rows]
    return full


@pytest.mark.parametrize(("kind", "name"), [(SLSTM, "slstm"), (MLSTM, "mlstm")])
def test_several_heads_equal_the_equations(kind, name):
    cell = Subject(lambda F, H: kind(F, 6, heads=3)).cell()
    x = torch.randn(5, 1, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    start = state_like(cell, x)
    with torch.no_grad():
        (trace,) = Reference().run([Pass(cell, x, start)])
    p = {key: value.numpy() for key, value in cell.state_dict().items()}
    if name == "slstm":
        p["W"] = dense(p["W"], 3)
    answer = ORACLES[name].run(p, x[:, 0].numpy(), *(leaf[0].numpy() for leaf in start))
    np.testing.assert_allclose(trace.output[:, 0], answer.outputs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("size", [-300.0, 300.0])
@pytest.mark.parametrize("kind", [SLSTM, MLSTM])
def test_exponents_of_any_size_give_numbers_and_gradients(kind, size):
    torch.manual_seed(0)
    cell = kind(3, 4)
    x = size * torch.rand(20, 2, 3)
    (trace,) = Reference().run([Pass(cell, x, state_like(cell, x))])
    grads = torch.autograd.grad(trace.output.sum(), list(cell.parameters()))
    assert trace.output.isfinite().all() and all(grad.isfinite().all() for grad in grads)
    assert trace.output.abs().max() < 1e3


def test_the_first_step_of_slstm_is_its_candidate_whatever_the_input_gate():
    cell = SLSTM(1, 1).double()
    with torch.no_grad():
        cell.b.copy_(torch.tensor([-500.0, 3.0, 0.7, 0.2]))
    x = torch.zeros(1, 1, 1, dtype=torch.float64)
    (trace,) = Reference().run([Pass(cell, x, state_like(cell, x))])
    assert float(trace.output.detach()) == pytest.approx(math.tanh(0.7) / (1 + math.exp(-0.2)))
    assert trace.state.normaliser.tolist() == [[1.0]]
