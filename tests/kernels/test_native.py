"""The native kernel beyond its contract: sizes, extremes, wrong input, torch's own checks, threads, forks."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from unrolled import states
from unrolled.cells.elman import Elman, ElmanReLU, ElmanSigmoid
from unrolled.cells.gru import GRU
from unrolled.cells.leaky import GatedLeaky, Leaky, LearntLeaky
from unrolled.cells.lstm import LSTM
from unrolled.cells.lstm_variations import CoupledLSTM, NoForgetLSTM, PeepholeLSTM, ProjectedLSTM
from unrolled.cells.small import IndRNN
from unrolled.cells.xlstm import SLSTM
from unrolled.contracts.kernel import check_case, check_extremes
from unrolled.contracts.subject import Subject, distance
from unrolled.errors import KernelError, ShapeError
from unrolled.kernels import native_core, native_operators, native_products
from unrolled.kernels.kernel import DIRECTIONS, Pass
from unrolled.kernels.native import Native
from unrolled.layers.recurrent import Recurrent

pytestmark = pytest.mark.skipif(not native_core.is_built(), reason="no C++ compiler built the native core")

CELLS = (
    *(Elman, ElmanReLU, ElmanSigmoid, LSTM, GRU, PeepholeLSTM, CoupledLSTM, NoForgetLSTM),
    *(Leaky, LearntLeaky, GatedLeaky, IndRNN, SLSTM),
)
SIZES = (1, 7, 16, 65, 100, 128, 200, 256)
ROWS = (1, 3, 16)
TYPES = (torch.float64, torch.float32, torch.bfloat16)
STEPS = 6


def case(cell, hidden_size, rows, dtype, direction, ragged, seed=1):
    """A pass from a state that is not zero; ragged rows have any length from 0 to all."""
    subject = Subject(cell, input_size=5, hidden_size=hidden_size, seed=seed)
    made = subject.cell(torch.float32 if dtype == torch.bfloat16 else dtype)
    lengths = torch.arange(rows) * 5 % (STEPS + 1) if ragged else None
    return replace(subject.sequence(made, STEPS, rows), lengths=lengths, direction=direction)


MATRIX = list(itertools.product(CELLS, SIZES, ROWS, TYPES, DIRECTIONS, (False, True)))


def pairwise(cases):
    """Some of the cases, in which every two values that occur together in one do."""
    seen, sample = set(), []
    for one in sorted(cases, key=lambda one: str(one)[::-1]):
        pairs = set(itertools.combinations(enumerate(map(str, one)), 2))
        if pairs - seen:
            seen |= pairs
            sample.append(one)
    return sample


def agrees(cell, hidden_size, rows, dtype, direction, ragged):
    # In bfloat16 the gradient of a ReLU, or of sLSTM's maximum, depends on whether rounding carried a unit across its
    # kink, so it is not compared. Nor is that of a single unit, one number, of which a sum whose terms cancel leaves
    # few digits to any kernel.
    if dtype == torch.bfloat16 and (cell in (ElmanReLU, IndRNN, SLSTM) or hidden_size == 1):
        return
    assert check_case(Native(), case(cell, hidden_size, rows, dtype, direction, ragged), (), dtype)


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


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_projection_that_waits_agrees_with_the_reference(dtype, direction):
    for hidden_size, rows, ragged in ((7, 3, True), (65, 1, False), (16, 16, True)):
        agrees(ProjectedLSTM, hidden_size, rows, dtype, direction, ragged)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("rows", [1, 9])
def test_two_threads_agree_with_the_reference(cell, rows):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        for hidden_size, ragged, direction in ((200, True, "backward"), (200, False, "forward"), (17, True, "forward")):
            assert check_case(
                Native(), case(cell, hidden_size, rows, torch.float64, direction, ragged), (), torch.float64
            )
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("cell", CELLS)
def test_saturated_and_denormal_input_loses_no_more_than_with_the_reference(cell):
    single, double = (case(cell, 20, 3, dtype, "forward", False) for dtype in (torch.float32, torch.float64))
    check_extremes(Native(), single, double)


def test_nan_in_one_row_stays_in_it():
    one = case(LSTM, 20, 3, torch.float32, "forward", False)
    x = one.x.clone()
    x[2, 1] = float("nan")
    output = Native().run([replace(one, x=x)])[0].output
    assert output[2:, 1].isnan().all()
    assert torch.equal(output[:, [0, 2]], Native().run([one])[0].output[:, [0, 2]])


def arguments(cell, hidden_size=5, dtype=torch.float64, ragged=False, requires_grad=False, T=3, B=2, masked=True):
    """What the operator takes: u, no U and no b, W, extra, mask, start, lengths, cell, reverse, keep."""
    known = native_core.cells()[cell]
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=dtype).requires_grad_(requires_grad)

    gates = known.gates * hidden_size
    u, W, start = draw(T, B, gates), draw(gates * known.product, hidden_size), draw(known.states, B, hidden_size)
    extra = draw(known.extra, hidden_size) if known.extra else None
    mask = draw(B, hidden_size).detach() if known.product and masked else None
    lengths = torch.tensor([T, 1]) if ragged else None
    return [u, None, None, W, extra, mask, start, lengths, known.number, False, True]


def before_projection(cell, features=4, **asked):
    """The same, but x, U and b in the place of u."""
    u, _, _, *rest = arguments(cell, **asked)
    generator = torch.Generator().manual_seed(1)
    shapes = (*u.shape[:2], features), (u.shape[2], features), (u.shape[2],)
    drawn = [torch.randn(shape, generator=generator, dtype=u.dtype) for shape in shapes]
    return [*(one.requires_grad_(u.requires_grad) for one in drawn), *rest]


NAMES = (
    *("elman-tanh", "elman-relu", "elman-sigmoid", "lstm", "gru", "peephole-lstm", "coupled-lstm", "no-forget-lstm"),
    *("leaky", "gated-leaky", "indrnn", "slstm"),
)


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("cell", NAMES)
def test_gradients_are_those_of_finite_differences(cell, reverse, ragged):
    u, _, _, W, extra, mask, start, lengths, number, _, keep = arguments(cell, ragged=ragged, requires_grad=True)
    if cell == "slstm":  # a normaliser is never below 0, nor near it
        start = start.detach().exp().requires_grad_()

    def run(u, W, start, extra=None):
        return torch.ops.unrolled.recurrence(u, None, None, W, extra, mask, start, lengths, number, reverse, keep)[:2]

    assert torch.autograd.gradcheck(run, (u, W, start) if extra is None else (u, W, start, extra))


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("cell", ["elman-tanh", "gru"])
def test_its_own_projection_has_the_numbers_and_the_gradients_of_one_before(cell, biased):
    x, U, b, W, extra, mask, start, *rest = before_projection(cell, ragged=True, requires_grad=True)
    b = b if biased else None
    inputs = [one for one in (x, U, b, W, extra, start) if one is not None]
    results = []
    for came_in in ([x, U, b], [native_products.projection(x, U, b), None, None]):
        output, last, _, _ = native_operators.recurrence(*came_in, W, extra, mask, start, *rest)
        total = (output.sin() * torch.arange(1.0, 1 + output.numel()).view_as(output)).sum() + last.exp().sum()
        results.append([output, last, *torch.autograd.grad(total, inputs)])
    for own, one_before in zip(*results, strict=True):
        assert torch.equal(own, one_before)

    def run(x, U, *b):
        return native_operators.recurrence(x, U, b[0] if b else None, W, extra, mask, start, *rest)[:2]

    assert torch.autograd.gradcheck(run, inputs[: 3 if biased else 2])


@pytest.mark.parametrize(
    ("place", "wrong", "words"),
    [
        (0, lambda x: x[0], "wants x as"),
        (0, lambda x: x[:0], "T at least 1"),
        (0, lambda x: x[..., 1:], "the second matrix as"),
        (1, lambda U: U[1:], "wants the bias as"),
        (1, lambda U: U.float(), "the second matrix as .*float64"),
        (1, lambda U: U.flatten(), "multiplies two matrices"),
        (2, lambda b: b[1:], "the bias as"),
    ],
)
def test_a_wrong_projection_is_an_error_and_no_crash(place, wrong, words):
    given = before_projection("gru")
    given[place] = wrong(given[place])
    with pytest.raises(ShapeError, match=words):
        torch.ops.unrolled.recurrence(*given)
    given[:3] = before_projection("gru")[0], before_projection("gru")[1][1:], None
    with pytest.raises(ShapeError, match="wants u as"):
        torch.ops.unrolled.recurrence(*given)


@pytest.mark.parametrize(("cell", "ragged", "made"), [("lstm", False, arguments), ("gru", True, before_projection)])
def test_torch_finds_nothing_wrong_with_the_operator(cell, ragged, made):
    checked = torch.library.opcheck(torch.ops.unrolled.recurrence, tuple(made(cell, ragged=ragged, requires_grad=True)))
    assert set(checked.values()) == {"SUCCESS"}


def test_there_is_no_second_derivative_and_that_is_said():
    for given in (arguments("gru", requires_grad=True), before_projection("gru", requires_grad=True)):
        for of in (one for one in given[:4] if one is not None):
            output, *_ = torch.ops.unrolled.recurrence(*given)
            (d,) = torch.autograd.grad(output.square().sum(), of, create_graph=True)
            with pytest.raises(KernelError, match="no second derivative; kernel='reference' has"):
                d.square().sum().backward()


@pytest.mark.parametrize(
    ("place", "wrong", "words"),
    [
        (0, lambda u: u[0], "wants u as"),
        (0, lambda u: u[:0], "T at least 1"),
        (0, lambda u: u[..., 1:], "wants u as"),
        (0, lambda u: u.half(), "float16 came"),
        (0, lambda u: u.float(), "wants W as .*float32"),
        (3, lambda W: W[1:], "wants W as"),
        (3, lambda W: W[:, 1:], "wants"),
        (3, lambda W: W.flatten(), "wants W as"),
        (3, lambda W: W[:, :0], "wants W as"),
        (4, lambda extra: extra[:, 1:], "own weights"),
        (4, lambda extra: None, "own weights.*none came"),
        (5, lambda mask: mask[:, 1:], "wants the mask as"),
        (6, lambda start: start[:, :1], "wants the state as"),
        (6, lambda start: start[0], "wants the state as"),
        (6, lambda start: start.float(), "wants the state as"),
        (7, lambda lengths: lengths[:1], "wants lengths as"),
        (7, lambda lengths: lengths.int(), "wants lengths as"),
        (8, lambda cell: 99, "numbers 0 to"),
        (8, lambda cell: -1, "numbers 0 to"),
    ],
)
def test_wrong_input_is_an_error_and_no_crash(place, wrong, words):
    given = arguments("gru", ragged=True)
    given[place] = wrong(given[place])
    with pytest.raises(ShapeError, match=words):
        torch.ops.unrolled.recurrence(*given)


@pytest.mark.parametrize("lengths", [[-1, 2], [2, 4]])
def test_lengths_out_of_range_are_an_error_and_no_crash(lengths):
    given = arguments("gru")
    given[7] = torch.tensor(lengths)
    with pytest.raises(ValueError, match="lengths must be from 0 to T = 3"):
        torch.ops.unrolled.recurrence(*given)


@pytest.mark.parametrize("place", range(10))
def test_wrong_input_to_the_backward_pass_is_an_error_and_no_crash(place):
    u, _, _, *weights, number, reverse, _ = arguments("gru", ragged=True)
    output, last, saved, every = torch.ops.unrolled.recurrence(u, None, None, *weights, number, reverse, True)
    given = [output, last, *weights, output, saved, every]
    given[place] = given[place][..., :1] if place != 6 else given[place][:1]
    if place == 9:
        given[place] = torch.zeros(1, 1, 1, 1)
    with pytest.raises(ShapeError, match="the native core wants"):
        torch.ops.unrolled.recurrence_backward(*given, number, reverse)
    without = torch.ops.unrolled.recurrence(u, None, None, *weights, number, reverse, False)
    with pytest.raises(ShapeError, match="keep"):
        torch.ops.unrolled.recurrence_backward(output, last, *weights, output, *without[2:], number, reverse)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_products_are_those_of_torch(dtype, threads):
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for M, N, K in ((0, 3, 2), (1, 1, 1), (5, 7, 3), (13, 33, 300), (40, 100, 257), (300, 1100, 70)):
            for a_transposed, b_transposed, biased in itertools.product((False, True), repeat=3):
                a, b, bias = draw(K, M + 3)[:, :M], draw(N, K), draw(N) if biased else None
                a, b = a if a_transposed else a.mT.contiguous(), b if b_transposed else b.mT
                ours = torch.ops.unrolled.product(a, b, a_transposed, b_transposed, bias)
                theirs = (a.mT if a_transposed else a).double() @ (b.mT if b_transposed else b).double()
                assert distance(ours, theirs if bias is None else theirs + bias.double()) < 8 * torch.finfo(dtype).eps
    finally:
        torch.set_num_threads(before)


def test_the_peak_counts_what_every_thread_multiplies_in_every_round():
    peak = native_core.core().peak
    one = peak(0, 10, 1)
    assert one > 0 and peak(0, 30, 1) == 3 * one and peak(0, 10, 2) == 2 * one
    assert peak(1, 10, 1) == one / 2  # half as many numbers fit a register
    assert peak(2, 10, 1) in (one, 2 * one)  # where an instruction multiplies two bfloat16 numbers at a time
    for wrong in ((3, 1, 1), (0, 0, 1), (0, 1, 0)):
        with pytest.raises(ValueError, match="no such type of number"):
            peak(*wrong)


def test_projections_have_the_gradients_of_finite_differences():
    x, U, b = (torch.randn(*shape, dtype=torch.float64, requires_grad=True) for shape in ((3, 2, 5), (4, 5), (4,)))
    assert torch.autograd.gradcheck(torch.ops.unrolled.projection, (x, U, b))
    checked = torch.library.opcheck(torch.ops.unrolled.projection, (x, U, b))
    assert set(checked.values()) == {"SUCCESS"}


@pytest.mark.parametrize(
    ("a", "b", "bias", "words"),
    [
        (torch.ones(2), torch.ones(2, 2), None, "multiplies two matrices"),
        (torch.ones(2, 2).half(), torch.ones(2, 2).half(), None, "float16"),
        (torch.ones(2, 2), torch.ones(3, 2), None, "the second matrix as \\(2, 2\\)"),
        (torch.ones(2, 2), torch.ones(2, 2).double(), None, "the second matrix"),
        (torch.ones(2, 2), torch.ones(2, 2), torch.ones(3), "the bias as"),
    ],
)
def test_wrong_input_to_a_product_is_an_error_and_no_crash(a, b, bias, words):
    with pytest.raises(ShapeError, match=words):
        torch.ops.unrolled.product(a, b, False, False, bias)


def test_the_order_in_memory_changes_nothing():
    given = arguments("gru", ragged=True)
    turned = [a.mT.contiguous().mT if isinstance(a, torch.Tensor) and a.dim() > 1 else a for a in given]
    assert not turned[0].is_contiguous()
    pairs = zip(torch.ops.unrolled.recurrence(*given), torch.ops.unrolled.recurrence(*turned), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_a_batch_of_no_rows_is_served():
    given = arguments("gru", B=0)
    assert torch.ops.unrolled.recurrence(*given)[0].shape == (3, 0, 5)


def test_a_compiled_model_that_uses_it_gives_what_it_gives_plainly():
    torch.manual_seed(0)
    given = arguments("gru", dtype=torch.float32)

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.W = nn.Parameter(given[3])

        def forward(self, u):
            output, last, _, _ = torch.ops.unrolled.recurrence(u.sin(), None, None, self.W, *given[4:])
            return (output * 2).sum() + last.sum()

    model = Model()
    results = []
    for run in (model, torch.compile(model, fullgraph=True, backend="aot_eager")):
        u = given[0].clone().requires_grad_()
        total = run(u)
        results.append((total, *torch.autograd.grad(total, (u, model.W))))
    for plain, compiled in zip(*results, strict=True):
        assert torch.allclose(plain, compiled)


def test_denormals_of_the_caller_stay_as_they_are():
    tiny = torch.tensor([1e-40])
    Native().run([case(LSTM, 20, 3, torch.float32, "forward", False)])
    assert (tiny * 1).item() != 0  # still computed with
    assert torch.set_flush_denormal(True)
    try:
        Native().run([case(LSTM, 20, 3, torch.float32, "forward", False)])
        assert (tiny * 1).item() == 0
    finally:
        torch.set_flush_denormal(False)


def test_other_threads_of_python_go_on_meanwhile():
    given = arguments("lstm", 256, torch.float32, T=2000, B=2)
    ticks = []
    stop = threading.Event()

    def tick():
        while not stop.wait(0.001):
            ticks.append(time.perf_counter())

    thread = threading.Thread(target=tick)
    thread.start()
    try:
        began = time.perf_counter()
        torch.ops.unrolled.recurrence(*given)
        ended = time.perf_counter()
    finally:
        stop.set()
        thread.join()
    assert sum(began < tick < ended for tick in ticks) >= 3


def test_the_page_shows_a_struct_as_it_is():
    root = Path(__file__).parents[2]
    (shown,) = re.findall(r"```cpp\n(.*?)```", (root / "docs/native.md").read_text(encoding="utf-8"), re.DOTALL)
    assert shown in (root / "csrc/isa/cells/gru.h").read_text(encoding="utf-8")


FORKS = """
import os, torch
torch.set_num_threads(2)
from unrolled.kernels import native, native_core
known = native_core.cells()["lstm"]
def run():
    torch.manual_seed(0)
    u, W, start = torch.randn(5, 9, 160), torch.randn(160, 40), torch.randn(2, 9, 40)
    given = u, None, None, W, None, None, start, None, known.number, False, False
    return torch.ops.unrolled.recurrence(*given)[0].sum().item()
