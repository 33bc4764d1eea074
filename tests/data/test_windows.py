"""Windows of a series: by hand, and blind to what comes later."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from unrolled.data.windows import Scale, Windows, checked_origins, cut, origins, phases
from unrolled.errors import DataError

VALUES = np.arange(12.0) ** 2


def windows(values: np.ndarray = VALUES, **changes) -> Windows:
    given = {"window": 3, "horizon": 2, "period": 4.0, "origins": np.array([3, 7, 10])}
    observed = np.ones(len(values), bool)
    return Windows(values, observed, Scale(10.0, 2.0), **{**given, **changes})


def test_a_window_by_hand() -> None:
    fields = windows().gather(np.array([1]))
    assert fields["inputs"][:, 0, 0].tolist() == [(v - 10) / 2 for v in (16, 25, 36)]
    assert fields["targets"][:, 0].tolist() == [(v - 10) / 2 for v in (49, 64)]
    # Places 4, 5, 6 of a period of four: a quarter turn each.
    turns = torch.tensor([[0.0, 1], [1, 0], [0, -1]])
    assert torch.allclose(fields["inputs"][:, 0, 1:], turns, atol=1e-6)
    assert torch.allclose(fields["phases"][:, 0], torch.tensor([[-1.0, 0], [0, 1]]), atol=1e-6)
    assert fields["asked"].all()
    later = windows(first=4).gather(np.array([1]))
    assert torch.allclose(later["inputs"], fields["inputs"], atol=1e-6)
    assert not torch.allclose(windows(first=1).gather(np.array([1]))["inputs"], fields["inputs"], atol=1e-2)


def test_what_comes_later_changes_nothing_that_is_seen() -> None:
    for number, origin in enumerate((3, 7, 10)):
        changed = VALUES.copy()
        changed[origin:] = np.random.default_rng(0).permutation(changed[origin:]) + 1000
        one, other = (windows(values).gather(np.array([number])) for values in (VALUES, changed))
        assert torch.equal(one["inputs"], other["inputs"]) and torch.equal(one["phases"], other["phases"])
        assert not torch.equal(one["targets"], other["targets"])


def test_shuffled_windows_hold_the_same_steps_in_orders_of_their_own() -> None:
    every = {"window": 8, "origins": np.arange(8, 11)}
    ordered, shuffled = (windows(shuffled=flag, **every).gather(np.arange(3)) for flag in (False, True))
    assert not torch.equal(ordered["inputs"], shuffled["inputs"])
    for row in range(3):
        one, other = (sorted(map(tuple, f["inputs"][:, row].tolist())) for f in (ordered, shuffled))
        assert one == other
    again = windows(shuffled=True, **every).gather(np.array([1]))
    assert torch.equal(again["inputs"][:, 0], shuffled["inputs"][:, 1])
    assert torch.equal(ordered["targets"], shuffled["targets"])


def test_parts_follow_each_other_and_forecasts_stay_in_theirs() -> None:
    parts = cut(20, (0.5, 0.2, 0.3))
    assert parts == {"train": range(10), "valid": range(10, 14), "test": range(14, 20)}
    assert origins(parts["train"], 3, 2).tolist() == [3, 4, 5, 6, 7, 8]
    assert origins(parts["valid"], 3, 2).tolist() == [10, 11, 12]
    assert origins(parts["test"], 3, 6).tolist() == [14]
    with pytest.raises(DataError, match="sold: 20 values are too few: the valid part has no window of 3 values with 5"):
        checked_origins("sold", parts, 3, 5)


def test_scales_and_phases() -> None:
    assert Scale.of(np.array([1.0, 3.0])) == Scale(2.0, 1.0)
    assert Scale.of(np.array([4.0, 4.0])) == Scale(4.0, 1.0)
    assert np.allclose(phases(np.array([0, 91.3125]), 365.25), [[0, 1], [1, 0]])
    assert phases(np.arange(3), 0).tolist() == [[0, 0]] * 3
    assert math.isclose(float(phases(np.array(7), 7.0)[1]), 1)
