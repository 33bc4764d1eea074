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
from unrolled.studies.equal import nearest_size, sized


@given(st.integers(1, 5000), st.integers(0, 40), st.integers(0, 3))
def test_no_other_size_comes_nearer(wanted: int, constant: int, squares: int) -> None:
    def count(size: int) -> int:
        return squares * size * size + 7 * size + constant

    if count(1) > 2 * wanted:
        with pytest.raises(OptionError, match="already"):
            nearest_size(count, wanted)
        return
    found = nearest_size(count, wanted)
    assert abs(count(found) - wanted) == min(abs(count(size) - wanted) for size in range(1, 1000))


def test_of_two_that_are_equally_near_it_is_the_smaller() -> None:
    assert nearest_size(lambda size: 10 * size, 25) == 2


def test_no_layer_is_wider_than_the_widest() -> None:
    with pytest.raises(OptionError, match="only"):
        nearest_size(lambda size: 5, 1000)


@pytest.mark.parametrize("cell", ["elman", "lstm", "gru", "min-gru"])
def test_models_of_all_cells_come_near_a_number_of_parameters(cell: str) -> None:
    recipe = recipes.find("adding")
    state = torch.random.get_rng_state()
    options = sized(recipe, recipe.Options(cell=cell, sizes=(1, 1)), {"length": 5}, 3000)
    assert torch.equal(torch.random.get_rng_state(), state)
    size, second = options.sizes
    assert size == second and options.cell == cell

    def parameters(size: int) -> int:
        # By hand: a cell that reads two features, one that reads the first, an output of `size` weights and a bias.
        return sum(count_parameters(cells.find(cell)(features, size)) for features in (2, size)) + size + 1

    assert abs(parameters(size) - 3000) <= min(abs(parameters(size + 1) - 3000), abs(parameters(size - 1) - 3000))
    if cell == "lstm":
        # 4·H·(H + 2 + 1) + 4·H·(2·H + 1) + H + 1 of 3000: H = 15 gives 2956, H = 16 gives 3345.
        assert size == 15
