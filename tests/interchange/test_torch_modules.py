"""Weights go from torch.nn and back to it, and both compute the same, by outputs, final states and gradients."""

from __future__ import annotations

import itertools
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from unrolled import states
from unrolled.cells.elman import IRNN, Elman, ElmanReLU, ElmanSigmoid
from unrolled.cells.gru import GRU, GRUState, ResetBeforeGRU
from unrolled.cells.lstm import LSTM, LSTMState
from unrolled.cells.lstm_variations import PeepholeLSTM, ProjectedLSTM
from unrolled.errors import OptionError, ShapeError
from unrolled.interchange.torch_modules import (
    cell_from_torch,
    cell_to_torch,
    from_torch,
    state_from_torch,
    state_to_torch,
    to_torch,
)
from unrolled.layers.recurrent import Recurrent

# Torch tells once a process that projections run in its own code; that they do is no matter here.
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN:UserWarning")

T, B, F, H, P = 7, 4, 3, 5, 2
LENGTHS = torch.tensor([7, 2, 1, 5])
MODULES = {
    "tanh": partial(nn.RNN, F, H, nonlinearity="tanh"),
    "relu": partial(nn.RNN, F, H, nonlinearity="relu"),
    "lstm": partial(nn.LSTM, F, H),
    "projected": partial(nn.LSTM, F, H, proj_size=P),
    "gru": partial(nn.GRU, F, H),
}
CELLS = {
    "tanh": (Elman, partial(nn.RNNCell, F, H)),
    "relu": (ElmanReLU, partial(nn.RNNCell, F, H, nonlinearity="relu")),
    "lstm": (LSTM, partial(nn.LSTMCell, F, H)),
    "gru": (GRU, partial(nn.GRUCell, F, H)),
}
CLOSE = {torch.float32: 1e-6, torch.float64: 1e-12}


def randomised(module: nn.Module) -> nn.Module:
    """Weights far from zero, biases too, so that what is left out or exchanged shows; and small enough for ReLUs to
    stay near 1, where float32 has 1e-6 to spare."""
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.requires_grad:
                parameter.normal_(0, 0.3)
    return module


def theirs_and_start(kind: str, dtype: torch.dtype, **options):
    module = randomised(MODULES[kind](dtype=dtype, **options))
    rows = module.num_layers * (2 if module.bidirectional else 1)
    h = torch.randn(rows, B, module.proj_size or H, dtype=dtype)
    start = (h, torch.randn(rows, B, H, dtype=dtype)) if isinstance(module, nn.LSTM) else h
    return module, start


def assert_close(ours, theirs) -> None:
    ours, theirs = (one if isinstance(one, tuple) else (one,) for one in (ours, theirs))
    for own, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(own, other, rtol=0, atol=CLOSE[other.dtype])


grid = pytest.mark.parametrize(
    ("kind", "layers", "two", "bias", "dtype"),
    list(itertools.product(MODULES, (1, 2, 3), (False, True), (True, False), CLOSE)),
)


@grid
def test_torch_to_here_and_back_by_outputs_and_final_states(kind, layers, two, bias, dtype):
    module, start = theirs_and_start(kind, dtype, num_layers=layers, bidirectional=two, bias=bias)
    x = torch.randn(T, B, F, dtype=dtype)
    expected, last = module(x, start)
    stack = from_torch(module)
    output, final = stack(x, state_from_torch(stack, start))
    assert_close(output, expected)
    assert_close(state_to_torch(final), last)
    again = to_torch(stack)
    assert type(again) is type(module)
    assert again.bias == bias
    back, back_last = again(x, start)
    assert_close(back, expected)
    assert_close(back_last, last)


