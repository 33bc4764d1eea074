"""The hidden size of equal parameters."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unrolled.cells import registry as cells
from unrolled.cells.cell import count_parameters
from unrolled.errors import OptionError
from unrolled.recipes import registry as recipes
from unrolled.studies.equal import WIDEST, nearest_size, sized


@given(st.integers(1, 5000), st.integers(0, 40), st.integers(0, 3))
def test_no_other_size_comes_nearer(wanted: int, constant: int, squares: int) -> None:
    def count(size: int) -> int:
        return squares * size * size + 7 * size + constant

    if count(1) > 2 * wanted:
        with pytest.raises(OptionError, match="already"):
            nearest_size(count, wanted)
        return
    found = nearest_size(count, wanted)
    assert abs(count(found) - wanted) == min(abs(count(size) - wanted) for size in range(1, WIDEST + 1))


def test_of_two_that_are_equally_near_it_is_the_smaller() -> None:
    assert nearest_size(lambda size: 10 * size, 25) == 2


def test_no_layer_is_wider_than_the_widest() -> None:
    assert nearest_size(lambda size: size + 5, 1000) == WIDEST
    assert nearest_size(lambda size: size + 5, WIDEST) == WIDEST - 5


@pytest.mark.parametrize("cell", ["elman", "lstm", "gru", "min-gru", "exp-rnn"])
def test_models_of_all_cells_come_near_a_number_of_parameters(cell: str) -> None:
    recipe = recipes.find("adding")
    state = torch.random.get_rng_state()
    options = sized(recipe, recipe.Options(cell=cell), {"length": 5}, 3000)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert len(options.sizes) == 1 and options.cell == cell

    def parameters(size: int) -> int:
        # By hand: the cell, and one output of `size` weights and a bias.
        return count_parameters(cells.find(cell)(2, size)) + size + 1

    (size,) = options.sizes
    assert abs(parameters(size) - 3000) <= min(abs(parameters(size + 1) - 3000), abs(parameters(size - 1) - 3000))
    if cell == "lstm":
        # 4·H·(H + 2 + 1) + H + 1 of 3000: H = 25 gives 2826, H = 26 gives 3043.
        assert size == 26
