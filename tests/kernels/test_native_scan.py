"""The native core's scan: every type and shape against float64 by hand, gradients, torch's own checks, wrong input."""

from __future__ import annotations

import itertools
from functools import partial
from pathlib import Path

import pytest
import torch
from test_native import other_process, pairwise
from torch.autograd import gradcheck, gradgradcheck

from unrolled.contracts.subject import distance
from unrolled.errors import ShapeError
from unrolled.kernels import native_core
from unrolled.kernels.native_scan import ORDER, serves
from unrolled.kernels.scan import scan

pytestmark = pytest.mark.skipif(not native_core.is_built(), reason="no C++ compiler built the native core")

TOLERANCE = {4: 1e-6, 8: 1e-14}  # relative L2 distance, by bytes of a real number: a step rounds twice
#: What is not time: from one number to more than a vector of any type, with a tail.
SHAPES = ((1,), (7,), (3, 5), (2, 16), (1, 65), (4, 3, 11), (300,), (0, 4))
#: How a stands in memory: written out; the same at all times; in all rows; in both; with every second number.
LAYOUTS = ("whole", "times", "rows", "both", "gaps")
STEPS = (1, 2, 9, 130)
MATRIX = list(itertools.product(ORDER, SHAPES, LAYOUTS, STEPS, (False, True)))


def laid(a, layout):
    if layout in ("times", "both"):
        a = a[:1]
    if layout in ("rows", "both"):
        a = a[:, :1]
    if layout == "gaps":
        a = a.repeat_interleave(2, -1)[..., ::2]
    return a


def agrees(dtype, shape, layout, T, backward):
    """States and gradients are those of steps in double precision, for random cotangents."""
    generator = torch.Generator().manual_seed(T)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=dtype)

    full = (T, *shape)
    whole = draw(*full)
    # Some keep all, one nothing, and none grows.
    a = laid(whole / whole.abs().clamp(min=1), layout).clone() if layout != "gaps" else laid(whole.sgn() * 0.9, layout)
    b, start, d_h, d_last = draw(*full), draw(*shape), draw(*full), draw(*shape)
    if a.numel():
        a.reshape(-1)[0] = 0
    answers = []
    for exact in (False, True):
        wide = (torch.complex128 if dtype.is_complex else torch.float64) if exact else dtype
        inputs = [part.to(wide).detach().requires_grad_() for part in (a, b, start)]
        expanded = inputs[0].expand(full)
        if layout == "gaps" and not exact:
            expanded = laid(inputs[0], layout) if inputs[0].is_contiguous() else inputs[0]
        h, last = steps(expanded, *inputs[1:], backward) if exact else scan(expanded, *inputs[1:], backward)
        wanted = [d_h.to(wide), d_last.to(wide)]
        answers.append([h, last, *torch.autograd.grad((h, last), inputs, wanted)])
    tolerance = TOLERANCE[torch.empty(0, dtype=dtype.to_real()).element_size()] * max(1.0, T**0.5)
    for ours, theirs in zip(*answers, strict=True):
        assert ours.shape == theirs.shape
        assert ours.numel() == 0 or distance(ours, theirs) < tolerance


def steps(a, b, start, backward):
    every, h = [], start
    for t in reversed(range(len(b))) if backward else range(len(b)):
        h = a[t] * h + b[t]
        every.append(h)
    return torch.stack(every[::-1] if backward else every), h


@pytest.mark.parametrize("dtype", ORDER)
@pytest.mark.parametrize("backward", [False, True])
def test_a_long_sequence_is_its_parts(dtype, backward):
    """What is long is written past the caches: bit for bit what its parts give, whose writing goes into them."""
    parts, B, D = 8, 2, 512
    T = 8 * 2**20 * 2 // (B * D * dtype.itemsize)
    generator = torch.Generator().manual_seed(0)
    a, b, d_h = (torch.randn(T, B, D, generator=generator, dtype=dtype) for _ in range(3))
    a = a / a.abs().clamp(min=1)
    whole = [a.requires_grad_(), b.requires_grad_()]
    h, last = scan(a, b, torch.zeros(B, D, dtype=dtype), backward)
    d_whole = torch.autograd.grad(h, whole, d_h)
    state, outputs, inputs = torch.zeros(B, D, dtype=dtype), [], []
    order = list(zip(*(one.detach().chunk(parts) for one in (a, b)), strict=True))
    for one in reversed(order) if backward else order:
        inputs.append([part.clone().requires_grad_() for part in one])
        every, state = scan(*inputs[-1], state, backward)
        outputs.append(every)
    if backward:
        inputs.reverse(), outputs.reverse()
    assert torch.equal(torch.cat(outputs), h) and torch.equal(state, last)
    d_parts = torch.autograd.grad(outputs, [one for both in inputs for one in both], d_h.chunk(parts))
    assert torch.equal(torch.cat(d_parts[::2]), d_whole[0]) and torch.equal(torch.cat(d_parts[1::2]), d_whole[1])


def test_a_sample_of_the_matrix_agrees_with_steps_in_double_precision():
    sample = pairwise(MATRIX)
    assert len(sample) < len(MATRIX) / 4
    for one in sample:
        agrees(*one)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ORDER)
def test_the_whole_matrix_agrees_with_steps_in_double_precision(dtype):
    for one in MATRIX:
        if one[0] == dtype:
            agrees(*one)


