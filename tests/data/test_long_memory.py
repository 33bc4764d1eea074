"""Adding and copying, against what the papers say of them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from unrolled.data.long_memory import adding, copying, loss_without_memory


@pytest.mark.parametrize("length", [2, 7, 50])
def test_the_wanted_sum_is_that_of_the_marked_numbers_one_in_each_half(length: int) -> None:
    fields = adding(length)(np.random.default_rng(0), 40)
    inputs, targets = fields["inputs"].numpy(), fields["targets"].numpy()
    assert inputs.shape == (length, 40, 2) and targets.shape == (1, 40, 1)
    for row in range(40):
        marked = [t for t in range(length) if inputs[t, row, 1] == 1]
        assert len(marked) == 2 and marked[0] < length // 2 <= marked[1]
        assert inputs[:, row, 1].sum() == 2
        assert targets[0, row, 0] == pytest.approx(sum(inputs[t, row, 0] for t in marked), abs=1e-6)


def test_a_constant_guess_has_a_squared_error_of_a_sixth() -> None:
    fields = adding(30)(np.random.default_rng(1), 20_000)
    values, targets = fields["inputs"].numpy()[..., 0], fields["targets"].numpy()
    assert values.min() >= 0 and values.max() < 1
    assert ((targets - 1) ** 2).mean() == pytest.approx(1 / 6, abs=0.003)


def test_every_place_is_marked_alike_often() -> None:
    marks = adding(6)(np.random.default_rng(2), 9000)["inputs"].numpy()[..., 1].mean(1)
    np.testing.assert_allclose(marks, 1 / 3, atol=0.02)


def test_a_row_of_copying_by_hand() -> None:
    """T = 4: ten symbols, three blanks, the marker, ten blanks; blanks are wanted until the marker is past."""
    fields = copying(4)(np.random.default_rng(0), 3)
    inputs, targets = fields["inputs"].numpy(), fields["targets"].numpy()
    assert inputs.shape == targets.shape == (24, 3)
    for row in range(3):
        symbols = inputs[:10, row].tolist()
        assert all(0 <= symbol < 8 for symbol in symbols)
        assert inputs[10:, row].tolist() == [8] * 3 + [9] + [8] * 10
        assert targets[:, row].tolist() == [8] * 14 + symbols


def test_who_remembers_nothing_loses_the_papers_line() -> None:
    """−ln p of blanks that are foreseen, and of ten symbols guessed among eight, a step."""
    line = (14 * 0 + 10 * -math.log(1 / 8)) / 24
    assert loss_without_memory(4) == pytest.approx(line, rel=1e-12)
    assert loss_without_memory(200) == pytest.approx(0.0945, abs=5e-5)