before = run()
child = os.fork()
if child == 0:
    os._exit(0 if run() == before else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def other_process(code, **environment):
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False, capture_output=True, text=True, timeout=120, env={**os.environ, **environment},
    )  # fmt: skip
    return done.returncode, done.stdout.strip(), done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_after_use_uses_it_too():
    assert other_process(FORKS)[:2] == (0, "0")


OTHER_SETS = """
from unrolled.cells.elman import Elman
from unrolled.cells.gru import GRU
from unrolled.cells.layer_norm_lstm import LayerNormLSTM
from unrolled.cells.lstm import LSTM
from unrolled.contracts.kernel import check_kernel
from unrolled.contracts.subject import Subject, distance
from unrolled.kernels import native_core
from unrolled.kernels.native import Native
from unrolled.kernels.reference import Reference
from unrolled.kernels.traced import Traced
served = check_kernel(Native(), [Subject(cell, hidden_size=H, seed=2) for cell in (GRU, LSTM) for H in (7, 20)])
served += check_kernel(Traced(), [Subject(LayerNormLSTM, hidden_size=20, seed=2)])
print(native_core.instruction_set(), served)
"""


@pytest.mark.parametrize("name", ["baseline", "avx2", "avx512"])
def test_the_other_instruction_sets_agree_with_the_reference(name):
    code, printed, said = other_process(OTHER_SETS, UNROLLED_ISA=name)
    if f"UNROLLED_ISA is '{name}'; this machine has: " in said:
        pytest.skip(f"this CPU has no {name}")
    assert (code, printed) == (0, f"{name} {2 * 2 * 3 * 19 + 3 * 20}"), said


