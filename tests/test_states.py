"""States of any form: carried, cut, chosen from, stored."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unrolled import states


class Pair(NamedTuple):
    hidden: torch.Tensor
    cell: torch.Tensor


class Odd(NamedTuple):
    past: torch.Tensor
    pointer: torch.Tensor
    wave: torch.Tensor


def odd(rows: int = 3) -> Odd:
    return Odd(
        torch.randn(rows, 2, 4),
        torch.arange(rows),
        torch.randn(rows, 4, dtype=torch.complex128),
    )


def same(left, right) -> bool:
    return states.names(left) == states.names(right) and all(
        torch.equal(a, b) and a.dtype == b.dtype
        for (_, a), (_, b) in zip(states.leaves(left), states.leaves(right), strict=True)
    )


tensors = st.integers(1, 3).map(lambda width: torch.arange(3.0 * width).reshape(3, width))
trees = st.recursive(
    tensors,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(tuple), st.tuples(inner, inner).map(lambda two: Pair(*two))
    ),
    max_leaves=6,
)


@given(trees)
def test_any_state_comes_back_from_its_tensors(state):
    back = states.from_tensors(states.to_tensors(state), like=state)
    assert same(back, state)
    assert type(back) is type(state)
    assert len(set(states.names(state))) == len(states.names(state))


@given(trees, st.permutations(range(3)))
def test_rows_chosen_and_put_together_again(state, order):
    shuffled = states.concatenate([states.select(state, slice(row, row + 1)) for row in order])
    assert same(shuffled, states.select(state, torch.tensor(order)))


@given(trees, st.lists(st.booleans(), min_size=3, max_size=3))
def test_where_takes_each_row_from_one_side(state, choice):
    other = states.map_state(lambda leaf: -leaf - 1, state)
    mixed = states.where(torch.tensor(choice), state, other)
    for row, yes in enumerate(choice):
        there = slice(row, row + 1)
        assert same(states.select(mixed, there), states.select(state if yes else other, there))


def test_names_say_where_a_leaf_stands():
    state = ((Pair(torch.zeros(1), torch.zeros(1)),), (torch.zeros(1),))
    assert states.names(state) == ["0.0.hidden", "0.0.cell", "1.0"]


def test_complex_and_whole_leaves_keep_every_bit():
    state = odd()
    stored = states.to_tensors(state)
    assert not any(tensor.is_complex() for tensor in stored.values())
    assert same(states.from_tensors(stored, like=odd()), state)


def test_where_and_stack_and_detach_serve_every_type():
    a, b = odd(), odd()
    mixed = states.where(torch.tensor([True, False, True]), a, b)
    assert mixed.pointer.dtype == torch.int64
    assert torch.equal(mixed.wave[1], b.wave[1]) and torch.equal(mixed.wave[2], a.wave[2])
    assert states.stack([a, b]).past.shape == (2, 3, 2, 4)
    grown = states.map_state(lambda leaf: leaf.clone().requires_grad_(leaf.dtype != torch.int64) * 1, a)
    assert grown.past.requires_grad and not states.detach(grown).past.requires_grad


def test_states_of_different_form_are_told():
    pair = Pair(torch.zeros(1), torch.zeros(1))
    for left, right in ((pair, (torch.zeros(1),)), (pair, torch.zeros(1)), (torch.zeros(1), pair)):
        with pytest.raises(ValueError, match="states of one form were expected"):
            states.map_state(torch.add, left, right)


def test_a_stored_state_that_does_not_fit_is_told():
    state = odd()
    stored = states.to_tensors(state)
    with pytest.raises(ValueError, match=r"\['pointer'\] are missing"):
        states.from_tensors({k: v for k, v in stored.items() if k != "pointer"}, state)
    with pytest.raises(ValueError, match=r"'past' must be torch.float32 \(rows, 2, 4\); torch.float32 \(3, 4\) came"):
        states.from_tensors({**stored, "past": torch.zeros(3, 4)}, state)
    with pytest.raises(ValueError, match=r"'pointer' must be torch\.int64"):
        states.from_tensors({**stored, "pointer": torch.zeros(3)}, state)
    assert states.from_tensors({k: v[:1] for k, v in stored.items()}, state).past.shape == (1, 2, 4)
