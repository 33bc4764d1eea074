"""The traced kernel beyond its contract: every operator, sizes, kinks, what it refuses, what it must not keep."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
import torch.nn.functional as F
from test_native import other_process, pairwise
from torch import Tensor, nn

from unrolled import states
from unrolled.cells.cell import Cell, LinearRecurrentCell, Step, project_input
from unrolled.cells.gru import GRU, ResetBeforeGRU
from unrolled.cells.layer_norm_lstm import LayerNormLSTM
from unrolled.cells.lstm import LSTM
from unrolled.cells.min_recurrences import MinGRU, MinLSTM
from unrolled.cells.selective import Selective
from unrolled.cells.small import MinimalGatedUnit
from unrolled.cells.time_skip import TimeSkip
from unrolled.contracts.kernel import check_case, check_extremes, check_rounding
from unrolled.contracts.subject import Subject
from unrolled.errors import KernelError
from unrolled.kernels import choose, native_call, native_core, traced_plan
from unrolled.kernels.kernel import DIRECTIONS, Pass
from unrolled.kernels.traced import Traced
from unrolled.layers.recurrent import Recurrent

pytestmark = pytest.mark.skipif(not native_core.is_built(), reason="no C++ compiler built the native core")

STEPS = 6


class Hidden(NamedTuple):
    hidden: Tensor  # (B, H)


class Bent(LinearRecurrentCell):
    """h = bend(U x + W h + b, h, a), whatever `bend` is: somebody's own cell. alpha: a plain number of its own."""

    def __init__(self, input_size, hidden_size, bend):
        super().__init__(input_size, hidden_size)
        self.U, self.W = (nn.Parameter(torch.randn(hidden_size, n) / n**0.5) for n in (input_size, hidden_size))
        self.b, self.a = (nn.Parameter(torch.randn(hidden_size) / 4) for _ in range(2))
        self.bend = bend

    def prepare(self):
        return None

    def project(self, x, weights, condition=None):
        return project_input(x, self.U, self.b)

    def initial_state(self, shape, device, dtype):
        return Hidden(torch.zeros(*shape, self.hidden_size, device=device, dtype=dtype))

    def recur(self, state, weights):
        return F.linear(state.hidden, self.W)

    def combine(self, u_t, r, state):
        h = self.bend(u_t + r, state.hidden, self.a)
        return Step(h, Hidden(h), {})


def case(make, hidden_size, rows, dtype=torch.float64, direction="forward", ragged=False, seed=1):
    """A pass from a state that is not zero; ragged rows have any length from 0 to all."""
    subject = Subject(make, input_size=5, hidden_size=hidden_size, seed=seed)
    made = subject.cell(torch.float32 if dtype == torch.bfloat16 else dtype)
    lengths = torch.arange(rows) * 5 % (STEPS + 1) if ragged else None
    return replace(subject.sequence(made, STEPS, rows), lengths=lengths, direction=direction)


BENDS = {
    "tanh": lambda z, h, a: z.tanh() + 0.1 * h,
    "gates": lambda z, h, a: z.sigmoid() * h + (1 - z.sigmoid()) * a,
    "relu": lambda z, h, a: F.relu(z) / 2,
    "leaky_relu": lambda z, h, a: F.leaky_relu(z, 0.2) / 2,
    "elu": lambda z, h, a: F.elu(z) / 2,
    "softplus": lambda z, h, a: F.softplus(z, 2.0) / 3,
    "a large softplus": lambda z, h, a: F.softplus(30 * z) / 90,
    "silu": lambda z, h, a: F.silu(z),
    "hardtanh": lambda z, h, a: F.hardtanh(z) / 2,
    "hardsigmoid": lambda z, h, a: F.hardsigmoid(2 * z),
    "clamp": lambda z, h, a: z.clamp(-0.5, 0.7) + z.clamp(max=0.2) / 3 - z.clamp(min=0) / 4,
    "logsigmoid": lambda z, h, a: F.logsigmoid(z) / 3,
    "exp": lambda z, h, a: torch.exp(-(z**2)) - torch.exp(z.clamp(max=1)) / 4,
    "log": lambda z, h, a: torch.log(1 + z * z) - (z.abs() + 0.1) ** 0.5,
    "sine": lambda z, h, a: torch.sin(z) * torch.cos(h),
    "modrelu": lambda z, h, a: torch.relu(z.abs() + a) * torch.sgn(z),
    "where": lambda z, h, a: torch.where(z > h, z.tanh(), 0.5 * h) + torch.where((h <= 0) & ~(z == 0), a, 0.3 * h),
    "maximum": lambda z, h, a: torch.maximum(z, h).tanh() - torch.minimum(z, a),
    "divide": lambda z, h, a: z / (1 + z.abs()) + 1 / (2 + h * h) - torch.rsqrt(1 + z.square()),
    "lerp": lambda z, h, a: torch.lerp(h, z.tanh(), torch.sigmoid(a)) + torch.addcmul(a, z, h, value=0.1).tanh(),
    "norm": lambda z, h, a: F.layer_norm(z, z.shape[1:], a) - z.mean(-1, keepdim=True),
    "competition": lambda z, h, a: z.exp().clamp(max=9) / z.exp().clamp(max=9).sum(1, keepdim=True),
    "halves": lambda z, h, a: torch.cat([z.sigmoid()[:, :1] * h[:, 1:], h[:, :1] * z[:, :1]], -1).tanh(),
    "roll": lambda z, h, a: torch.cat([torch.cat([z, h], 1)[:, 3 : 3 + z.shape[1]]], 1).tanh(),
    "straight through": lambda z, h, a: z.tanh() + (torch.sign(z) - z.tanh()).detach(),
    "constants": lambda z, h, a: z.tanh() * torch.ones_like(z) * 0.5 + torch.zeros(3, 1).sum() + h.new_zeros(h.shape),
}


