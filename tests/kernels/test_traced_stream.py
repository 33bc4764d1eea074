"""The steppers of cells that have no struct: sizes, many steps in one call, several threads, wrong input."""

from __future__ import annotations

import itertools
import math
import threading

import pytest
import torch
from test_native import pairwise

from unrolled import states
from unrolled.cells.conditioned import ConditionedElman, FirstStepConditionedElman
from unrolled.cells.conv_lstm import ConvLSTM
from unrolled.cells.gru import GRU, ResetBeforeGRU
from unrolled.cells.layer_norm_lstm import LayerNormLSTM
from unrolled.cells.lstm_variations import PeepholeLSTM
from unrolled.cells.min_recurrences import MinLSTM
from unrolled.cells.time_skip import TimeSkip
from unrolled.cells.unitary import URNN
from unrolled.contracts.subject import Subject, distance
from unrolled.errors import KernelError, ShapeError
from unrolled.kernels import choose, native_core, traced_plan, traced_stream
from unrolled.kernels.reference import ReferenceStepper
from unrolled.kernels.traced_stream import TOLERANCE, TracedStepper

pytestmark = pytest.mark.skipif(not native_core.is_built(), reason="no C++ compiler built the native core")


class Squared(GRU):
    """Somebody's own: what it makes of x by itself can be no program, what it makes of the rest can."""

    def project(self, x, weights, condition=None):
        u = super().project(x, weights)
        return u.sort(-1).values + u


CELLS = (LayerNormLSTM, ResetBeforeGRU, PeepholeLSTM, MinLSTM, TimeSkip, Squared)
MATRIX = list(
    itertools.product(CELLS, (1, 7, 65, 128), (1, 3, 16), (torch.float32, torch.float64), (1, 5), (False, True))
)


def case(cell, hidden_size=20, rows=2, steps=5, dtype=torch.float32, symbols=False):
    """A cell, its input, and a state that is not zero."""
    one = Subject(cell, input_size=6, hidden_size=hidden_size)
    made = one.cell(dtype)
    given = one.sequence(made, steps, rows)
    x = torch.arange(steps * rows).reshape(steps, rows) * 5 % 6 if symbols else given.x
    return made, x, given.state


def leaves(state):
    return [leaf for _, leaf in states.leaves(state)]


def stepped(stepper, x, state):
    """Step by step: the outputs and each step's state."""
    outputs, every = [], []
    with torch.no_grad():
        for x_t in x:
            output, state, gates = stepper(x_t, state)
            assert gates == {}
            outputs.append(output)
            every.append(state)
    return torch.stack(outputs), every


def agrees(cell, hidden_size, rows, dtype, steps, symbols):
    """Each step is the reference's from the same state; and many steps in one call are the same as one by one."""
    made, x, state = case(cell, hidden_size, rows, steps, dtype, symbols)
    stepper, reference = TracedStepper(made), ReferenceStepper(made)
    outputs, every = stepped(stepper, x, state)
    with torch.no_grad():
        rights = [reference(x_t, before) for x_t, before in zip(x, [state, *every[:-1]], strict=True)]
        whole, last = stepper.run(x, state)
    right = [torch.stack([one.output for one in rights]), *leaves(states.stack([one.state for one in rights]))]
    for found, exact in zip([outputs, *leaves(states.stack(every))], right, strict=True):
        assert distance(found, exact) < TOLERANCE[dtype]
    if cell is Squared and not symbols:  # torch projects all times at once, and rounds otherwise
        assert distance(whole, outputs) < TOLERANCE[dtype]
    else:
        assert torch.equal(whole, outputs)
        assert all(map(torch.equal, leaves(last), leaves(every[-1])))


def test_a_sample_of_the_matrix_agrees_with_the_reference():
    sample = pairwise(MATRIX)
    assert len(sample) < len(MATRIX) / 4
    for one in sample:
        agrees(*one)


