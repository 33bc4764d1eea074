"""What a pass refuses, and what a trace says past the lengths."""

from __future__ import annotations

import pytest
import torch

from unrolled.cells.cell import state_like
from unrolled.cells.gru import GRU, GRUState
from unrolled.cells.lstm import LSTM
from unrolled.errors import ShapeError
from unrolled.kernels.kernel import Pass, at, past_length
from unrolled.kernels.reference import Reference

X = torch.zeros(5, 2, 3)
NONE = torch.zeros(2, 4)


@pytest.mark.parametrize(
    ("x", "lengths", "words"),
    [
        (torch.zeros(5, 2, 4), None, r"GRU wants x as \(T, B, 3\), time first; \(5, 2, 4\) came"),
        (torch.zeros(2, 3), None, r"wants x as \(T, B, 3\)"),
        (torch.zeros(5, 2, 3, dtype=torch.int64), None, r"must be \(T, B\) symbols below 3; \(5, 2, 3\) came"),
        (torch.zeros(0, 2, 3), None, "T = 0"),
        (X, torch.tensor([5]), r"lengths must be \(2,\) int64"),
        (X, torch.tensor([5.0, 1.0]), "int64, one a row; .* torch.float32 came"),
        (X, torch.tensor([6, 1]), "from 0 to T = 5; 1 to 6 came"),
        (X, torch.tensor([5, -1]), "from 0 to T = 5; -1 to 5 came"),
        (torch.zeros(5, 3, 3), None, r"state 'hidden' of GRU must be \(3, 4\)"),
    ],
)
def test_a_pass_that_does_not_fit_is_refused(x, lengths, words):
    with pytest.raises(ShapeError, match=words):
        Pass(GRU(3, 4), x, GRUState(NONE), lengths)


def test_past_length_clears_what_multiplication_would_not():
    x = torch.full((3, 2, 1), float("nan"))
    x[0] = 1.0
    cleared = past_length(x, torch.tensor([1, 0]))
    assert cleared[:, 0, 0].tolist() == [1, 0, 0]
    assert cleared[:, 1, 0].tolist() == [0, 0, 0]
    assert past_length(x, None) is x


def test_at_walks_tuples_and_passes_over_none():
    u = (torch.arange(3), (None, torch.arange(3) * 10))
    assert at(u, 2) == (torch.tensor(2), (None, torch.tensor(20)))


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_every_state_stands_still_past_a_length(direction):
    torch.manual_seed(0)
    cell = LSTM(3, 4)
    x = torch.randn(5, 2, 3)
    start = state_like(cell, x)
    trace = Reference().run([Pass(cell, x, start, torch.tensor([5, 2]), direction)], ("states", "gates"))[0]
    states, gates = trace.states, trace.gates
    assert gates["forget"][:2].all() and not gates["forget"][2:, 1].any()
    there = trace.state.cell[1] if direction == "forward" else start.cell[1]
    assert all(torch.equal(states.cell[t, 1], there) for t in (2, 3, 4))
    last = -1 if direction == "forward" else 0
    torch.testing.assert_close(states.cell[last], trace.state.cell)
    assert not torch.equal(states.cell[0, 1], states.cell[1, 1])


def test_only_what_was_asked_for_is_recorded():
    cell = GRU(3, 4)
    one = Pass(cell, X, GRUState(NONE))
    kinds = {
        asked: tuple(part is not None for part in Reference().run([one], asked)[0][2:])
        for asked in ((), ("states",), ("gates",), ("gates", "states"))
    }
    assert list(kinds.values()) == [(False, False), (True, False), (False, True), (True, True)]
