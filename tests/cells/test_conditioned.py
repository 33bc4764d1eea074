"""Which steps a condition reaches."""

from __future__ import annotations

import pytest
import torch

from unrolled import states
from unrolled.cells.cell import needs_beside
from unrolled.cells.conditioned import ConditionedElman, FirstStepConditionedElman
from unrolled.errors import ShapeError
from unrolled.layers.recurrent import Recurrent

T, B, F, H, C = 5, 3, 2, 4, 6


def stack(cell, two_directions: bool = False) -> Recurrent:
    torch.manual_seed(0)
    return Recurrent(lambda F, H: cell(F, H, C), F, [H], two_directions).double()


def reached(run, v: torch.Tensor) -> list[bool]:
    """For each time, whether the pre-activation sees v at that time itself, given all states before it: by W = 0."""
    return (run(v) != run(v + 1)).flatten(1).any(1).tolist()


def draw(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [(ConditionedElman, [True] * T), (FirstStepConditionedElman, [True] + [False] * (T - 1))],
    ids=["every", "first"],
)
def test_v_enters_at_every_step_or_at_the_first_of_each_direction(cell, expected):
    net = stack(cell, two_directions=True)
    for layer in net.cells():
        for one in layer:
            torch.nn.init.zeros_(one.W)
    x, v = draw(T, B, F), draw(B, C)
    halves = [lambda v, i=i: net(x, condition=v)[0].chunk(2, -1)[i] for i in (0, 1)]
    assert reached(halves[0], v) == expected
    assert reached(halves[1], v) == expected[::-1]


def test_in_a_later_window_only_rows_that_start_anew_see_v():
    net = stack(FirstStepConditionedElman)
    x = draw(T, B, F)
    _, carried = net(draw(T, B, F), condition=draw(B, C))
    fresh = torch.tensor([False, True, False])
    state = states.where(fresh, net.initial_state(B), carried)
    v = draw(B, C)
    moved = (net(x, state, condition=v)[0] - net(x, state, condition=v + 1)[0]).abs().sum((0, 2))
    assert (moved > 0).tolist() == fresh.tolist()


def test_a_row_of_length_zero_has_not_had_its_first_step():
    net = stack(FirstStepConditionedElman)
    _, ((state,),) = net(draw(T, B, F), lengths=torch.tensor([T, 0, 1]), condition=draw(B, C))
    assert state.first.tolist() == [False, True, False]


def test_a_condition_of_no_numbers_is_refused():
    with pytest.raises(ShapeError, match="condition_size of ConditionedElman was 0; it must be 1 or more"):
        ConditionedElman(F, H, 0)


def test_the_need_is_told():
    assert needs_beside(ConditionedElman(F, H, C)) == ["a condition, a vector of 6 beside the sequence"]
