"""The two directions of a layer, side by side in the core: to the last bit what each of them gives alone."""

from __future__ import annotations

import copy

import pytest
import torch
from test_native import NAMES, arguments

from unrolled import states
from unrolled.cells.gru import GRU
from unrolled.cells.lstm import LSTM
from unrolled.cells.lstm_variations import PeepholeLSTM, ProjectedLSTM
from unrolled.cells.small import IndRNN
from unrolled.cells.xlstm import SLSTM
from unrolled.errors import KernelError, ShapeError
from unrolled.kernels import native_core, native_directions, native_operators
from unrolled.layers.recurrent import Recurrent

pytestmark = pytest.mark.skipif(not native_core.is_built(), reason="no C++ compiler built the native core")


def both(cell, ragged=False, masked=False, dtype=torch.float64):
    """What each direction is told, of numbers of its own; the lengths, the cell's number, and `keep`."""
    first = arguments(cell, ragged=ragged, masked=masked, requires_grad=True, dtype=dtype)
    second = [one if one is None else (one * 0.9).detach().requires_grad_() for one in first[:7]]
    if first[5] is not None:
        second[5] = second[5].detach()
    return first[:7], second, first[7], first[8]


def gradients(outputs, inputs):
    """Of a total that weighs every number of the output and of the last state differently."""
    total = sum((one.sin() * torch.arange(1.0, 1 + one.numel()).view_as(one)).sum() for one in outputs)
    return torch.autograd.grad(total, inputs)


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("cell", NAMES)
def test_they_give_what_each_gives_alone(cell, ragged, two_threads):
    masked = native_core.known(native_core.number(cell)).product and ragged
    first, second, lengths, number = both(cell, ragged, masked)
    given = native_directions.directions(*first, *second, lengths, number, True)
    inputs = [one for one in (*first, *second) if one is not None and one.requires_grad and one.numel()]
    together = [*given[:2], *given[4:6], *gradients([*given[:2], *given[4:6]], inputs)]
    torch.set_num_threads(1)
    alone = [
        *native_operators.recurrence(*first, lengths, number, False, True)[:2],
        *native_operators.recurrence(*second, lengths, number, True, True)[:2],
    ]
    for one, other in zip(together, [*alone, *gradients(alone, inputs)], strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_gradients_are_those_of_finite_differences(cell):
    first, second, lengths, number = both(cell, ragged=True)
    places = [k for k, one in enumerate((*first, *second)) if one is not None]

    def run(*inputs):
        told = [None] * 14
        for place, one in zip(places, inputs, strict=True):
            told[place] = one
        given = native_directions.directions(*told, lengths, number, True)
        return *given[:2], *given[4:6]

    assert torch.autograd.gradcheck(run, tuple([*first, *second][k] for k in places))


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_torch_finds_nothing_wrong_with_the_operator(cell):
    first, second, lengths, number = both(cell, ragged=True)
    checked = torch.library.opcheck(torch.ops.unrolled.directions, (*first, *second, lengths, number, True))
    assert set(checked.values()) == {"SUCCESS"}


def test_there_is_no_second_derivative_and_that_is_said():
    first, second, lengths, number = both("gru")
    output = native_directions.directions(*first, *second, lengths, number, True)[0]
    (d_u,) = torch.autograd.grad(output.square().sum(), first[0], create_graph=True)
    with pytest.raises(KernelError, match="no second derivative; kernel='reference' has"):
        d_u.square().sum().backward()


def test_directions_of_different_sizes_are_an_error_and_no_crash():
    first, second, lengths, number = both("lstm")
    longer = torch.cat([second[0], second[0]]).detach()
    with pytest.raises(ShapeError, match="have one cell, type, T, B and H"):
        native_directions.directions(*first, longer, *second[1:], lengths, number, True)


CELLS = [LSTM, GRU, IndRNN, PeepholeLSTM, ProjectedLSTM, lambda F, H: SLSTM(F, H, heads=2)]


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("cell", CELLS)
def test_a_stack_of_two_directions_agrees_with_the_reference(cell, threads, monkeypatch):
    torch.manual_seed(0)
    stack = Recurrent(cell, 5, [8, 8], two_directions=True, kernel="native").double()
    other = copy.deepcopy(stack)
    other.kernel = "reference"
    calls = []
    run = native_operators.run
    monkeypatch.setattr(native_operators, "run", lambda name, ready: (calls.append(len(ready)), run(name, ready)))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    x, lengths = torch.randn(6, 3, 5, dtype=torch.float64), torch.tensor([6, 2, 4])
    results = []
    try:
        for one in (stack, other):
            output, state = one(x, lengths=lengths)
            leaves = [leaf for _, leaf in states.leaves(state)]
            results.append([output, *leaves, *gradients([output, *leaves], list(one.parameters()))])
    finally:
        torch.set_num_threads(before)
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-11)
    # One call for both directions, but where a layer's direction is more than one recurrence, or waits for a product.
    assert set(calls) == ({1} if cell in CELLS[-2:] else {2})
