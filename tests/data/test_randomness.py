"""Draws depend on what they are for, and on nothing that was drawn before."""

from __future__ import annotations

import itertools

import numpy as np

from unrolled.data.randomness import Purpose, draws


def test_every_key_has_draws_of_its_own() -> None:
    keys = list(itertools.product((0, 1, 2**63), (Purpose.OFFSETS, Purpose.RESETS), (0, 1, 10**12)))
    drawn = {tuple(draws(*key).random(4)) for key in keys}
    assert len(drawn) == len(keys)
    assert {tuple(draws(*key).random(4)) for key in reversed(keys)} == drawn


def test_neighbouring_numbers_do_not_overlap() -> None:
    """The number is in a higher word of the counter than the one that runs on."""
    first = draws(0, Purpose.RESETS, 0).random(4000)
    second = draws(0, Purpose.RESETS, 1).random(4000)
    assert len(np.intersect1d(first, second)) == 0
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.1


def test_draws_are_the_published_ones_for_ever() -> None:
    """A resumed run of an older version must see what it saw: a change here breaks them."""
    raw = draws(7, Purpose.ORDER, 5).bit_generator.random_raw(2).tolist()
    again = np.random.Philox(key=[7, 3], counter=[0, 5, 0, 0]).random_raw(2).tolist()
    assert raw == again
    assert [int(purpose) for purpose in Purpose] == [1, 2, 3, 4, 5, 6, 7]