@pytest.mark.parametrize(
    ("cell", "in_it"), [(LayerNormLSTM, True), (MinLSTM, True), (TimeSkip, True), (Squared, False)]
)
def test_what_a_cell_makes_of_x_is_part_of_the_program_where_it_can_be(monkeypatch, cell, in_it):
    made, x, state = case(cell)
    stepper, project, asked = TracedStepper(made), made.project, []
    stepped(stepper, x, state)

    def counted(*given):
        asked.append(given)
        return project(*given)

    monkeypatch.setattr(made, "project", counted)
    stepped(stepper, x, state)
    assert bool(asked) is not in_it


def test_two_threads_give_what_one_gives():
    made, x, state = case(ResetBeforeGRU, 300, 16, 2)  # large enough that both take part
    alone = stepped(TracedStepper(made), x, state)[0]
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert torch.equal(stepped(TracedStepper(made), x, state)[0], alone)
    finally:
        torch.set_num_threads(before)


def test_one_stepper_serves_any_number_of_rows_in_turn_and_two_callers_at_once():
    made, x, state = case(LayerNormLSTM, 100, 3, 40)
    one_row = states.map_state(lambda leaf: leaf[:1], state)
    stepper = TracedStepper(made)
    with torch.no_grad():
        right, alone = stepper.run(x, state)[0], stepper.run(x[:, :1], one_row)[0]
        assert torch.equal(stepper.run(x, state)[0], right)
        found = []

        def call():
            with torch.no_grad():
                found.extend(torch.equal(stepper.run(x[:, :1], one_row)[0], alone) for _ in range(50))

        beside = threading.Thread(target=call)
        beside.start()
        assert all(torch.equal(stepper.run(x, state)[0], right) for _ in range(50))
        beside.join()
    assert found == [True] * 50


def test_it_keeps_the_weights_of_its_first_step():
    made, x, state = case(LayerNormLSTM)
    stepper = TracedStepper(made)
    before, _ = stepped(stepper, x, state)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(2)
    assert torch.equal(stepped(stepper, x, state)[0], before)
    assert not torch.allclose(stepped(TracedStepper(made), x, state)[0], before)


@pytest.mark.parametrize("odd", [math.nan, math.inf])
def test_what_is_no_number_stays_in_its_row(odd):
    made, x, state = case(LayerNormLSTM, 20, 3)
    spoilt = x.clone()
    spoilt[1, 1, 2] = odd
    stepper = TracedStepper(made)
    (plain, _), (found, _) = (stepped(stepper, given, state) for given in (x, spoilt))
    assert torch.equal(found[:, [0, 2]], plain[:, [0, 2]]) and torch.equal(found[0], plain[0])
    assert found[1:, 1].isnan().all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x, state: (x[:, :-1], state), "wants the input as"),
        (lambda x, state: (x[:1], state), "wants the input as"),
        (lambda x, state: (x.double(), state), "wants the input as .*float64"),
        (lambda x, state: (x, type(state)(state.hidden[:, 1:], state.cell)), "wants the state of LayerNormLSTM"),
        (lambda x, state: (x, type(state)(state.hidden, state.cell.double())), "wants the state of LayerNormLSTM"),
        (lambda x, state: (x, type(state)(state.hidden, state.cell[:1])), "wants the state of LayerNormLSTM"),
        (lambda x, state: (torch.zeros(3, dtype=torch.int64), state), "wants symbols as"),
    ],
)
def test_wrong_input_is_an_error_and_no_crash(change, words):
    made, x, state = case(LayerNormLSTM)
    with torch.no_grad(), pytest.raises(ShapeError, match=words):
        TracedStepper(made)(*change(x[0], state))


def test_a_condition_for_other_rows_is_an_error():
    cell = ConditionedElman(3, 4)
    x, state = torch.randn(1, 3), cell.initial_state((1,), torch.device("cpu"), torch.float32)
    with torch.no_grad(), pytest.raises(ShapeError, match="wants stream 0 as"):
        TracedStepper(cell)(x, state, torch.randn(5, 1))