@pytest.mark.parametrize("two", [False, True])
@pytest.mark.parametrize("kind", MODULES)
def test_ragged_rows_give_what_packed_ones_give_there(kind, two):
    module, start = theirs_and_start(kind, torch.float64, num_layers=3, bidirectional=two)
    x = torch.randn(T, B, F, dtype=torch.float64)
    packed, last = module(pack_padded_sequence(x, LENGTHS, enforce_sorted=False), start)
    expected, _ = pad_packed_sequence(packed, total_length=T)
    stack = from_torch(module)
    output, final = stack(x, state_from_torch(stack, start), LENGTHS)
    assert_close(output, expected)
    assert_close(state_to_torch(final), last)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", CELLS)
def test_a_cell_steps_as_torchs_does(kind, bias):
    own_kind, make = CELLS[kind]
    theirs = randomised(make(bias=bias, dtype=torch.float64))
    cell = cell_from_torch(theirs)
    assert type(cell) is own_kind
    back = cell_to_torch(cell)
    assert (type(back), back.bias) == (type(theirs), bias)
    x, h, c = (torch.randn(B, size, dtype=torch.float64) for size in (F, H, H))
    start = (h, c) if kind == "lstm" else h
    own = LSTMState(h, c) if kind == "lstm" else type(cell.initial_state((B,), h.device, h.dtype))(h)
    weights = cell.prepare()
    step = cell.step(cell.project(x[None], weights)[0], own, weights)
    assert_close(tuple(step.state), theirs(x, start))
    assert_close(theirs(x, start), back(x, start))


@pytest.mark.parametrize("two", [False, True])
@pytest.mark.parametrize("kind", [Elman, ElmanReLU, IRNN, LSTM, ProjectedLSTM, GRU])
def test_here_to_torch_and_back_gives_the_same_weights_and_outputs(kind, two):
    stack = randomised(Recurrent(kind, F, (H, H), two, dropout=0.25)).double().eval()
    x = torch.randn(T, B, F, dtype=torch.float64)
    expected, final = stack(x)
    module = to_torch(stack, batch_first=True)
    output, last = module(x.transpose(0, 1))
    assert_close(output.transpose(0, 1), expected)
    assert_close(last, state_to_torch(final))
    again = from_torch(module)
    assert again.state_dict().keys() == stack.state_dict().keys()
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), stack.parameters(), strict=True))
    assert (again.noise.dropout.rate, module.dropout, again.training, module.training) == (0.25, 0.25, False, False)


@pytest.mark.parametrize("kind", MODULES)
def test_from_torch_and_back_only_joins_the_two_biases(kind):
    module, _ = theirs_and_start(kind, torch.float32, num_layers=2, bidirectional=True)
    back = to_torch(from_torch(module)).state_dict()
    for name, value in module.state_dict().items():
        if name.startswith("weight"):
            assert torch.equal(back[name], value), name
        elif name.startswith("bias_ih"):
            second = name.replace("bias_ih", "bias_hh")
            total = back[name] + back[second]
            torch.testing.assert_close(total, value + module.state_dict()[second], rtol=0, atol=1e-6)
            apart = 2 * H if kind == "gru" else None  # what the candidate of a GRU adds within the reset gate's reach
            assert not back[second][:apart].any()
            if apart:
                assert torch.equal(back[second][apart:], module.state_dict()[second][apart:])


@pytest.mark.parametrize("kind", MODULES)
def test_every_permutation_of_blocks_would_be_seen(kind):
    """The outputs that the tests compare move by far more than they may when blocks of any weight are exchanged."""
    module, _ = theirs_and_start(kind, torch.float64)
    x = torch.randn(T, B, F, dtype=torch.float64)
    expected, _ = module(x)
    ((cell,),) = from_torch(module).cells()
    blocks = len(cell.GATES)
    for name, order in itertools.product(("U", "W", "b", "all"), itertools.permutations(range(blocks))):
        stack = from_torch(module)
        ((cell,),) = stack.cells()
        with torch.no_grad():
            for one in ("U", "W", "b") if name == "all" else (name,):
                weight = cell.get_parameter(one)
                weight.copy_(torch.cat([weight.chunk(blocks)[i] for i in order]))
        moved = (stack(x)[0] - expected).abs().max()
        assert moved < 1e-12 if order == tuple(range(blocks)) else moved > 1e-3, (name, order)


