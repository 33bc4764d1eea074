"""Cells made comparable: the hidden size at which each has most nearly the same number of trained parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from unrolled.errors import OptionError
from unrolled.recipes.recipe import Options, Recipe

#: No layer is made wider: where parameters grow only in proportion to the units, as a uRNN's do, so many parameters
#: would take thousands of units, and a time to match.
WIDEST = 512


def nearest_size(count: Callable[[int], int], wanted: int) -> int:
    """The size, 1 or more, at which `count(size)`, which grows with it, comes nearest to `wanted`.

    Of two that are equally near, the smaller; WIDEST where it would be larger than that. OptionError where one unit has
    more than twice as many already.
    """
    if (least := count(1)) > 2 * wanted:
        raise OptionError(f"{wanted:,} parameters were asked for; with one hidden unit there are {least:,} already")
    low, high = 1, 2
    while count(high) < wanted:
        if high >= WIDEST:
            return WIDEST
        low, high = high, 2 * high
    # `high` has enough; `low` has too few, or is the least there is.
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) < wanted else (low, middle)
    return min((low, high), key=lambda size: (abs(count(size) - wanted), size))


def sized(recipe: Recipe, options: Options, assets: Mapping[str, Any], wanted: int) -> Options:
    """`options` with the one hidden size at which the recipe's model has most nearly `wanted` trained parameters."""
    import torch

    from unrolled.cells.cell import count_parameters

    def count(size: int) -> int:
        with torch.random.fork_rng(devices=[]):
            return count_parameters(recipe.model(_of_size(options, size), assets))

    return _of_size(options, nearest_size(count, wanted))


def _of_size(options: Options, size: int) -> Options:
    sizes: dict[str, Any] = {"sizes": (size,)}
    return replace(options, **sizes)