@pytest.mark.parametrize("name", BENDS)
def test_every_operator_has_the_numbers_and_the_gradients_of_torch(name):
    # Torch's gradient of a hard sigmoid has but a float32 for 1/6, in float64 too.
    dtype = torch.float32 if name == "hardsigmoid" else torch.float64
    for hidden_size, ragged in ((5, True), (37, False)):
        one = case(lambda F, H: Bent(F, H, BENDS[name]), hidden_size, 3, dtype, ragged=ragged)
        # Zeros stand exactly at the kinks.
        still = replace(one, x=torch.zeros_like(one.x), state=states.map_state(torch.zeros_like, one.state))
        with torch.no_grad():
            still = replace(still, cell=case(lambda F, H: Bent(F, H, BENDS[name]), hidden_size, 3, dtype).cell)
            still.cell.b.zero_()
        for each in (one, still):
            assert check_case(Traced(), each, (), dtype)


def thirds(z: Tensor) -> Tensor:
    return z.view(len(z), 3, -1)


def in_four_axes(z: Tensor, h: Tensor) -> Tensor:
    """(B, 2, 3, n): sums over one of them, and over two, beside the whole."""
    z, h = (one.view(len(one), 2, 3, -1) for one in (z, h))
    return (z * h.sum(2, keepdim=True) / 4 - z.sum((1, 3), keepdim=True) / 9).tanh() / 2


def matrix_of_rows(z: Tensor, h: Tensor) -> Tensor:
    """A matrix of each row's own times another, and times a vector."""
    z, h = thirds(z), thirds(h)
    return (torch.bmm(torch.bmm(z, h.sigmoid().view(len(h), -1, 3)), h) + (z @ h[:, 0, :, None]).sin()) / h.shape[
        1:
    ].numel()


