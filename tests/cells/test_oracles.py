"""Each cell against its paper: the equations in NumPy, one row at a time, written apart from the code."""

from __future__ import annotations

import pytest
import torch

from unrolled.cells import registry
from unrolled.kernels.choose import KERNELS
from unrolled.kernels.kernel import DIRECTIONS

from .oracles import all_oracles
from .trial import SAME, T, farthest, ours, theirs, trial


def test_every_cell_of_the_package_has_an_oracle():
    assert set(all_oracles()) == set(registry.built_in())


@pytest.mark.parametrize("fresh", [False, True], ids=["from-a-state", "from-the-start"])
@pytest.mark.parametrize("name", all_oracles())
def test_a_cell_equals_its_equations(name, fresh):
    it = trial(name, fresh)
    expected = theirs(it)
    assert set(it.cell.GATES) <= set(expected.gates), "the oracle leaves out a gate"
    answer = ours(it.a_pass())
    assert set(expected.gates) <= set(answer.gates)
    assert farthest(answer, expected)[1] < SAME, farthest(answer, expected)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("name", all_oracles())
def test_every_kernel_equals_the_equations_over_ragged_rows_in_each_direction(name, direction):
    it = trial(name)
    lengths = (T, T - 2)
    expected = theirs(it, direction, lengths)
    one = it.a_pass(direction=direction, lengths=torch.tensor(lengths))
    for kernel in KERNELS:
        if not kernel.refuses([one]):
            assert farthest(ours(one, kernel), expected)[1] < SAME, (kernel.NAME, farthest(ours(one), expected))
