"""The contract holds for the recurrences still to come: one throw-away cell for each way in which they differ.

Each runs through every clause, the reference kernel's masks included, and the odd ones are checked by hand as well.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from unrolled.cells.cell import Cell, DiagonalCell, LinearRecurrentCell, Step, project_input, state_like
from unrolled.cells.lstm import LSTM, LSTMState
from unrolled.contracts.cell import CLAUSES
from unrolled.contracts.kernel import check_kernel
from unrolled.contracts.subject import Subject
from unrolled.errors import KernelError, ShapeError
from unrolled.kernels import choose
from unrolled.kernels.kernel import Pass
from unrolled.kernels.reference import Reference, ReferenceStepper
from unrolled.kernels.scan import Scan
from unrolled.layers.recurrent import Recurrent


def parameter(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(*shape) / shape[-1] ** 0.5)


class Hidden(NamedTuple):
    hidden: torch.Tensor


class LayerNormLSTM(LSTM):
    """Ba et al. 2016: both products and the cell state are normalised; the product itself stays linear."""

    NAME = "layer-norm-lstm"

    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.norm_x = nn.LayerNorm(4 * hidden_size)
        self.norm_h = nn.LayerNorm(4 * hidden_size)
        self.norm_c = nn.LayerNorm(hidden_size)

    def project(self, x, weights, condition=None):
        return self.norm_x(project_input(x, weights.U, None)) + weights.b

    def combine(self, u_t, r, state):
        i, f, candidate, o = (u_t + self.norm_h(r)).chunk(4, -1)
        i, f, o, candidate = i.sigmoid(), f.sigmoid(), o.sigmoid(), candidate.tanh()
        c = f * state.cell + i * candidate
        h = o * self.norm_c(c).tanh()
        return Step(h, LSTMState(h, c), {"input": i, "forget": f, "candidate": candidate, "output": o})


class ResetBefore(Cell):
    """A4 with the reset before the product: two products, one after the other."""

    NAME = "throw-away-reset-before"

    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.U, self.b = parameter(3 * hidden_size, input_size), parameter(3 * hidden_size)
        self.W_gates, self.W_candidate = parameter(2 * hidden_size, hidden_size), parameter(hidden_size, hidden_size)

    def prepare(self):
        return None

    def project(self, x, weights, condition=None):
        return tuple(project_input(x, self.U, self.b).chunk(3, -1))

    def initial_state(self, shape, device, dtype):
        return Hidden(torch.zeros(*shape, self.hidden_size, device=device, dtype=dtype))

    def step(self, u_t, state, weights):
        r, z = (torch.cat(u_t[:2], -1) + F.linear(state.hidden, self.W_gates)).sigmoid().chunk(2, -1)
        h = z * state.hidden + (1 - z) * (u_t[2] + F.linear(r * state.hidden, self.W_candidate)).tanh()
        return Step(h, Hidden(h), {"reset": r, "update": z})


class Ring(NamedTuple):
    past: torch.Tensor  # (B, d, H)
    pointer: torch.Tensor  # (B,) int64, where the oldest stands


class SkipInTime(LinearRecurrentCell):
    """A6: h_t = tanh(U x_t + W h_{t-1} + W_d h_{t-d} + b), with d = 3, from a ring buffer."""

    NAME = "skip-in-time"
    DELAY = 3

    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.U, self.b = parameter(hidden_size, input_size), parameter(hidden_size)
        self.W = parameter(hidden_size, 2 * hidden_size)

    def prepare(self):
        return self.W

    def project(self, x, weights, condition=None):
        return project_input(x, self.U, self.b)

    def initial_state(self, shape, device, dtype):
        past = torch.zeros(*shape, self.DELAY, self.hidden_size, device=device, dtype=dtype)
        return Ring(past, torch.zeros(*shape, device=device, dtype=torch.int64))

    def recur(self, state, weights):
        rows = torch.arange(len(state.pointer), device=state.pointer.device)
        newest, oldest = state.past[rows, (state.pointer - 1) % self.DELAY], state.past[rows, state.pointer]
        return F.linear(torch.cat([newest, oldest], -1), weights)

    def combine(self, u_t, r, state):
        h = (u_t + r).tanh()
        here = F.one_hot(state.pointer, self.DELAY).bool()[:, :, None]
        past = torch.where(here, h[:, None].to(state.past.dtype), state.past)
        return Step(h, Ring(past, (state.pointer + 1) % self.DELAY), {"candidate": h})


class ComplexDiagonal(DiagonalCell):
    """A10, as in the LRU (Orvieto et al. 2023): |a| = exp(−exp ν), complex state, real output Re(C h) + D x."""

    NAME = "complex-diagonal"

    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.nu, self.theta = parameter(hidden_size), parameter(hidden_size)
        self.B_real, self.B_imag = parameter(hidden_size, input_size), parameter(hidden_size, input_size)
        self.C_real, self.C_imag = parameter(hidden_size, hidden_size), parameter(hidden_size, hidden_size)
        self.D = parameter(hidden_size, input_size)

    def prepare(self):
        return torch.polar(torch.exp(-torch.exp(self.nu)), self.theta)

    def project(self, x, weights, condition=None):
        real, imag = project_input(x, self.B_real, None), project_input(x, self.B_imag, None)
        b = torch.complex(real.to(self.nu.dtype), imag.to(self.nu.dtype))
        return weights.expand_as(b), b, project_input(x, self.D, None)

    def initial_state(self, shape, device, dtype):
        return torch.zeros(*shape, self.hidden_size, device=device, dtype=dtype.to_complex())

    def coefficients(self, u):
        return u[0], u[1]

    def readout(self, h, u):
        return F.linear(h.real, self.C_real) - F.linear(h.imag, self.C_imag) + u[2]


class Conditioned(LinearRecurrentCell):
    """A8: h = tanh(U x + W h + W_v v)."""

    NAME = "conditioned"

    def __init__(self, input_size, hidden_size, condition_size=2):
        super().__init__(input_size, hidden_size)
        self._condition_size = condition_size
        self.U, self.W = parameter(hidden_size, input_size), parameter(hidden_size, hidden_size)
        self.V = parameter(hidden_size, condition_size)

    @property
    def condition_size(self):
        return self._condition_size

    def prepare(self):
        return None

    def project(self, x, weights, condition=None):
        return project_input(x, self.U, None) + F.linear(condition, self.V)

    def initial_state(self, shape, device, dtype):
        return Hidden(torch.zeros(*shape, self.hidden_size, device=device, dtype=dtype))

    def recur(self, state, weights):
        return F.linear(state.hidden, self.W)

    def combine(self, u_t, r, state):
        h = (u_t + r).tanh()
        return Step(h, Hidden(h), {})


class Orthogonal(LinearRecurrentCell):
    """A7: W = exp(A − Aᵀ), made once a sequence in `prepare`; modReLU."""

    NAME = "orthogonal"

    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.U, self.A, self.b = (
            parameter(hidden_size, input_size),
            parameter(hidden_size, hidden_size),
            parameter(hidden_size),
        )
        self.exponentials = 0

    def prepare(self):
        self.exponentials += 1
        return torch.matrix_exp(self.A - self.A.T)

    def project(self, x, weights, condition=None):
        return project_input(x, self.U, None)

    def initial_state(self, shape, device, dtype):
        return Hidden(torch.ones(*shape, self.hidden_size, device=device, dtype=dtype))

    def recur(self, state, weights):
        return F.linear(state.hidden, weights)

    def combine(self, u_t, r, state):
        pre = u_t + r
        h = pre.sign() * F.softplus(pre.abs() + self.b)
        return Step(h, Hidden(h), {})


class PeepholeProjection(LinearRecurrentCell):
    """A3: gates see c, and the output is a smaller projection of h: leaves of different widths."""

    NAME = "peephole-projection"
    GATES = ("input", "forget", "candidate", "output")
    OUT = 2

    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.U, self.b = parameter(4 * hidden_size, input_size), parameter(4 * hidden_size)
        self.W, self.P = parameter(4 * hidden_size, self.OUT), parameter(self.OUT, hidden_size)
        self.peep = parameter(3, hidden_size)

    @property
    def output_size(self):
        return self.OUT

    def prepare(self):
        return None

    def project(self, x, weights, condition=None):
        return project_input(x, self.U, self.b)

    def initial_state(self, shape, device, dtype):
        zeros = partial(torch.zeros, device=device, dtype=dtype)
        return LSTMState(zeros(*shape, self.OUT), zeros(*shape, self.hidden_size))

    def recur(self, state, weights):
        return F.linear(state.hidden, self.W)

    def combine(self, u_t, r, state):
        i, f, g, o = (u_t + r).chunk(4, -1)
        i, f, g = (
            (i + self.peep[0] * state.cell).sigmoid(),
            (f + self.peep[1] * state.cell).sigmoid(),
            g.tanh(),
        )
        c = f * state.cell + i * g
        o = (o + self.peep[2] * c).sigmoid()
        h = F.linear(o * c.tanh(), self.P)
        return Step(h, LSTMState(h, c), {"input": i, "forget": f, "candidate": g, "output": o})


class ConvLSTM(LinearRecurrentCell):
    """A11 (Shi et al. 2015): the products are convolutions over places; features stay the last axis."""

    NAME = "conv-lstm"
    GATES = ("input", "forget", "candidate", "output")

    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.U = nn.Parameter(torch.randn(4 * hidden_size, input_size, 3, 3) / 5)
        self.W = nn.Parameter(torch.randn(4 * hidden_size, hidden_size, 3, 3) / 5)
        self.b = parameter(4 * hidden_size)

    def prepare(self):
        return None

    @staticmethod
    def convolve(x, kernel, bias=None):
        return F.conv2d(x.movedim(-1, 1), kernel, bias, padding=1).movedim(1, -1)

    def project(self, x, weights, condition=None):
        return self.convolve(x.flatten(0, 1), self.U, self.b).unflatten(0, x.shape[:2])

    def initial_state(self, shape, device, dtype):
        zeros = torch.zeros(*shape, self.hidden_size, device=device, dtype=dtype)
        return LSTMState(zeros, zeros.clone())

    def recur(self, state, weights):
        return self.convolve(state.hidden, self.W)

    def combine(self, u_t, r, state):
        i, f, g, o = (u_t + r).chunk(4, -1)
        i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
        c = f * state.cell + i * g
        h = o * c.tanh()
        return Step(h, LSTMState(h, c), {"input": i, "forget": f, "candidate": g, "output": o})


class Matrix(NamedTuple):
    memory: torch.Tensor  # (B, H, H)
    total: torch.Tensor  # (B, H)


class MatrixMemory(Cell):
    """A10, as in the mLSTM (Beck et al. 2024): a matrix state, written by v kᵀ, read by q, and a normaliser."""

    NAME = "matrix-memory"

    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.U, self.gate = parameter(3 * hidden_size, input_size), parameter(2, input_size)

    def prepare(self):
        return None

    def project(self, x, weights, condition=None):
        return project_input(x, self.U, None), project_input(x, self.gate, None)

    def initial_state(self, shape, device, dtype):
        zeros = partial(torch.zeros, device=device, dtype=dtype)
        return Matrix(zeros(*shape, self.hidden_size, self.hidden_size), zeros(*shape, self.hidden_size))

    def step(self, u_t, state, weights):
        q, k, v = u_t[0].chunk(3, -1)
        i, f = u_t[1].sigmoid()[..., None].unbind(-2)
        memory = f[..., None] * state.memory + i[..., None] * v[..., None] * k[..., None, :]
        total = f * state.total + i * k
        read = (memory.to(q.dtype) @ q[..., None])[..., 0]
        h = read / (1 + (total * q).sum(-1, keepdim=True) ** 2)
        return Step(h, Matrix(memory, total), {"input": i, "forget": f})


SUBJECTS = {
    "layer norm": Subject(LayerNormLSTM),
    "reset before": Subject(ResetBefore),
    "ring buffer": Subject(SkipInTime),
    "complex diagonal": Subject(ComplexDiagonal),
    "condition": Subject(Conditioned),
    "orthogonal": Subject(Orthogonal),
    "peepholes, projection": Subject(PeepholeProjection),
    "grid": Subject(ConvLSTM, places=(3, 2), hidden_size=2, input_size=2),
    "matrix state": Subject(MatrixMemory),
}


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.__name__)
@pytest.mark.parametrize("name", SUBJECTS)
def test_the_contract_holds(name, clause):
    clause(SUBJECTS[name])


@pytest.mark.parametrize("name", SUBJECTS)
def test_the_reference_serves_it_masks_and_all(name):
    assert check_kernel(Reference(), [SUBJECTS[name]]) > 0


@pytest.mark.parametrize("name", SUBJECTS)
def test_the_scan_serves_the_diagonal_ones(name):
    served = check_kernel(Scan(chunk=2), [SUBJECTS[name]])
    assert (served > 0) == (name == "complex diagonal")


@pytest.mark.parametrize("name", SUBJECTS)
def test_a_stack_of_two_layers_trains(name):
    subject = SUBJECTS[name]
    one = subject.sequence(subject.cell(torch.float32))
    stack = Recurrent(subject.make, subject.input_size, [3, subject.hidden_size])
    output, state = stack(one.x, lengths=torch.tensor([5, 0, 3]), condition=one.condition)
    stack(one.x, state, condition=one.condition)[0].square().sum().backward()
    assert output.shape[:-1] == one.x.shape[:-1]
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in stack.parameters())


@pytest.mark.parametrize("name", SUBJECTS)
def test_torchs_own_kernel_refuses_it(name):
    subject = SUBJECTS[name]
    one = subject.sequence(subject.cell())
    assert (choose.choose([one]).NAME == "scan") == (name == "complex diagonal")
    with pytest.raises(KernelError, match="has no twin"):
        choose.choose([one], name="fused")


def test_the_ring_buffer_sees_exactly_three_steps_back():
    torch.manual_seed(0)
    cell = SkipInTime(2, 3).double()
    x = torch.randn(8, 2, 2, dtype=torch.float64)
    output = Reference().run([Pass(cell, x, state_like(cell, x))])[0].output.detach().numpy()
    U, W, b = (p.detach().numpy() for p in (cell.U, cell.W, cell.b))
    h = {t: np.zeros((2, 3)) for t in (-3, -2, -1)}
    for t in range(8):
        h[t] = np.tanh(x[t].numpy() @ U.T + h[t - 1] @ W[:, :3].T + h[t - 3] @ W[:, 3:].T + b)
    np.testing.assert_allclose(output, np.stack([h[t] for t in range(8)]), rtol=1e-12)


def test_the_complex_recurrence_equals_its_closed_sum():
    torch.manual_seed(0)
    cell = ComplexDiagonal(2, 3).double()
    x = torch.randn(6, 1, 2, dtype=torch.float64)
    trace = Reference().run([Pass(cell, x, state_like(cell, x))])[0]
    a = np.exp(-np.exp(cell.nu.detach().numpy()) + 1j * cell.theta.detach().numpy())
    B = cell.B_real.detach().numpy() + 1j * cell.B_imag.detach().numpy()
    h = sum(a ** (5 - s) * (B @ x[s, 0].numpy()) for s in range(6))
    np.testing.assert_allclose(trace.state[0].detach().numpy(), h, rtol=1e-12)


def test_the_exponential_is_taken_once_a_sequence_and_once_a_closed_loop():
    cell = Orthogonal(2, 3)
    x = torch.randn(20, 1, 2)
    Reference().run([Pass(cell, x, state_like(cell, x))])
    assert cell.exponentials == 1
    reference, state = ReferenceStepper(cell), state_like(cell, x)
    for t in range(20):
        state = reference(x[t], state).state
    assert cell.exponentials == 2
    # A step that is traced is taken some times for that, all of them at the first.
    stepper, state = choose.stepper(cell), state_like(cell, x)
    state = stepper(x[0], state).state
    taken = cell.exponentials
    for t in range(1, 20):
        state = stepper(x[t], state).state
    assert cell.exponentials == taken


def test_a_mask_touches_the_recurrent_product_and_nothing_else():
    torch.manual_seed(0)
    cell = LSTM(2, 3).double()
    x = torch.randn(1, 2, 2, dtype=torch.float64)
    state = LSTMState(torch.randn(2, 3, dtype=torch.float64), torch.randn(2, 3, dtype=torch.float64))
    mask = LSTMState(torch.tensor([[0.0, 2, 1], [1, 1, 0]], dtype=torch.float64), torch.ones(2, 3, dtype=torch.float64))
    trace = Reference().run([Pass(cell, x, state, mask=mask)])[0]
    pre = x[0] @ cell.U.T + (state.hidden * mask.hidden) @ cell.W.T + cell.b
    i, f, g, o = pre.chunk(4, -1)
    c = f.sigmoid() * state.cell + i.sigmoid() * g.tanh()
    torch.testing.assert_close(trace.state, LSTMState(o.sigmoid() * c.tanh(), c))


def test_a_mask_is_refused_in_words_where_there_is_no_recurrent_product():
    cell = ResetBefore(2, 3)
    x = torch.randn(2, 1, 2)
    state = state_like(cell, x)
    with pytest.raises(KernelError, match=r"need a cell with `recur`; ResetBefore gives only `step`"):
        choose.choose([Pass(cell, x, state, mask=Hidden(torch.ones(1, 3)))])


def test_a_condition_goes_to_the_cells_that_want_one_and_to_no_others():
    x, v = torch.randn(3, 2, 3), torch.randn(2, 2)
    cell = Conditioned(3, 4)
    with pytest.raises(ShapeError, match=r"Conditioned needs a condition of \(2, 2\); none came"):
        Pass(cell, x, state_like(cell, x))
    with pytest.raises(ShapeError, match=r"a condition of \(2, 2\); one of \(3, 2\) came"):
        Pass(cell, x, state_like(cell, x), condition=torch.randn(3, 2))
    lstm = LSTM(3, 4)
    with pytest.raises(ShapeError, match="LSTM takes no condition"):
        Pass(lstm, x, state_like(lstm, x), condition=v)


def test_a_condition_moves_the_output_of_its_own_row_at_every_step():
    x, v = torch.randn(3, 2, 3), torch.randn(2, 2)
    stack = Recurrent(Conditioned, 3, [4], two_directions=True)
    moved = v.clone()
    moved[1] += 1
    apart = (stack(x, condition=v)[0] - stack(x, condition=moved)[0]).abs().sum(-1)
    assert (apart[:, 0] == 0).all()
    assert (apart[:, 1] > 0).all()