#: What stands along axes of a row's units, of which there are a multiple of 12.
AXES = {
    "sums": lambda z, h, a: (thirds(z).mean(-1, keepdim=True) * thirds(h).sum(1, keepdim=True)).tanh(),
    "weights": lambda z, h, a: (thirds(z) * a.view(3, -1)[:, :1] + a[: len(a) // 3]).tanh(),
    "outer product": lambda z, h, a: torch.cat([(z[:, :3, None] * h[:, None, : len(a) // 3]).flatten(1)], 1).tanh(),
    "slice of an outer product": lambda z, h, a: (z[:, :4, None] * h[:, None, : len(a) // 3])[:, 1:].tanh(),
    "what stands along": lambda z, h, a: torch.cat(
        [h[:, :3, None].expand(-1, 3, len(a) // 3).flatten(1)[:, 1 : 1 - len(a) // 3], z[:, : len(a) // 3]], 1
    ),
    "stretched twice": lambda z, h, a: (z[:, :2, None, None] * h[:, None, :3, None] * a[: len(a) // 6]).tanh(),
    "matrices": lambda z, h, a: matrix_of_rows(z, h),
    "four axes": lambda z, h, a: in_four_axes(z, h),
    "repeat": lambda z, h, a: z.view(len(z), -1, 2).mean(-1).repeat_interleave(2, -1).tanh(),
    "a product of what stands along": lambda z, h, a: (
        h[:, :3, None].expand(-1, 3, len(a) // 3).reshape(len(z), -1) @ torch.outer(a, a) / len(a)
    ),
}


@pytest.mark.parametrize("name", AXES)
def test_axes_of_units_have_the_numbers_and_the_gradients_of_torch(name):
    def bend(z, h, a):
        return AXES[name](z, h, a).flatten(1)

    for hidden_size, ragged in ((12, True), (60, False), (1200, False)):
        one = case(lambda F, H: Bent(F, H, bend), hidden_size, 3, ragged=ragged)
        assert check_case(Traced(), one, (), torch.float64)


CELLS = (
    lambda F, H: Bent(F, H, BENDS["gates"]),
    *(ResetBeforeGRU, LayerNormLSTM, MinimalGatedUnit, TimeSkip, GRU, LSTM, MinGRU, Selective),
)
SIZES = (2, 7, 16, 65, 128, 200)
MATRIX = list(itertools.product(CELLS, SIZES, (1, 3, 16), (torch.float64, torch.float32), DIRECTIONS, (False, True)))


def test_a_sample_of_sizes_agrees_with_the_reference():
    sample = pairwise(MATRIX)
    assert len(sample) < len(MATRIX) / 4
    for cell, size, rows, dtype, direction, ragged in sample:
        assert check_case(Traced(), case(cell, size, rows, dtype, direction, ragged), (), dtype)


@pytest.mark.slow
def test_all_sizes_agree_with_the_reference():
    """In float32 by way of float64: where numbers cancel, float32 has few digits to any kernel."""
    for cell, size, rows, dtype, direction, ragged in MATRIX:
        one = case(cell, size, rows, dtype, direction, ragged)
        if dtype == torch.float64:
            assert check_case(Traced(), one, (), dtype)
        elif (cell, size) != (LayerNormLSTM, 2):  # of two numbers, normalising leaves a sign: rounding decides the rest
            check_rounding(Traced(), one, case(cell, size, rows, torch.float64, direction, ragged))


OTHER_SETS = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import test_traced, test_traced_stream
from unrolled.kernels import native_core
test_traced.test_a_sample_of_sizes_agrees_with_the_reference()
test_traced_stream.test_a_sample_of_the_matrix_agrees_with_the_reference()
for name in test_traced.BENDS: test_traced.test_every_operator_has_the_numbers_and_the_gradients_of_torch(name)
for cell in test_traced.CELLS[:4]:
    test_traced.test_saturated_and_denormal_input_loses_no_more_than_with_the_reference(cell)
print(native_core.instruction_set())
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["baseline", "avx2", "avx512"])
def test_the_other_instruction_sets_agree_with_the_reference(name):
    code, printed, said = other_process(OTHER_SETS, UNROLLED_ISA=name)
    if f"UNROLLED_ISA is '{name}'; this machine has: " in said:
        pytest.skip(f"this CPU has no {name}")
    assert (code, printed) == (0, name), said


@pytest.mark.parametrize("cell", [LayerNormLSTM, ResetBeforeGRU])
def test_two_threads_agree_with_the_reference(cell):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        for rows, ragged in ((1, False), (9, True)):
            assert check_case(Traced(), case(cell, 33, rows, ragged=ragged), (), torch.float64)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("cell", [MinLSTM, Selective, lambda F, H: Bent(F, H, BENDS["tanh"])])
def test_one_row_on_two_threads_has_the_numbers_of_one(cell):
    """Where no unit needs another they share the units; else one of them has nothing to do."""
    one = case(cell, 300, 1)
    one = replace(one, x=torch.randn(130, 1, 5, dtype=torch.float64, requires_grad=True), lengths=torch.tensor([111]))
    results = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        trace = Traced().run([one])[0]
        of = [one.x, *one.cell.parameters()]
        results.append([trace.output, *torch.autograd.grad(trace.output.square().sum(), of, materialize_grads=True)])
    for alone, shared in zip(*results, strict=True):
        assert torch.allclose(alone, shared, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("cell", CELLS[:4])
def test_saturated_and_denormal_input_loses_no_more_than_with_the_reference(cell):
    single, double = (case(cell, 20, 3, dtype) for dtype in (torch.float32, torch.float64))
    check_extremes(Traced(), single, double)


def test_gradients_are_those_of_finite_differences():
    one = case(LayerNormLSTM, 3, 2, ragged=True)

    def run(x, hidden, cell, *weights):
        own = dict(zip((name for name, _ in one.cell.named_parameters()), weights, strict=True))
        vars(one.cell).update(own)  # as weight drop puts another tensor in the place of a parameter
        try:
            trace = Traced().run([replace(one, x=x, state=type(one.state)(hidden, cell))])[0]
        finally:
            for name in own:
                del vars(one.cell)[name]
        return trace.output, *trace.state

    given = [one.x, *one.state, *(weight.detach().clone() for weight in one.cell.parameters())]
    assert torch.autograd.gradcheck(run, [tensor.clone().requires_grad_() for tensor in given])


def test_nan_in_one_row_stays_in_it():
    for name in ("relu", "maximum", "clamp", "norm"):
        one = case(lambda F, H, name=name: Bent(F, H, BENDS[name]), 20, 3)
        x = one.x.clone()
        x[2, 1] = float("nan")
        output = Traced().run([replace(one, x=x)])[0].output
        assert output[2:, 1].isnan().all(), name
        assert torch.equal(output[:, [0, 2]], Traced().run([one])[0].output[:, [0, 2]])


def test_bool_zoneout_and_a_dropped_weight_are_those_of_the_reference():
    torch.manual_seed(0)
    one = case(LSTM, 8, 3, ragged=True)
    kept = states.map_state(lambda leaf: torch.rand(STEPS, *leaf.shape) < 0.3, one.state)
    assert check_case(Traced(), replace(one, zoneout=kept), (), torch.float64)
    results = []
    for kernel in ("traced", "reference"):
        torch.manual_seed(0)
        stack = Recurrent(GRU, 3, [5, 4], two_directions=True, weight_drop=0.3, zoneout=0.2, kernel=kernel).double()
        output, _ = stack(torch.randn(4, 3, 3, dtype=torch.float64), lengths=torch.tensor([4, 2, 0]))
        output.square().sum().backward()
        results.append([output, *(parameter.grad for parameter in stack.parameters())])
    for ours, theirs in zip(*results, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-12)


def test_recomputed_it_has_the_same_gradients():
    results = []
    for recompute in (False, True):
        torch.manual_seed(0)
        stack = Recurrent(ResetBeforeGRU, 3, [5], recompute=recompute, kernel="traced").double()
        output, _ = stack(torch.randn(20, 3, 3, dtype=torch.float64))
        results.append([output, *torch.autograd.grad(output.square().sum(), list(stack.parameters()))])
    for plain, again in zip(*results, strict=True):
        assert torch.allclose(plain, again, atol=1e-12)


def test_a_cell_nobody_knew_gets_it_and_zoneout_of_known_ones():
    one = case(CELLS[0], 8, 3)
    assert choose.choose([one]).NAME == "traced"
    assert choose.choose([replace(one, x=one.x[:3])]).NAME == "reference"
    assert "for so few steps" in choose.explain([replace(one, x=one.x[:3])])["traced"][0]
    one = case(LSTM, 8, 3)
    kept = states.map_state(lambda leaf: torch.rand(STEPS, *leaf.shape), one.state)
    assert choose.choose([replace(one, zoneout=kept)]).NAME == "traced"


# --- what must not be kept from one call to the next ---


def agrees(one: Pass) -> None:
    assert check_case(Traced(), one, (), torch.float64)


def test_what_is_changed_in_a_cell_changes_its_steps():
    one = case(lambda F, H: Bent(F, H, lambda z, h, a: z.tanh()), 4, 3)
    agrees(one)
    one.cell.bend = BENDS["sine"]
    agrees(one)
    with torch.no_grad():
        one.cell.a.add_(1)
        one.cell.W.mul_(0.5)
    agrees(one)
    one.cell.alpha = 0.5
    one.cell.bend = lambda z, h, a: one.cell.alpha * z
    agrees(one)
    one.cell.alpha = 0.25
    agrees(one)
    one.cell.alpha = {"all": [0.5, 0.1]}
    one.cell.bend = lambda z, h, a: one.cell.alpha["all"][1] * z
    agrees(one)
    one.cell.alpha["all"][1] = 0.2
    agrees(one)
    one.cell.bend = lambda z, h, a: z.tanh() if one.cell.training else z.sigmoid()
    agrees(one)
    one.cell.eval()
    agrees(one)


# --- what it refuses ---


def choose_by_weight(z, h, a):
    return z if a.sum() > 0 else h


def add_in_place(z, h, a):
    h.add_(z)
    return h


def read_as_list(z, h, a):
    return z * z.tolist()[0][0]


@pytest.mark.parametrize(
    ("bend", "words"),
    [
        (choose_by_weight, "looks at numbers to decide"),
        (add_in_place, "changes a tensor in place"),
        (read_as_list, "does another thing where numbers are others"),
        (lambda z, h, a: z + torch.randn_like(z), "draws random numbers"),
        (lambda z, h, a: F.dropout(z), "empty_like, of which the native core knows nothing"),
        (lambda z, h, a: z if z.sum() > 0 else h, "mixes rows"),
        (lambda z, h, a: z.softmax(-1), "_softmax, of which the native core knows nothing"),
        (lambda z, h, a: z.sort(-1).values, "sort, of which the native core knows nothing"),
        (lambda z, h, a: z - z.mean(0), "mixes rows"),
        (lambda z, h, a: z @ (h.T @ z), "mixes rows"),
        (lambda z, h, a: z.view(-1, 2, 2).transpose(1, 2).reshape(-1, 4), "takes units apart"),
        (lambda z, h, a: z.float().double(), "computes in torch.float32"),
        (lambda z, h, a: z**1.5, "takes powers other than"),
        (lambda z, h, a: torch.div(z, 0.3, rounding_mode="floor"), "divides with rounding"),
        (lambda z, h, a: z + ELSEWHERE, "neither its own nor given to it"),
        (lambda z, h, a: z / 3 if len(z) == 3 else 1 / 0, "could not be tried by itself (ZeroDivisionError"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_program_is_refused_in_words(bend, words):
    one = case(lambda F, H: Bent(F, H, bend), 4, 3)
    (reason,) = Traced().refuses([one])
    assert reason.startswith("Bent is no program: its step ")
    assert words in reason
    with pytest.raises(KernelError, match="kernel 'traced' cannot serve this"):
        Traced().run([one])


ELSEWHERE = torch.ones(4, dtype=torch.float64)


class Counting(Cell):
    """Its state is a whole number."""

    def prepare(self):
        return None

    def project(self, x, weights, condition=None):
        return x

    def initial_state(self, shape, device, dtype):
        return Hidden(torch.zeros(*shape, device=device, dtype=torch.int64))

    def step(self, u_t, state, weights):
        return Step(u_t * state.hidden[:, None], Hidden(state.hidden + 1), {})


def test_other_types_and_records_are_refused_in_words():
    (reason,) = Traced().refuses([case(Counting, 4, 3)])
    assert "has a state of torch.int64" in reason
    one = case(CELLS[0], 4, 3)
    assert "no record of every step (gates asked for)" in Traced().refuses([one], ["gates"])[0]
    half = case(CELLS[0], 4, 3, torch.float32)
    half.cell.bfloat16()
    half = Pass(half.cell, half.x.bfloat16(), states.map_state(lambda leaf: leaf.bfloat16(), half.state))
    assert "float32 or float64, and these weights are torch.bfloat16" in Traced().refuses([half])[0]


def test_a_graph_of_a_cell_that_was_changed_since_is_refused():
    one = case(CELLS[0], 4, 3)
    cell = one.cell
    cell.alpha = 0.5
    cell.bend = lambda z, h, a: cell.alpha * z.tanh()
    stack = Recurrent(lambda *sizes: cell, 5, [4], kernel="traced")
    compiled = torch.compile(stack, fullgraph=True, backend="eager")
    assert torch.allclose(compiled(one.x)[0], stack(one.x)[0])
    cell.alpha = 0.25
    with pytest.raises(KernelError, match="a setting of a compiled cell was changed"):
        compiled(one.x)
    torch.compiler.reset()
    assert torch.allclose(compiled(one.x)[0], stack(one.x)[0])


def test_torch_finds_nothing_wrong_with_the_operator_of_graphs():
    one = case(LayerNormLSTM, 4, 3, ragged=True)
    plan = traced_plan.plan_for(one.cell, traced_plan.form_of(one))
    prepared = one.cell.prepare()
    with torch.no_grad():
        vectors, matrices = plan.weights(traced_plan.weights_of(one.cell, prepared))
        native_call._compiled.append(plan.step.called(plan.step.keeping))
        given = (len(native_call._compiled) - 1, [one.cell.project(one.x, prepared)], [*one.state], vectors, matrices)
        checked = torch.library.opcheck(torch.ops.unrolled.program, (*given, one.lengths, True))
    assert set(checked.values()) == {"SUCCESS"}


def test_there_is_no_second_derivative_and_that_is_said():
    one = case(CELLS[0], 4, 3)
    x = one.x.clone().requires_grad_()
    (d_x,) = torch.autograd.grad(Traced().run([replace(one, x=x)])[0].output.square().sum(), x, create_graph=True)
    with pytest.raises(KernelError, match="no second derivative; kernel='reference' has"):
        d_x.square().sum().backward()