def test_swapped_directions_would_be_seen():
    module, _ = theirs_and_start("gru", torch.float64, bidirectional=True)
    x = torch.randn(T, B, F, dtype=torch.float64)
    stack = from_torch(module)
    forward, backward = stack.cells()[0]
    swapped = [one.clone() for one in backward.parameters()] + [one.clone() for one in forward.parameters()]
    with torch.no_grad():
        for parameter, value in zip([*forward.parameters(), *backward.parameters()], swapped, strict=True):
            parameter.copy_(value)
    assert (stack(x)[0] - module(x)[0]).abs().max() > 1e-3


@pytest.mark.parametrize("kind", MODULES)
def test_gradients_are_torchs(kind):
    module, _ = theirs_and_start(kind, torch.float64)
    x = torch.randn(T, B, F, dtype=torch.float64)
    stack = from_torch(module)
    ((cell,),) = stack.cells()
    for one in (module, stack):
        one(x)[0].square().sum().backward()
    torch.testing.assert_close(cell.U.grad, module.weight_ih_l0.grad)
    torch.testing.assert_close(cell.W.grad, module.weight_hh_l0.grad)
    torch.testing.assert_close(cell.b.grad, module.bias_ih_l0.grad)
    if kind == "gru":
        torch.testing.assert_close(cell.b_h.grad, module.bias_hh_l0.grad[2 * H :])


def test_weights_are_copies():
    module = nn.GRU(F, H)
    stack = from_torch(module)
    back = to_torch(stack)
    before = [one.clone() for one in back.parameters()]
    own = [one.clone() for one in stack.parameters()]
    randomised(module)
    assert all(torch.equal(a, b) for a, b in zip(stack.parameters(), own, strict=True))
    randomised(stack)
    assert all(torch.equal(a, b) for a, b in zip(back.parameters(), before, strict=True))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_type_and_device_are_kept_and_nothing_is_drawn(dtype):
    module = nn.LSTM(F, H, dtype=dtype)
    generator = torch.get_rng_state()
    stack = from_torch(module)
    back = to_torch(stack)
    assert {one.dtype for net in (stack, back) for one in net.parameters()} == {dtype}
    assert torch.equal(torch.get_rng_state(), generator)
    elsewhere = from_torch(nn.LSTM(F, H, device="meta"))
    assert {one.device.type for one in elsewhere.parameters()} == {"meta"}


def test_a_stack_without_bias_stays_without_as_it_is_trained():
    stack = from_torch(nn.GRU(F, H, bias=False))
    optimiser = torch.optim.Adam(stack.parameters(), lr=0.1)
    stack(torch.randn(T, B, F))[0].sum().backward()
    optimiser.step()
    module = to_torch(stack)
    assert not module.bias
    x = torch.randn(T, B, F)
    assert_close(stack(x)[0], module(x)[0])


def test_recomputation_changes_nothing_that_torch_would_have_to_know():
    stack = Recurrent(LSTM, F, (H,), recompute=True)
    x = torch.randn(T, B, F)
    assert_close(stack(x)[0], to_torch(stack)(x)[0])


def test_a_rate_that_acts_nowhere_is_left_behind():
    assert to_torch(Recurrent(GRU, F, (H,), dropout=0.5)).dropout == 0  # torch warns of one beside a single layer


class OwnLSTM(nn.LSTM):
    pass


@pytest.mark.parametrize("module", [nn.Linear(F, H), OwnLSTM(F, H), nn.Sequential(nn.LSTM(F, H))])
def test_what_torch_has_beside_them_is_refused(module):
    with pytest.raises(OptionError, match=f"{type(module).__name__} came"):
        from_torch(module)


