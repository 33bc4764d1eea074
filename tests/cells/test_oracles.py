"""Each cell against its paper: the equations in NumPy, one row and one step at a time, written apart from the code.

A test that cannot fail is none: every exchange of gate blocks of equal shape, and of state fields, must be seen.
"""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch

from unrolled.cells import registry
from unrolled.cells.cell import Cell
from unrolled.cells.elman import ElmanState
from unrolled.cells.gru import GRUState
from unrolled.cells.lstm import LSTMState
from unrolled.kernels.kernel import Pass
from unrolled.kernels.reference import Reference

T, B, F, H = 4, 2, 3, 5


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def elman(nonlinearity):
    def run(p, x, h):
        out = []
        for x_t in x:
            h = nonlinearity(p["W"] @ h + p["U"] @ x_t + p["b"])
            out.append(h)
        return np.stack(out), [h]

    return run


def lstm(p, x, h, c):
    (Ui, Uf, Uc, Uo), (Wi, Wf, Wc, Wo), (bi, bf, bc, bo) = (np.split(p[k], 4) for k in "UWb")
    out = []
    for x_t in x:
        i = sigmoid(Wi @ h + Ui @ x_t + bi)
        f = sigmoid(Wf @ h + Uf @ x_t + bf)
        o = sigmoid(Wo @ h + Uo @ x_t + bo)
        c = f * c + i * np.tanh(Wc @ h + Uc @ x_t + bc)
        h = o * np.tanh(c)
        out.append(h)
    return np.stack(out), [h, c]


def gru(reset_before):
    def run(p, x, h):
        (Ur, Uz, Uc), (Wr, Wz, Wc), (br, bz, bc) = (np.split(p[k], 3) for k in "UWb")
        out = []
        for x_t in x:
            r = sigmoid(Wr @ h + Ur @ x_t + br)
            z = sigmoid(Wz @ h + Uz @ x_t + bz)
            if reset_before:
                candidate = np.tanh(Wc @ (r * h) + Uc @ x_t + bc)
            else:
                candidate = np.tanh(r * (Wc @ h + p["b_h"]) + Uc @ x_t + bc)
            h = z * h + (1 - z) * candidate
            out.append(h)
        return np.stack(out), [h]

    return run


ORACLES = {
    "elman": (elman(np.tanh), ElmanState, 1),
    "elman-relu": (elman(lambda a: np.maximum(a, 0)), ElmanState, 1),
    "elman-sigmoid": (elman(sigmoid), ElmanState, 1),
    "lstm": (lstm, LSTMState, 4),
    "gru": (gru(reset_before=False), GRUState, 3),
    "reset-before-gru": (gru(reset_before=True), GRUState, 3),
}


def trial(name: str) -> tuple[Cell, torch.Tensor, tuple]:
    """A cell with random weights, biases too, random x, and a random state."""
    torch.manual_seed(3)
    cell = registry.find(name)(F, H).double()
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.normal_(std=0.7)
    State = ORACLES[name][1]
    return cell, torch.randn(T, B, F).double(), State(*(torch.randn(B, H).double() for _ in State._fields))


def ours(cell: Cell, x: torch.Tensor, state: tuple) -> tuple[np.ndarray, list[np.ndarray]]:
    with torch.no_grad():
        trace = Reference().run([Pass(cell, x, state)])[0]
    return trace.output.numpy(), [leaf.numpy() for leaf in trace.state]


def theirs(name: str, cell: Cell, x: torch.Tensor, state: tuple) -> tuple[np.ndarray, list[np.ndarray]]:
    weights = {key: value.detach().numpy() for key, value in cell.named_parameters()}
    rows = [ORACLES[name][0](weights, x[:, b].numpy(), *(leaf[b].numpy() for leaf in state)) for b in range(B)]
    outputs, finals = zip(*rows, strict=True)
    return np.stack(outputs, 1), [np.stack(leaf) for leaf in zip(*finals, strict=True)]


def test_every_cell_of_the_package_has_an_oracle():
    assert set(ORACLES) == set(registry.built_in())


@pytest.mark.parametrize("name", ORACLES)
def test_a_cell_equals_its_equations(name):
    cell, x, state = trial(name)
    output, final = ours(cell, x, state)
    expected, expected_final = theirs(name, cell, x, state)
    np.testing.assert_allclose(output, expected, rtol=1e-12, atol=1e-13)
    for leaf, wanted in zip(final, expected_final, strict=True):
        np.testing.assert_allclose(leaf, wanted, rtol=1e-12, atol=1e-13)


def exchanges() -> list:
    return [
        pytest.param(name, keys, order, id=f"{name}-{'+'.join(keys)}-{''.join(map(str, order))}")
        for name, (_, _, blocks) in ORACLES.items()
        for keys in (("U",), ("W",), ("b",), ("U", "W", "b"))
        for order in permutations(range(blocks))
        if order != tuple(range(blocks))
    ]


@pytest.mark.parametrize(("name", "keys", "order"), exchanges())
def test_any_exchange_of_gates_is_seen(name, keys, order):
    cell, x, state = trial(name)
    expected, _ = theirs(name, cell, x, state)
    with torch.no_grad():
        for key in keys:
            blocks = cell.get_parameter(key).chunk(len(order))
            cell.get_parameter(key).copy_(torch.cat([blocks[i] for i in order]))
    assert np.abs(ours(cell, x, state)[0] - expected).max() > 1e-2


def test_an_exchange_of_the_state_fields_is_seen():
    cell, x, state = trial("lstm")
    expected, expected_final = theirs("lstm", cell, x, state)
    output, final = ours(cell, x, LSTMState(state.cell, state.hidden))
    assert np.abs(output - expected).max() > 1e-2
    assert np.abs(final[0] - expected_final[1]).max() > 1e-2


@pytest.mark.parametrize("name", ORACLES)
def test_a_transposed_recurrent_matrix_is_seen(name):
    cell, x, state = trial(name)
    expected, _ = theirs(name, cell, x, state)
    with torch.no_grad():
        cell.W.copy_(torch.cat([block.T for block in cell.W.chunk(ORACLES[name][2])]))
    assert np.abs(ours(cell, x, state)[0] - expected).max() > 1e-2


@pytest.mark.parametrize("name", ORACLES)
def test_gates_recorded_are_those_of_the_equations(name):
    """The last step, rebuilt from the gates alone."""
    cell, x, state = trial(name)
    trace = Reference().run([Pass(cell, x, state)], ("states", "gates"))[0]
    gate = {key: value[-1] for key, value in trace.gates.items()}
    before = type(state)(*(leaf[-2] for leaf in trace.states))
    assert list(gate) == list(cell.GATES)
    if name == "lstm":
        c = gate["forget"] * before.cell + gate["input"] * gate["candidate"]
        torch.testing.assert_close(trace.state.cell, c)
        torch.testing.assert_close(trace.output[-1], gate["output"] * torch.tanh(c))
    elif "gru" in name:
        kept = gate["update"] * before.hidden
        torch.testing.assert_close(trace.output[-1], kept + (1 - gate["update"]) * gate["candidate"])
    else:
        torch.testing.assert_close(trace.output[-1], gate["candidate"])
