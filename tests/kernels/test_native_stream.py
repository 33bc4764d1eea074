"""The native core's steppers: every precision, size and number of rows against the reference, extremes, wrong input."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest
import torch
from test_native import other_process, pairwise

import unrolled
from unrolled import states
from unrolled.cells.elman import Elman, ElmanReLU, ElmanSigmoid
from unrolled.cells.gru import GRU
from unrolled.cells.lstm import LSTM
from unrolled.cells.lstm_variations import PeepholeLSTM, ProjectedLSTM
from unrolled.contracts.subject import Subject, distance
from unrolled.errors import KernelError, OptionError, ShapeError
from unrolled.kernels import choose, native_core, native_stream, traced_stream
from unrolled.kernels.native_stream import TOLERANCE, NativeStepper
from unrolled.kernels.reference import ReferenceStepper
from unrolled.kernels.traced_stream import TracedStepper
from unrolled.layers.precision import step_with
from unrolled.layers.recurrent import Recurrent
from unrolled.models.language_model import LanguageModel

pytestmark = pytest.mark.skipif(not native_core.is_built(), reason="no C++ compiler built the native core")

CELLS = (Elman, ElmanReLU, ElmanSigmoid, LSTM, GRU)
SIZES = (1, 7, 16, 65, 100, 128, 200, 256)
ROWS = (1, 3, 16)
PRECISIONS = ("float32", "bfloat16", "int8")
#: One step; some; more than are taken in at once.
STEPS = (1, 5, 60)
MATRIX = list(itertools.product(CELLS, SIZES, ROWS, PRECISIONS, STEPS, (False, True)))


def case(cell, hidden_size=20, rows=2, steps=5, symbols=False, seed=1):
    """A cell of float32, its input, and a state that is not zero."""
    one = Subject(cell, input_size=6, hidden_size=hidden_size, seed=seed)
    made = one.cell(torch.float32)
    given = one.sequence(made, steps, rows)
    x = torch.arange(steps * rows).reshape(steps, rows) * 5 % 6 if symbols else given.x
    return made, x, given.state


def test_a_step_gives_no_gates_and_its_output_is_the_state_itself():
    made, x, state = case(LSTM)
    with torch.no_grad():
        output, after, gates = NativeStepper(made)(x[0], state)
    assert output is after.hidden
    assert gates == {}


def apart(ours, theirs):
    """The greatest distance of the outputs and of the leaves of the state."""
    (h, after), (h_too, after_too) = ours, theirs
    pairs = [(h, h_too), *((leaf, other) for leaf, other in zip(after, after_too, strict=True))]
    return max(distance(one, other) for one, other in pairs)


def agrees(cell, hidden_size, rows, precision, steps, symbols):
    """Each step is the reference's from the same state: what a chaotic cell makes of rounding is its own affair."""
    made, x, state = case(cell, hidden_size, rows, steps, symbols)
    stepper, reference = NativeStepper(made, precision), ReferenceStepper(made)
    ours, theirs = [], []
    with torch.no_grad():
        whole, last = stepper.run(x, state)
        for x_t in x:
            expected = reference(x_t, state)
            output, state, _ = stepper(x_t, state)
            ours.append((output, *state))
            theirs.append((expected.output, *expected.state))
    assert torch.equal(whole, torch.stack([output for output, *_ in ours]))
    assert all(torch.equal(*pair) for pair in zip(state, last, strict=True))
    for found, exact in zip(zip(*ours, strict=True), zip(*theirs, strict=True), strict=True):
        assert distance(torch.stack(found), torch.stack(exact)) < TOLERANCE[precision]


def test_a_sample_of_the_matrix_agrees_with_the_reference():
    sample = pairwise(MATRIX)
    assert len(sample) < len(MATRIX) / 4
    for one in sample:
        agrees(*one)


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS)
def test_the_whole_matrix_agrees_with_the_reference(cell):
    for one in MATRIX:
        if one[0] is cell:
            agrees(*one)