@pytest.mark.parametrize("shape", [(2, 300), (1, 700), (3, 230)])
@pytest.mark.parametrize("layout", ["whole", "rows"])
def test_two_threads_agree_with_steps_in_double_precision(shape, layout):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        agrees(torch.float32, shape, layout, 130, False)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_first_and_second_gradients_equal_finite_differences(dtype, backward):
    generator = torch.Generator().manual_seed(0)
    inputs = [
        torch.randn(*shape, generator=generator, dtype=dtype).requires_grad_()
        for shape in ((4, 2, 3), (4, 2, 3), (2, 3))
    ]
    assert serves(inputs[0])
    run = partial(scan, backward=backward)
    assert gradcheck(run, inputs)
    assert gradgradcheck(run, inputs)


def arguments(dtype=torch.float64, T=3, requires_grad=False):
    """What the operator takes: a, b, start, reverse."""
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(*shape, generator=generator, dtype=dtype).requires_grad_(requires_grad)
        for shape in ((T, 2, 5), (T, 2, 5), (2, 5))
    ] + [False]


@pytest.mark.parametrize("dtype", [torch.float32, torch.complex64])
def test_torch_finds_nothing_wrong_with_the_operator(dtype):
    checked = torch.library.opcheck(torch.ops.unrolled.scan, tuple(arguments(dtype, requires_grad=True)))
    assert set(checked.values()) == {"SUCCESS"}


def test_a_compiled_model_that_uses_it_gives_what_it_gives_plainly():
    a, b, start, _ = arguments(torch.float32)

    def model(a, b):
        h, last = scan(a.sigmoid(), b.sin(), start)
        return (h * 2).sum() + last.square().sum()

    results = []
    for run in (model, torch.compile(model, fullgraph=True, backend="aot_eager")):
        inputs = [part.clone().requires_grad_() for part in (a, b)]
        total = run(*inputs)
        results.append((total, *torch.autograd.grad(total, inputs)))
    for plain, compiled in zip(*results, strict=True):
        assert torch.allclose(plain, compiled)


@pytest.mark.parametrize(
    ("place", "wrong", "words"),
    [
        (0, lambda a: a[1:], "wants a as"),
        (0, lambda a: a[..., 1:], "wants a as"),
        (0, lambda a: a.float(), "wants a as .*float32"),
        (1, lambda b: b[:0], "T at least 1"),
        (1, lambda b: b.sum(), "T at least 1"),
        (1, lambda b: b.half(), "float16 came"),
        (1, lambda b: b[:, 1:], "wants a as"),
        (2, lambda start: start[0], "wants the start as"),
        (2, lambda start: start.float(), "wants the start as"),
    ],
)
def test_wrong_input_is_an_error_and_no_crash(place, wrong, words):
    given = arguments()
    given[place] = wrong(given[place])
    with pytest.raises(ShapeError, match=words):
        torch.ops.unrolled.scan(*given)


@pytest.mark.parametrize("place", range(5))
def test_wrong_input_to_the_backward_pass_is_an_error_and_no_crash(place):
    a, b, start, reverse = arguments()
    h, last = torch.ops.unrolled.scan(a, b, start, reverse)
    given = [h, last, a, start, h]
    given[place] = given[place][..., 1:]
    with pytest.raises(ShapeError, match="the native core wants"):
        torch.ops.unrolled.scan_backward(*given, reverse, True)


def test_the_order_in_memory_changes_nothing():
    a, b, start, reverse = arguments(torch.complex64)
    turned = [part.movedim(0, -1).contiguous().movedim(-1, 0) for part in (a, b)]
    noted = [part.conj().resolve_conj().conj() for part in turned]  # torch has only noted that they are conjugates
    assert noted[0].is_conj() and not noted[0].is_contiguous()
    expected = torch.ops.unrolled.scan(a, b, start, reverse)
    for given in (turned, noted):
        found = torch.ops.unrolled.scan(*given, start.mT.contiguous().mT, reverse)
        assert all(torch.equal(*pair) for pair in zip(found, expected, strict=True))


def test_denormals_vanish_inside_and_stay_as_they_are_outside():
    a, b, start = torch.ones(3, 40), torch.zeros(3, 40), torch.full((40,), 1e-40)
    assert scan(a, b, start)[1].sum() == 0
    assert (start * 1).sum() > 0


def test_the_gradient_of_what_nobody_wants_is_not_made():
    a, b, start, reverse = arguments()
    h, last = torch.ops.unrolled.scan(a, b, start, reverse)
    d_a, d_b, d_start = torch.ops.unrolled.scan_backward(h, last, a, start, h, reverse, False)
    assert (len(d_a), len(d_b), d_start.shape) == (0, 3, (2, 5))
    b.requires_grad_()
    (of_b,) = torch.autograd.grad(scan(a, b, start)[1].sum(), b)
    torch.testing.assert_close(of_b[0], a[1] * a[2])


OTHER_SETS = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_native_scan import MATRIX, agrees, pairwise
from unrolled.kernels import native_core
sample = pairwise(MATRIX)
for one in sample: agrees(*one)
print(native_core.instruction_set(), len(sample) > 30)
"""


@pytest.mark.parametrize("name", ["baseline", "avx2", "avx512"])
def test_the_other_instruction_sets_agree_with_steps_in_double_precision(name):
    code, printed, said = other_process(OTHER_SETS, UNROLLED_ISA=name)
    if f"UNROLLED_ISA is '{name}'; this machine has: " in said:
        pytest.skip(f"this CPU has no {name}")
    assert (code, printed) == (0, f"{name} True"), said