def test_wrong_zoneout_no_steps_and_a_symbol_that_there_is_not_are_errors():
    made, x, state = case(LayerNormLSTM)
    stepper = TracedStepper(made)
    with torch.no_grad():
        with pytest.raises(ShapeError, match="wants zoneout as"):
            stepper(x[0], state, zoneout=states.map_state(lambda leaf: leaf[:1], state))
        for one in (stepper, ReferenceStepper(made)):
            with pytest.raises(ShapeError, match="T at least 1"):
                one.run(x[:0], state)
        for symbol in (-1, 6):
            with pytest.raises(IndexError, match="out of range"):
                stepper(torch.tensor([symbol, 0]), state)
        assert stepper(x[0, :0], states.map_state(lambda leaf: leaf[:0], state)).output.shape == (0, 20)


def test_the_order_in_memory_and_autocast_change_nothing():
    made, x, state = case(LayerNormLSTM, 20, 3)
    right = stepped(TracedStepper(made), x, state)[0]
    turned = states.map_state(lambda leaf: leaf.mT.contiguous().mT, state)
    made.U.data, made.W.data = (w.data.mT.contiguous().mT for w in (made.U, made.W))
    stepper = TracedStepper(made)
    assert torch.equal(stepped(stepper, x.movedim(2, 0).contiguous().movedim(0, 2), turned)[0], right)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(stepped(stepper, x.bfloat16(), state)[0], stepped(stepper, x.bfloat16().float(), state)[0])


def test_denormals_of_the_caller_stay_as_they_are():
    stepped(TracedStepper(case(LayerNormLSTM)[0]), *case(LayerNormLSTM)[1:])
    assert (torch.tensor([1e-40]) * 1).item() != 0  # still computed with


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda: URNN(3, 4), "URNN is no program: its step has a state of torch.complex64"),
        (lambda: ConvLSTM(3, 4), "ConvLSTM reads pictures"),
        (lambda: LayerNormLSTM(3, 4).bfloat16(), "float32 or float64, and these weights are torch.bfloat16"),
        (lambda: LayerNormLSTM(3, 4).to("meta"), "runs on the CPU, and this LayerNormLSTM is elsewhere"),
    ],
)
def test_what_is_no_program_is_refused_in_words_and_stepped_by_the_reference(made, words):
    cell = made()
    (reason,) = traced_stream.refuses(cell)
    assert words in reason
    with pytest.raises(KernelError, match="this cannot be streamed: "):
        TracedStepper(cell)
    assert isinstance(choose.stepper(cell), ReferenceStepper)


def test_a_core_from_older_source_says_what_to_do(monkeypatch):
    monkeypatch.setattr(native_core, "core", object)
    assert traced_stream.refuses(LayerNormLSTM(3, 4)) == [
        "the native core was built from older source: scripts/setup builds it anew"
    ]


def test_a_cell_must_be_a_program_for_symbols_too():
    class Odd(GRU):
        def project(self, x, weights, condition=None):
            u = super().project(x, weights)
            return u if x.is_floating_point() else u.to(torch.float16)

    assert traced_stream.refuses(Odd(3, 4)) == [
        "Odd is no program: its step computes in torch.float16, where its weights are torch.float32"
    ]


def test_nothing_is_traced_or_packed_once_it_runs(monkeypatch):
    cell = FirstStepConditionedElman(3, 4)
    stepper, x, v = TracedStepper(cell), torch.randn(4, 2, 3), torch.randn(2, 1)
    state = cell.initial_state((2,), x.device, x.dtype)
    with torch.no_grad():
        _, state, _ = stepper(x[0], state, v)
        monkeypatch.setattr(traced_plan, "_traced", None)
        monkeypatch.setattr(native_core, "core", None)
        for x_t in x[1:]:
            _, state, _ = stepper(x_t, state, v)
    assert state.first.dtype == torch.bool and not state.first.any()