@pytest.mark.parametrize(
    ("cell", "precision", "hidden_size"),
    [(Elman, "float32", 800), (LSTM, "float32", 400), (GRU, "bfloat16", 620), (LSTM, "int8", 760)],
)
def test_two_threads_agree_with_the_reference(monkeypatch, cell, precision, hidden_size):
    # Large enough that both take part; and several steps, at each of which they meet.
    monkeypatch.setattr(torch.nn.init, "orthogonal_", lambda W: torch.nn.init.normal_(W, std=0.03))  # quicker
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        agrees(cell, hidden_size, 1, precision, 4, False)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("cell", [ElmanReLU, LSTM, GRU])
def test_saturated_denormal_and_vanishing_input_agrees_with_the_reference(cell, precision):
    made, x, state = case(cell, 20, 3, 4)
    for scale in (0.0, 1e-42, 1e-30, 1e-6, 30.0):
        # The least numbers must not vanish beside others: state and biases go with them.
        small = states.map_state(lambda leaf, scale=scale: leaf * min(scale, 1), state)
        with torch.no_grad():
            found, expected = (
                NativeStepper(made, precision).run(x * scale, small),
                ReferenceStepper(made).run(x * scale, small),
            )
        assert apart(found, expected) < TOLERANCE[precision]


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("odd", [math.nan, math.inf])
def test_what_is_no_number_stays_in_its_row(odd, precision):
    made, x, state = case(LSTM, 20, 3, 4)
    spoilt = x.clone()
    spoilt[1, 1, 2] = odd
    with torch.no_grad():
        stepper = NativeStepper(made, precision)
        (plain, _), (output, _) = stepper.run(x, state), stepper.run(spoilt, state)
    assert torch.equal(output[:, [0, 2]], plain[:, [0, 2]])
    assert torch.equal(output[0], plain[0])
    if math.isnan(odd):
        assert output[1:, 1].isnan().all()


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_weight_that_is_no_number_is_not_hidden(precision):
    made, x, state = case(GRU, 20, 2, 2)
    with torch.no_grad():
        made.W[3, 5] = math.nan
        assert NativeStepper(made, precision).run(x, state)[0][:, :, 3].isnan().all()


def test_int8_weights_are_exact_where_each_row_holds_only_whole_shares_of_its_greatest():
    # Rows of −127 … 127 times a scale of their own, input and state likewise: then nothing is lost, by hand.
    torch.manual_seed(0)
    cell = Elman(30, 16)
    scales = torch.rand(16, 1) / 2000

    def whole(*shape):
        numbers = torch.randint(-126, 127, shape)
        numbers[..., 0] = 127
        return numbers

    with torch.no_grad():
        cell.U.copy_(whole(16, 30) * scales)
        cell.W.copy_(whole(16, 16) * scales)
        x, h = whole(2, 30) / 127, whole(2, 16) / 127
        found = NativeStepper(cell, "int8")(x, type(cell.initial_state((2,), x.device, x.dtype))(h)).output
        exact = torch.tanh(x.double() @ cell.U.double().T + h.double() @ cell.W.double().T)
    assert distance(found, exact) < 1e-6


def test_gradients_flow_through_the_reference():
    made, x, state = case(GRU)
    x.requires_grad_()
    stepper = NativeStepper(made, "int8")
    output = stepper(x[0], state).output
    (gradient,) = torch.autograd.grad(output.sum(), x)
    assert gradient[0].abs().sum() > 0
    reference = ReferenceStepper(made)(x[0], state)
    assert torch.equal(output, reference.output)
    assert torch.equal(stepper.run(x, state)[0], ReferenceStepper(made).run(x, state)[0])


def test_zoneouts_expectation_is_mixed_in():
    made, x, state = case(LSTM)
    kept = states.map_state(lambda leaf: torch.full_like(leaf, 0.25), state)
    with torch.no_grad():
        found = NativeStepper(made)(x[0], state, zoneout=kept)
        expected = ReferenceStepper(made)(x[0], state, zoneout=kept)
    assert apart(found[:2], expected[:2]) < 1e-6


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x, state: (x[:, :-1], state), "wants the input as"),
        (lambda x, state: (x[:1], state), "wants the input as"),
        (lambda x, state: (x.double(), state), "wants the input as .*float64"),
        (lambda x, state: (x, type(state)(state.hidden[:, 1:], state.cell)), "wants the state of LSTM"),
        (lambda x, state: (x, type(state)(state.hidden, state.cell.double())), "wants the state of LSTM"),
        (lambda x, state: (x, type(state)(state.hidden, state.cell[:1])), "wants the state of LSTM"),
        (lambda x, state: (torch.zeros(3, dtype=torch.int64), state), "wants symbols as"),
    ],
)
def test_wrong_input_is_an_error_and_no_crash(change, words):
    made, x, state = case(LSTM)
    with torch.no_grad(), pytest.raises(ShapeError, match=words):
        NativeStepper(made)(*change(x[0], state))


@pytest.mark.parametrize("symbol", [-1, 6])
def test_a_symbol_that_there_is_not_is_an_error_and_no_crash(symbol):
    made, _, state = case(LSTM)
    with torch.no_grad(), pytest.raises(ValueError, match=f"symbols must be from 0 to 5; {symbol} came"):
        NativeStepper(made)(torch.tensor([symbol, 0]), state)


def test_the_order_in_memory_changes_nothing():
    made, x, state = case(LSTM, 20, 3)
    turned = states.map_state(lambda leaf: leaf.mT.contiguous().mT, state)
    made.U.data, made.W.data = (w.data.mT.contiguous().mT for w in (made.U, made.W))
    with torch.no_grad():
        found = NativeStepper(made).run(x.movedim(2, 0).contiguous().movedim(0, 2), turned)
        assert apart(found, NativeStepper(case(LSTM, 20, 3)[0]).run(x, state)) == 0


