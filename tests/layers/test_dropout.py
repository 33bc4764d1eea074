"""Dropout: its rate, its scale, and that processes that share a batch draw one mask."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unrolled.errors import ShapeError
from unrolled.layers.dropout import Dropout, draw_mask, rows_of


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_the_rate_and_the_scale(rate):
    x = torch.ones(50, 40, 30)
    dropped = Dropout(rate)(x)
    n = x.numel()
    zeros = (dropped == 0).sum().item()
    assert abs(zeros - n * rate) < 5 * (n * rate * (1 - rate)) ** 0.5
    torch.testing.assert_close(dropped[dropped != 0].unique(), torch.tensor([1 / (1 - rate)]))
    assert dropped.mean().item() == pytest.approx(1, abs=5 * (rate / (1 - rate) / n) ** 0.5)


def test_nothing_happens_in_evaluation_or_at_rate_zero():
    x = torch.randn(3, 2, 4)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0)(x) is x


def test_through_time_one_mask_serves_all_steps():
    dropped = Dropout(0.5, through_time=True)(torch.ones(6, 4, 20))
    assert (dropped == dropped[0]).all()
    assert not (dropped[:, 0] == dropped[:, 1]).all()
    fresh = Dropout(0.5)(torch.ones(6, 4, 20))
    assert not (fresh == fresh[0]).all()


@given(cut=st.integers(1, 6), through_time=st.booleans(), seed=st.integers(0, 1000))
def test_two_halves_of_a_batch_draw_the_mask_of_the_whole(cut, through_time, seed):
    x = torch.ones(3, 7, 5)
    layer = Dropout(0.5, through_time)

    def drawn(rows, part):
        torch.manual_seed(seed)
        with rows_of(rows):
            return layer(part)

    whole = drawn(None, x)
    halves = drawn((0, 7), x[:, :cut]), drawn((cut, 7), x[:, cut:])
    assert torch.equal(torch.cat(halves, 1), whole)


def test_the_generator_stands_at_one_place_whichever_rows_are_drawn():
    def after(rows, count):
        torch.manual_seed(0)
        with rows_of(rows):
            draw_mask((count, 3), 0.5, torch.zeros(()))
        return torch.rand(1)

    assert after((0, 6), 2) == after((4, 6), 2) == after(None, 6)


def test_rows_are_forgotten_after_an_error():
    with pytest.raises(RuntimeError, match="on purpose"), rows_of((0, 8)):
        raise RuntimeError("on purpose")
    assert draw_mask((2, 3), 0.5, torch.zeros(())).shape == (2, 3)


@pytest.mark.parametrize("rate", [-0.1, 1.0, 2.0, float("nan")])
def test_a_rate_that_is_none_is_refused(rate):
    with pytest.raises(ShapeError, match="at least 0 and below 1"):
        Dropout(rate)
