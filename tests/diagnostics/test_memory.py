"""Bytes held for the backward pass: counted by hand in small graphs, and against the length of a sequence."""

from __future__ import annotations

import pytest
import torch

from unrolled.cells import registry
from unrolled.cells.elman import Elman
from unrolled.cells.gru import GRU
from unrolled.cells.lstm import LSTM
from unrolled.diagnostics.memory import Memory, against_length, cell_memory, memory_curves, peak_bytes
from unrolled.errors import OptionError


def test_bytes_by_hand():
    x = torch.randn(1000, requires_grad=True)

    def two_tanhs():  # each keeps its result: 4000 bytes each
        torch.tanh(torch.tanh(x)).sum().backward()

    def one_storage_three_times():  # exp keeps y; the product keeps y again, and one number
        y = x.exp()
        (y * y[:10].sum()).sum().backward()

    def a_square():  # keeps x itself, unless that is there anyway
        x.square().sum().backward()

    assert peak_bytes(two_tanhs) == 8000
    assert peak_bytes(one_storage_three_times) == 4004
    assert peak_bytes(a_square) == 4000
    assert peak_bytes(a_square, [x]) == 0


def test_what_the_graph_has_let_go_is_held_no_longer():
    x = torch.randn(1000, requires_grad=True)

    def one_after_the_other():
        for _ in range(5):
            torch.tanh(x).sum().backward()

    def side_by_side():
        graphs = [torch.tanh(x).sum() for _ in range(5)]
        sum(graphs).backward()

    def without_a_backward_pass():
        for _ in range(5):
            torch.tanh(x).sum()

    assert peak_bytes(one_after_the_other) == 4000
    assert peak_bytes(side_by_side) == 20000
    assert peak_bytes(without_a_backward_pass) == 4000


def test_the_gradients_are_those_without_the_count():
    torch.manual_seed(0)
    cell, x = LSTM(3, 4), torch.randn(6, 2, 3)
    found = []

    def run():
        state = cell.initial_state((2,), torch.device("cpu"), torch.float32)
        for x_t in x:
            state = cell.step(cell.project(x_t[None], cell.prepare())[0], state, cell.prepare()).state
        found.append(torch.autograd.grad(state.hidden.sum(), list(cell.parameters())))

    run()
    peak_bytes(run, cell.parameters())
    for ours, theirs in zip(*found, strict=True):
        assert torch.equal(ours, theirs)


def test_slopes_by_hand():
    assert Memory((10, 100, 1000), (7, 70, 700)).slope() == pytest.approx(1)
    assert Memory((4, 16, 64), (2, 4, 8)).slope() == pytest.approx(0.5)
    assert Memory((4, 16, 64), (9, 9, 9)).slope() == pytest.approx(0)


@pytest.mark.parametrize("kernel", ["reference", "auto"])
@pytest.mark.parametrize("make", [Elman, GRU, LSTM])
def test_in_full_it_holds_memory_in_proportion_to_the_length_and_truncated_one_window(make, kernel):
    # What torch's own operators pack once for a sequence, whatever its length, weighs less in longer ones.
    lengths = (32, 64, 128) if kernel == "reference" else (128, 256, 512)
    found = cell_memory(make(4, 8), lengths, window=16, kernel=kernel)
    assert list(found) == ["full", "recomputed", "truncated to 16"]
    full, recomputed, truncated = found.values()
    assert full.slope() == pytest.approx(1, abs=0.1)
    assert truncated.slope() == pytest.approx(0, abs=0.05)
    assert truncated.bytes[0] < full.bytes[0]
    assert recomputed.bytes[-1] < full.bytes[-1]


def test_recomputed_it_holds_the_square_root():
    full, recomputed, _ = cell_memory(Elman(4, 8), (64, 256, 1024), window=64, rows=2, kernel="reference").values()
    assert full.slope() == pytest.approx(1, abs=0.1)
    assert recomputed.slope() == pytest.approx(0.5, abs=0.1)
    # √T states of (2, 8) in float32 are kept, and the inside of a segment of √T steps is held while it is run again.
    assert recomputed.bytes[-1] == pytest.approx(32 * 2 * 8 * 4 + full.bytes[-1] / 32, rel=0.1)


@pytest.mark.parametrize("name", ["lru", "mlstm", "time-skip", "urnn"])
def test_so_it_is_for_other_kinds_of_cells(name):
    with torch.no_grad():  # of the caller; training asks for gradients itself
        full, recomputed, truncated = cell_memory(
            registry.find(name)(2, 4), (16, 32, 64), window=8, rows=2, kernel="reference"
        ).values()
    assert full.slope() == pytest.approx(1, abs=0.1)
    assert recomputed.slope() == pytest.approx(0.5, abs=0.1)
    assert truncated.slope() == pytest.approx(0, abs=0.05)


def segment(h, W, steps):
    for _ in range(steps):
        h = torch.tanh(h @ W)
    return h


class Again(torch.autograd.Function):
    """`segment`, of which nothing is kept but what it began with."""

    @staticmethod
    def forward(ctx, h, W, steps):
        ctx.save_for_backward(h, W)
        ctx.steps = steps
        return segment(h, W, steps)

    @staticmethod
    def backward(ctx, gradient):
        parts = [part.detach().requires_grad_() for part in ctx.saved_tensors]
        with torch.enable_grad():
            return *torch.autograd.grad(segment(*parts, ctx.steps), parts, gradient), None


def test_parts_computed_again_hold_the_square_root():
    """√T segments of √T steps: what lies between is computed again in the backward pass, and held then."""
    torch.manual_seed(0)
    W = torch.randn(8, 8, requires_grad=True)

    def run(T):
        root = round(T**0.5)
        h = torch.ones(4, 8, requires_grad=True)
        for _ in range(root):
            h = Again.apply(h, W, root)
        h.sum().backward()

    found = against_length(run, (64, 256, 1024), [W])
    assert found.slope() == pytest.approx(0.5, abs=0.1)
    # The beginnings of all segments, and the inside of one: each 4 · 8 numbers of 4 bytes.
    assert found.bytes[-1] == pytest.approx(2 * 32 * 128, rel=0.1)


def test_the_picture():
    figure = memory_curves({"full": Memory((10, 100), (500, 5000)), "truncated to 5": Memory((10, 100), (40, 40))})
    assert [line.name for line in figure.series] == ["full, slope 1.00", "truncated to 5, slope 0.00"]
    assert figure.series[0].x == (10.0, 100.0)
    assert figure.series[0].y == (500.0, 5000.0)
    assert figure.x_log and figure.y_log


def test_what_does_not_fit_is_refused():
    with pytest.raises(OptionError, match="whole number of windows of 32"):
        cell_memory(GRU(2, 3), lengths=(64, 100))
    with pytest.raises(OptionError, match="whole number of windows of 0"):
        cell_memory(GRU(2, 3), lengths=(64, 128), window=0)
    with pytest.raises(OptionError, match="two different lengths"):
        against_length(lambda T: None, (64, 64))