def test_no_rows_and_no_steps():
    made, x, state = case(GRU)
    none = states.map_state(lambda leaf: leaf[:0], state)
    with torch.no_grad():
        assert NativeStepper(made)(x[0, :0], none).output.shape == (0, 20)
        with pytest.raises(ShapeError, match="T at least 1"):
            NativeStepper(made).run(x[:0], state)


def test_denormals_of_the_caller_stay_as_they_are():
    made, x, state = case(GRU)
    with torch.no_grad():
        NativeStepper(made).run(x, state)
    assert (torch.tensor([1e-40]) * 1).item() != 0  # still computed with


def test_what_cannot_be_streamed_is_stepped_as_a_program_or_refused_in_words():
    assert isinstance(choose.stepper(LSTM(3, 4)), NativeStepper)
    assert isinstance(choose.stepper(LSTM(3, 4).double()), TracedStepper)
    assert isinstance(choose.stepper(ProjectedLSTM(3, 4)), TracedStepper)  # whose sequences run as an LSTM's do

    class Mine(GRU):
        pass

    assert isinstance(choose.stepper(Mine(3, 4)), TracedStepper)
    with pytest.raises(KernelError, match=r"does not stream Mine \(it streams: Elman, .*\)"):
        choose.stepper(Mine(3, 4), "int8")
    with pytest.raises(KernelError, match=r"streams cells of float32, and this one is torch\.float64"):
        choose.stepper(LSTM(3, 4).double(), "bfloat16")


def test_a_core_from_older_source_says_what_to_do(monkeypatch):
    monkeypatch.setattr(native_core, "core", object)
    assert native_stream.refuses(LSTM(3, 4)) == [
        "the native core was built from older source: scripts/setup builds it anew"
    ]


def test_a_models_stacks_are_stepped_with_the_precision_asked_for():
    torch.manual_seed(0)
    model = LanguageModel(LSTM, 7, 5, [30, 20]).eval()
    token, state = torch.tensor([3, 1]), model.initial_state(2)
    with torch.no_grad():
        exact = model.advance(token, state)[0]
        step_with(model, "int8")
        rounded = model.advance(token, state)[0]
        step_with(model, "float32")
        again = model.advance(token, state)[0]
    assert torch.equal(exact, again)
    assert 1e-5 < distance(rounded, exact) < 0.05


def test_a_precision_that_a_model_cannot_have_is_the_users_to_change():
    with pytest.raises(
        OptionError, match=r"--precision int8: the native core does not stream \w+ .*Leave --precision out"
    ):
        step_with(Recurrent(PeepholeLSTM, 3, [4]), "int8")
    with pytest.raises(OptionError, match="no recurrent stack"):
        step_with(torch.nn.Linear(2, 2), "int8")
    with pytest.raises(OptionError, match="one of float32, bfloat16, int8; 'int4' came"):
        step_with(torch.nn.Linear(2, 2), "int4")


def test_the_same_text_as_the_references_and_hardly_another_loss(monkeypatch):
    """The bundled model: its text in float32, and in int8 its mean loss over Python that it may not have read."""
    run = unrolled.load("tiny")
    text = run.sample("def ", 300, seed=5)
    other = run.sample("def ", 300, seed=5, precision="int8")
    losses = {}
    symbols = torch.tensor(run.recipe.writing(run.assets).encode(SOURCE))
    for precision in PRECISIONS:
        step_with(run.model, precision)
        advance, state, total = run.model.stepper(), run.model.initial_state(1), 0.0
        with torch.no_grad():
            for now, following in itertools.pairwise(symbols):
                logits, state = advance(now[None], state)
                total -= float(torch.log_softmax(logits, -1)[0, following])
        losses[precision] = total / (len(symbols) - 1)
    assert losses["int8"] == pytest.approx(losses["float32"], abs=0.01)
    assert losses["bfloat16"] == pytest.approx(losses["float32"], abs=0.01)
    assert losses["int8"] != losses["float32"]
    for streams in (native_stream, traced_stream):
        monkeypatch.setattr(streams, "refuses", lambda cell: ["switched off"])
    assert run.sample("def ", 300, seed=5) == text
    assert len(other) == len(text)


SOURCE = '''
class Stack:
    """A last-in, first-out list."""

    def __init__(self, items=()):
        self.items = list(items)

    def push(self, item):
        self.items.append(item)

    def pop(self):
        if not self.items:
            raise IndexError("pop from an empty stack")
        return self.items.pop()

    def __len__(self):
        return len(self.items)
'''


OTHER_SETS = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_native_stream import MATRIX, agrees, pairwise
from unrolled.kernels import native_core
sample = pairwise(MATRIX)
for one in sample: agrees(*one)
print(native_core.instruction_set(), len(sample) > 50)
"""


@pytest.mark.parametrize("name", ["baseline", "avx2", "avx512"])
def test_the_other_instruction_sets_agree_with_the_reference(name):
    code, printed, said = other_process(OTHER_SETS, UNROLLED_ISA=name)
    if f"UNROLLED_ISA is '{name}'; this machine has: " in said:
        pytest.skip(f"this CPU has no {name}")
    assert (code, printed) == (0, f"{name} True"), said
