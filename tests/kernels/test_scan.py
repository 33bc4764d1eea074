"""The scan, and mLSTM's chunks: chunk length changes nothing, gradients are right, and nothing overflows or divides."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck

from benchmarks.suites import scan as benchmark
from unrolled import states
from unrolled.cells.lru import LRU
from unrolled.cells.min_recurrences import MinGRU, MinLSTM
from unrolled.cells.selective import Selective
from unrolled.cells.xlstm import MLSTM
from unrolled.contracts.subject import Subject, agree
from unrolled.errors import KernelError
from unrolled.kernels.chunked import SHUT, Chunked, mlstm
from unrolled.kernels.kernel import DIRECTIONS, Pass
from unrolled.kernels.reference import Reference
from unrolled.kernels.scan import SHORT, WIDE, Scan, chunk_length, scan

CELLS = {
    "min-gru": (MinGRU, Scan),
    "min-lstm": (MinLSTM, Scan),
    "lru": (LRU, Scan),
    "selective": (partial(Selective, state_size=3), Scan),
    "mlstm": (partial(MLSTM, heads=2), Chunked),
}


def by_hand(a, b, start, backward):
    """In NumPy, one time after the other: every state, and the last."""
    every, h = [], start
    for t in reversed(range(len(a))) if backward else range(len(a)):
        h = a[t] * h + b[t]
        every.append(h)
    return np.stack(every[::-1] if backward else every), h


def coefficients(T, dtype, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(*shape, generator=generator, dtype=dtype) for shape in ((T, 2, 3), (T, 2, 3), (2, 3))]


def sequence(name, T, lengths=None, direction="forward"):
    subject = Subject(CELLS[name][0], hidden_size=4)
    cell = subject.cell()
    return replace(subject.sequence(cell, steps=T), lengths=lengths, direction=direction)


def numbers(kernel, one):
    """Output, final state, and the gradient of everything, for random cotangents."""
    x = one.x.clone().requires_grad_()
    start = states.map_state(lambda leaf: leaf.clone().requires_grad_(), one.state)
    (trace,) = kernel.run([replace(one, x=x, state=start)])
    given = [trace.output, *(leaf for _, leaf in states.leaves(trace.state))]
    generator = torch.Generator().manual_seed(4)
    cotangents = [torch.randn(value.shape, generator=generator, dtype=value.dtype) for value in given]
    wanted = [x, *(leaf for _, leaf in states.leaves(start)), *one.cell.parameters()]
    return (*given, *torch.autograd.grad(given, wanted, cotangents))


@settings(max_examples=60, deadline=None)
@given(
    T=st.integers(1, 40), chunk=st.integers(1, 45), backward=st.booleans(), seed=st.integers(0, 99), wide=st.booleans()
)
def test_every_chunk_length_gives_the_recurrence(T, chunk, backward, seed, wide):
    a, b, start = coefficients(T, torch.complex128 if wide else torch.float64, seed)
    a[seed % T] = 0  # a step that forgets everything
    expected = by_hand(a.numpy(), b.numpy(), start.numpy(), backward)
    for way in (chunk, None):
        for found, exact in zip(scan(a, b, start, backward, way), expected, strict=True):
            np.testing.assert_allclose(found.numpy(), exact, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("dtype", "backward", "chunk"), list(product((torch.float64, torch.complex128), (False, True), (1, 3)))
)
def test_first_and_second_gradients_equal_finite_differences(dtype, backward, chunk):
    inputs = tuple(x.requires_grad_() for x in coefficients(4, dtype))
    assert gradcheck(partial(scan, backward=backward, chunk=chunk), inputs)
    assert gradgradcheck(partial(scan, backward=backward, chunk=chunk), inputs)


@pytest.mark.parametrize("name", benchmark.WAYS)
def test_what_the_benchmark_compares_is_the_same_recurrence(name):
    a, b, _ = coefficients(37, torch.float64)
    a, b = a.sigmoid(), b.exp()
    expected, _ = by_hand(a.numpy(), b.numpy(), np.zeros((2, 3)), False)
    np.testing.assert_allclose(benchmark.WAYS[name](a, b).numpy(), expected, rtol=1e-10)


@pytest.mark.parametrize("backward", [False, True])
def test_a_constant_coefficient_may_be_expanded(backward):
    a, b, start = coefficients(9, torch.complex128)
    once = a[:1].clone().requires_grad_()
    written = once.expand(9, 2, 3).clone()
    results = []
    for coefficient in (once.expand(9, 2, 3), written):
        every, last = scan(coefficient, b, start, backward, 3)
        results.append((every, last, *torch.autograd.grad(every.abs().square().sum(), once, retain_graph=True)))
    agree(results[0], results[1], "an expanded coefficient", 1e-14)


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("chunk", [1, 37, None])
def test_4096_steps_stay_finite_where_products_of_coefficients_vanish_or_stand(backward, chunk):
    a, b, start = coefficients(4096, torch.float32, 3)
    a = a.sigmoid()
    a[:, 0, 0], a[:, 0, 1], a[:, 0, 2], a[:, 1, 0] = 0, 1, -1, 1e-30
    inputs = [x.requires_grad_() for x in (a, b, start)]
    every, last = scan(*inputs, backward, chunk)
    grads = torch.autograd.grad(every.sum(), inputs, retain_graph=True)
    assert all(value.isfinite().all() for value in (every, last, *grads))
    expected, _ = by_hand(*(x.detach().double().numpy() for x in inputs), backward)
    np.testing.assert_allclose(every.detach().numpy(), expected, rtol=1e-4, atol=2e-3)
    assert torch.equal(last, every[0 if backward else -1])


@pytest.mark.parametrize("chunk", [64, None])
def test_on_the_unit_circle_nothing_is_lost_in_4096_steps(chunk):
    T = 4096
    a = torch.polar(torch.ones(T, 3, dtype=torch.float64), torch.linspace(0, 9, 3 * T).reshape(T, 3).double())
    start = torch.ones(3, dtype=torch.complex128)
    every, _ = scan(a, torch.zeros_like(a), start, False, chunk)
    torch.testing.assert_close(every.abs(), torch.ones(T, 3, dtype=torch.float64))
    torch.testing.assert_close(every, torch.polar(torch.ones_like(a.real), a.angle().cumsum(0)))


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("name", CELLS)
def test_cells_in_chunks_equal_their_steps_gradients_too(name, direction):
    one = sequence(name, 11, torch.tensor([11, 0, 6]), direction)
    expected = numbers(Reference(), one)
    for chunk in (1, 2, 4, 11, 64):
        agree(numbers(CELLS[name][1](chunk), one), expected, f"chunks of {chunk}", 1e-11)
    agree(numbers(CELLS[name][1](), one), expected, "the kernel as it comes", 1e-11)


@pytest.mark.parametrize("name", CELLS)
def test_split_and_carried_equals_whole(name):
    one = sequence(name, 13)
    kernel = CELLS[name][1](3)
    (whole,) = kernel.run([one])
    (first,) = kernel.run([replace(one, x=one.x[:5])])
    (second,) = kernel.run([replace(one, x=one.x[5:], state=first.state)])
    agree(torch.cat([first.output, second.output]), whole.output, "output", 1e-12)
    agree(second.state, whole.state, "final state", 1e-12)


@pytest.mark.parametrize("name", CELLS)
def test_a_single_step_is_the_cell_s_step(name):
    one = sequence(name, 1)
    agree(numbers(CELLS[name][1](), one), numbers(Reference(), one), "one step", 1e-12)


@pytest.mark.parametrize("name", CELLS)
def test_4096_steps_in_float32_stay_finite_and_near_float64(name):
    torch.manual_seed(2)
    cell = CELLS[name][0](3, 4)
    x = 5 * torch.randn(4096, 2, 3)
    wide = CELLS[name][0](3, 4).double()
    wide.load_state_dict(cell.state_dict())
    answers = []
    for one in (cell, wide):
        dtype = next(one.parameters()).dtype
        state = one.initial_state((2,), torch.device("cpu"), dtype)
        (trace,) = CELLS[name][1]().run([Pass(one, x.to(dtype), state)])
        grads = torch.autograd.grad(trace.output.square().mean(), list(one.parameters()))
        assert trace.output.isfinite().all() and all(grad.isfinite().all() for grad in grads)
        answers.append(trace.output.detach().double())
    agree(answers[0], answers[1], "4096 steps", 1e-3)


def test_what_is_carried_away_does_not_hold_the_whole_sequence():
    one = sequence("min-gru", 9)
    (trace,) = Scan().run([one])
    assert trace.state.untyped_storage().nbytes() == trace.state.numel() * 8


@pytest.mark.parametrize("shut", ["input", "forget"])
def test_mlstm_with_a_gate_shut_for_good(shut):
    one = sequence("mlstm", 10)
    with torch.no_grad():
        u = one.cell.project(one.x, one.cell.prepare())
        u = u._replace(log_i=u.log_i - 1e5) if shut == "input" else u._replace(log_f=u.log_f - 1e5)
        outputs, state = [], one.state
        for t in range(10):
            output, state, _ = one.cell.step(type(u)(*(part[t] for part in u)), state, None)
            outputs.append(output)
        ours, final = mlstm(u, one.state, 4)
    agree(ours, torch.stack(outputs), f"the {shut} gate shut", 1e-9)
    agree(final, state, f"the {shut} gate shut", 1e-9)
    assert SHUT < -1e5


def test_the_length_of_a_chunk_follows_what_was_measured():
    assert chunk_length(4096, 256) == 36
    assert chunk_length(SHORT - 1, 1) == 1
    assert chunk_length(4096, WIDE) == 1


@pytest.mark.parametrize(
    ("kernel", "name", "changes", "words"),
    [
        (Scan(), "mlstm", {}, "MLSTM is no diagonal linear recurrence"),
        (Scan(), "min-gru", {"mask": torch.ones(3, 4, dtype=torch.float64)}, "no recurrent product to mask"),
        (Chunked(), "min-gru", {}, "the steps of MLSTM alone, and MinGRU"),
    ],
)
def test_what_is_not_served_is_refused_in_words(kernel, name, changes, words):
    with pytest.raises(KernelError, match=words):
        kernel.run([replace(sequence(name, 3), **changes)])


def test_a_cell_with_a_step_of_its_own_is_not_scanned():
    class Odd(MinGRU):
        def step(self, u_t, state, weights):
            return super().step(u_t, 2 * state, weights)

    x = torch.zeros(2, 1, 3)
    reasons = Scan().refuses([Pass(Odd(3, 4), x, torch.zeros(1, 4))])
    assert reasons == ["Odd has a step of its own beside its coefficients"]
    assert "states asked for" in Chunked().refuses([sequence("mlstm", 2)], ("states",))[0]