@pytest.mark.parametrize(
    ("own", "said"),
    [
        (lambda: Recurrent(PeepholeLSTM, F, (H,)), "has no PeepholeLSTM.*ProjectedLSTM"),
        (lambda: Recurrent(ResetBeforeGRU, F, (H,)), "has no ResetBeforeGRU"),
        (lambda: Recurrent(ElmanSigmoid, F, (H,)), "has no ElmanSigmoid"),
        (lambda: Recurrent(LSTM, F, (5, 4)), r"one kind and size.*\(5, 4\).*one by one"),
        (lambda: Recurrent(LSTM, F, (5, 5), connections="residual"), "residual connections.*one by one"),
        (lambda: Recurrent(LSTM, F, (5, 4), connections="dense"), "dense connections"),
        (lambda: Recurrent(LSTM, F, (H,), learnt_initial_state=True), "learnt initial state.*strict=False"),
        (lambda: Recurrent(LSTM, F, (H,), zoneout={"cell": 0.1}), "zoneout.*run here"),
        (lambda: Recurrent(LSTM, F, (H,), zoneout=0.1), "zoneout"),
        (lambda: Recurrent(LSTM, F, (H, H), dropout=0.1, variational=True), "variational dropout.*load_state_dict"),
        (lambda: Recurrent(LSTM, F, (H,), recurrent_dropout=0.1), "recurrent dropout"),
        (lambda: Recurrent(LSTM, F, (H,), weight_drop=0.1), "weight drop"),
    ],
)
def test_what_torch_has_no_twin_of_is_refused_in_words(own, said):
    with pytest.raises(OptionError, match=said):
        to_torch(own())


def test_cells_and_stacks_are_not_taken_for_one_another():
    with pytest.raises(OptionError, match="RNN, LSTM, GRU was expected, and GRUCell came"):
        from_torch(nn.GRUCell(F, H))
    with pytest.raises(OptionError, match="RNNCell, LSTMCell, GRUCell was expected, and GRU came"):
        cell_from_torch(nn.GRU(F, H))
    with pytest.raises(OptionError, match="for one cell has no ProjectedLSTM"):
        cell_to_torch(ProjectedLSTM(F, H))


def test_a_learnt_start_travels_as_the_refusal_says():
    stack = randomised(Recurrent(LSTM, F, (H,), learnt_initial_state=True))
    bare = Recurrent(LSTM, F, (H,))
    bare.load_state_dict(stack.state_dict(), strict=False)
    x = torch.randn(T, B, F)
    assert_close(stack(x)[0], to_torch(bare)(x, state_to_torch(stack.initial_state(B)))[0])


def test_states_turn_over_and_back():
    stack = Recurrent(LSTM, F, (H, H), two_directions=True)
    h, c = torch.arange(4 * B * H).reshape(4, B, H).float(), -torch.arange(4 * B * H).reshape(4, B, H).float()
    state = state_from_torch(stack, (h, c))
    assert torch.equal(state[1][0].hidden, h[2])  # second layer, forward
    assert torch.equal(state[0][1].cell, c[1])  # first layer, backward
    assert all(torch.equal(a, b) for a, b in zip(state_to_torch(state), (h, c), strict=True))
    gru = Recurrent(GRU, F, (H,))
    ((only,),) = state_from_torch(gru, h[:1])
    assert isinstance(only, GRUState)
    assert states.names(((only,),)) == states.names(gru.initial_state(B))


def test_a_state_of_another_stack_is_refused():
    stack = Recurrent(LSTM, F, (H, H))
    for wrong in (torch.zeros(2, B, H), (torch.zeros(1, B, H),) * 2, (torch.zeros(B, H),) * 2):
        with pytest.raises(ShapeError, match=r"layers × directions first"):
            state_from_torch(stack, wrong)
    with pytest.raises(ShapeError, match="layers of one size"):
        state_to_torch(Recurrent(GRU, F, (5, 4)).initial_state(B))