def test_an_instruction_set_that_there_is_not_is_told_with_those_that_there_are():
    code, _, said = other_process(OTHER_SETS, UNROLLED_ISA="avx3")
    assert code == 1
    assert "the environment variable UNROLLED_ISA is 'avx3'; this machine has: " in said


def test_what_it_does_not_serve_it_refuses_in_words():
    one = case(LSTM, 4, 3, torch.float32, "forward", False)
    kept = states.map_state(lambda leaf: leaf.expand(STEPS, *leaf.shape), one.state)
    with pytest.raises(KernelError, match="knows no zoneout"):
        Native().run([replace(one, zoneout=kept)])
    one = case(IndRNN, 4, 3, torch.float32, "forward", False)
    with pytest.raises(KernelError, match="makes no product for IndRNN, and so has none to mask"):
        Native().run([replace(one, mask=one.state)])


def test_it_has_no_struct_for_a_subclass_and_no_room_for_half_precision():
    class Mine(GRU):
        pass

    x = torch.randn(2, 1, 3)
    (reason,) = Native().refuses([Pass(Mine(3, 4), x, Mine(3, 4).initial_state((1,), x.device, x.dtype))])
    assert reason == (
        "the native core has no struct for Mine (it has: CoupledLSTM, Elman, ElmanReLU, ElmanSigmoid, GRU, GatedLeaky, "
        "IRNN, IndRNN, LSTM, Leaky, LearntLeaky, NoForgetLSTM, PeepholeLSTM, ProjectedLSTM, SLSTM)"
    )
    cell = GRU(3, 4).bfloat16()
    (reason,) = Native().refuses([Pass(cell, x.bfloat16(), cell.initial_state((1,), x.device, torch.bfloat16))])
    assert "weights of float32 or float64" in reason
    with torch.autocast("cpu", torch.float16):
        assert "bfloat16 as the one type" in Native().refuses([case(GRU, 4, 3, torch.float32, "forward", False)])[0]


def test_a_stack_that_names_it_learns_as_with_the_reference():
    results = []
    for kernel in ("native", "reference"):
        torch.manual_seed(0)
        stack = Recurrent(LSTM, 3, [5, 4], two_directions=True, weight_drop=0.3, kernel=kernel).double()
        output, _ = stack(torch.randn(4, 3, 3, dtype=torch.float64), lengths=torch.tensor([4, 2, 0]))
        output.square().sum().backward()
        results.append([output, *(parameter.grad for parameter in stack.parameters())])
    for ours, theirs in zip(*results, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-12)
