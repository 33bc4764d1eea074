"""The minimal gated unit, SRU, IndRNN and IRNN: their sizes, their starts, and what each is made for."""

from __future__ import annotations

import pytest
import torch

from unrolled.cells.cell import count_parameters, state_like
from unrolled.cells.elman import IRNN, ElmanReLU, ElmanState
from unrolled.cells.small import SRU, IndRNN, MinimalGatedUnit
from unrolled.kernels.kernel import Pass
from unrolled.kernels.reference import Reference

F, H = 3, 4


def run(cell, x, state=None, record=()):
    return Reference().run([Pass(cell, x, state_like(cell, x) if state is None else state)], record)[0]


@pytest.mark.parametrize(
    ("cell", "count"),
    [
        (MinimalGatedUnit(7, 11), 2 * 11 * (11 + 7 + 1)),
        (SRU(7, 11), 11 * (3 * 7 + 2) + 11 * 7),
        (SRU(11, 11), 11 * (3 * 11 + 2)),
        (IndRNN(7, 11), 11 * (7 + 2)),
        (IRNN(7, 11), 11 * (11 + 7 + 1)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_number_of_parameters_is_the_docstring_s(cell, count):
    assert count_parameters(cell) == count


def test_an_irnn_starts_by_adding_up_what_comes_in():
    cell = IRNN(F, H, input_std=0.5).double()
    x = torch.rand(9, 2, F, dtype=torch.float64)
    with torch.no_grad():
        cell.U.abs_()
    torch.testing.assert_close(run(cell, x).output[-1], x.sum(0) @ cell.U.T.detach())


def test_an_irnn_keeps_its_state_and_its_gradient_without_input():
    cell = IRNN(F, H)
    h = torch.rand(2, H, requires_grad=True)
    output = run(cell, torch.zeros(500, 2, F), ElmanState(h)).output
    assert torch.equal(output[-1], h)
    (gradient,) = torch.autograd.grad(output[-1].sum(), h)
    assert torch.equal(gradient, torch.ones_like(h))


def test_an_irnn_starts_as_in_its_paper():
    cell = IRNN(200, 100)
    assert torch.equal(cell.W, torch.eye(100))
    assert not cell.b.any()
    assert cell.U.std().item() == pytest.approx(0.001, rel=0.05)
    assert IRNN(200, 100, input_std=0.1).U.std().item() == pytest.approx(0.1, rel=0.05)
    assert not torch.equal(ElmanReLU(100, 100).W, torch.eye(100))


def test_an_sru_of_one_width_lets_its_input_past_and_of_another_a_product_of_it():
    same, other = SRU(H, H).double(), SRU(F, H).double()
    with torch.no_grad():
        same.b[H:] = other.b[H:] = -100  # the reset gate shut
    x = torch.randn(5, 2, H, dtype=torch.float64)
    torch.testing.assert_close(run(same, x).output, x)
    x = torch.randn(5, 2, F, dtype=torch.float64)
    torch.testing.assert_close(run(other, x).output, (x @ other.U_x.T).detach())


def test_an_sru_of_one_width_reads_symbols():
    cell = SRU(H, H)
    symbols = torch.tensor([[0, 3], [2, 1]])
    vectors = torch.nn.functional.one_hot(symbols, H).float()
    torch.testing.assert_close(run(cell, symbols).output, run(cell, vectors).output)


def test_an_sru_s_gates_do_not_see_the_state():
    cell, x = SRU(F, H), torch.randn(5, 2, F)
    one, other = (run(cell, x, torch.randn(2, H), ("gates",)).gates for _ in range(2))
    assert all(torch.equal(one[name], other[name]) for name in cell.GATES)


def test_an_indrnn_unit_sees_no_state_but_its_own():
    cell, x = IndRNN(F, H).double(), torch.randn(6, 1, F, dtype=torch.float64)

    def last(h):
        return run(cell, x, ElmanState(h[None])).output[-1, 0]

    jacobian = torch.autograd.functional.jacobian(last, torch.full((H,), 50.0, dtype=torch.float64))
    torch.testing.assert_close(jacobian, torch.diag(jacobian.diagonal()), rtol=0, atol=0)
    assert jacobian.diagonal().any()


def test_an_indrnn_s_units_start_with_memories_of_all_lengths():
    w = IndRNN(1, 4000).w
    assert w.min() >= 0
    assert w.max() < 1
    assert w.mean().item() == pytest.approx(0.5, abs=0.02)
    assert w.var().item() == pytest.approx(1 / 12, rel=0.05)


def test_a_shut_minimal_gate_keeps_the_state_and_an_open_one_replaces_it():
    cell, x = MinimalGatedUnit(F, H).double(), torch.randn(1, 2, F, dtype=torch.float64)
    start = ElmanState(torch.randn(2, H, dtype=torch.float64))
    with torch.no_grad():
        cell.b[:H] = -100
    torch.testing.assert_close(run(cell, x, start).output[0], start.hidden)
    with torch.no_grad():
        cell.b[:H] = 100
    gates = run(cell, x, start, ("gates",)).gates
    torch.testing.assert_close(run(cell, x, start).output[0], gates["candidate"][0])
