"""Every cell of the package keeps the contract, and the contract catches cells that do not."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from unrolled.cells import registry
from unrolled.cells.cell import LinearRecurrentCell, Step
from unrolled.cells.elman import Elman, ElmanState
from unrolled.cells.lstm import LSTM, LSTMState
from unrolled.contracts.cell import CLAUSES, check_cell
from unrolled.contracts.subject import usual
from unrolled.errors import ContractError


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.__name__)
@pytest.mark.parametrize("name", registry.built_in())
def test_every_cell_keeps_every_clause(name, clause):
    clause(usual(registry.find(name)))


class BatchSecond(Elman):
    def initial_state(self, shape, device, dtype):
        return ElmanState(torch.zeros(self.hidden_size, *shape, device=device, dtype=dtype))

    def recur(self, state, weights):
        return F.linear(state.hidden.T, weights.W)

    def combine(self, u_t, r, state):
        step = super().combine(u_t, r, state)
        return Step(step.output, ElmanState(step.output.T), step.gates)


class CutGradient(Elman):
    def recur(self, state, weights):
        return F.linear(state.hidden.detach(), weights.W)


class CountsItsCalls(Elman):
    calls = 0

    def combine(self, u_t, r, state):
        self.calls += 1
        return super().combine(u_t, r + 0.01 * self.calls, state)


class DrawsItsOwnMask(Elman):
    def combine(self, u_t, r, state):
        return super().combine(u_t, F.dropout(r, 0.5, self.training), state)


class MixesRows(Elman):
    def combine(self, u_t, r, state):
        return super().combine(u_t, r - r.mean(0), state)


class LooksAhead(Elman):
    def project(self, x, weights, condition=None):
        return super().project(x, weights).cumsum(0)


class WidensItsState(LSTM):
    def combine(self, u_t, r, state):
        step = super().combine(u_t, r, state)
        return step._replace(state=LSTMState(step.state.hidden, step.state.cell.double()))


class LosesAField(LSTM):
    def combine(self, u_t, r, state):
        return super().combine(u_t, r, state)._replace(state=ElmanState(state.hidden))


class ForgetsAGate(LSTM):
    def combine(self, u_t, r, state):
        step = super().combine(u_t, r, state)
        return step._replace(gates={k: v for k, v in step.gates.items() if k != "forget"})


class HidesAWeight(Elman):
    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.hidden_bias = torch.randn(hidden_size)

    def project(self, x, weights, condition=None):
        return super().project(x, weights) + self.hidden_bias.to(weights.b)


class CannotReadSymbols(Elman):
    def project(self, x, weights, condition=None):
        return F.linear(x.to(weights.U.dtype).expand(*x.shape[:2], self.input_size), weights.U, weights.b)


class NonLinearProduct(Elman):
    def recur(self, state, weights):
        return super().recur(state, weights) ** 2


class StepOfItsOwn(Elman):
    def step(self, u_t, state, weights):
        return super().step(u_t + 1, state, weights)


class WritesIntoItsState(LinearRecurrentCell):
    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.U = nn.Parameter(torch.randn(hidden_size, input_size))

    def prepare(self):
        return None

    def project(self, x, weights, condition=None):
        return F.linear(x, self.U)

    def initial_state(self, shape, device, dtype):
        return ElmanState(torch.zeros(*shape, self.hidden_size, device=device, dtype=dtype))

    def recur(self, state, weights):
        return state.hidden

    def combine(self, u_t, r, state):
        with torch.no_grad():
            state.hidden.mul_(0.5)
        h = (u_t + r).tanh()
        return Step(h, ElmanState(h), {})


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (BatchSecond, "the batch \\(3\\) comes first"),
        (CutGradient, "gradients differ from finite differences"),
        (CountsItsCalls, "gradients differ|output of a second"),
        (DrawsItsOwnMask, "gradients|second, equal run"),
        (MixesRows, "output of rows \\[0\\] alone"),
        (LooksAhead, "two halves with the state carried"),
        (WidensItsState, "was \\(3, 4\\) torch.float32 and is \\(3, 4\\) torch.float64"),
        (LosesAField, "clause 'form'.*\\n.*one has the leaves \\['hidden'\\]"),
        (ForgetsAGate, "GATES names \\['forget'\\]"),
        (HidesAWeight, "a new cell that loads the weights"),
        (CannotReadSymbols, "clause 'one_hot'"),
        (NonLinearProduct, "recur of a mixture"),
        (StepOfItsOwn, "step, against combine of recur"),
        (WritesIntoItsState, "gradients differ|what came in"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_a_broken_cell_is_caught_and_told_which_clause(broken, sentence):
    with pytest.raises(ContractError, match=sentence):
        check_cell(broken)


def test_a_cell_that_is_sound_passes_them_all():
    check_cell(LSTM)
