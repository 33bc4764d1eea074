"""Cells made comparable: the hidden size at which each has most nearly the same number of trained parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from unrolled.errors import OptionError
from unrolled.recipes.recipe import Recipe

#: No layer is made wider than this.
WIDEST = 1 << 14


def nearest_size(count: Callable[[int], int], wanted: int) -> int:
    """The size, 1 or more, at which `count(size)`, which grows with it, comes nearest to `wanted`.

    Of two that are equally near, the smaller. OptionError where one unit has more than twice as many already, and
    where WIDEST units have too few.
    """
    if (least := count(1)) > 2 * wanted:
        raise OptionError(f"{wanted:,} parameters were asked for; with one hidden unit there are {least:,} already")
    low, high = 1, 2
    while count(high) < wanted:
        if high >= WIDEST:
            raise OptionError(f"{wanted:,} parameters were asked for; {high:,} hidden units have {count(high):,} only")
        low, high = high, 2 * high
    # `high` has enough; `low` has too few, or is the least there is.
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) < wanted else (low, middle)
    return min((low, high), key=lambda size: (abs(count(size) - wanted), size))


def sized(recipe: Recipe, options: Any, assets: Mapping[str, Any], wanted: int) -> Any:
    """The recipe's options with as many layers as they have, all of one hidden size: that at which the model has most
    nearly `wanted` trained parameters.
    """
    import torch

    from unrolled.cells.cell import count_parameters

    def of_size(size: int) -> Any:
        return replace(options, sizes=(size,) * len(options.sizes))

    def count(size: int) -> int:
        with torch.random.fork_rng(devices=[]):
            return count_parameters(recipe.model(of_size(size), assets))

    return of_size(nearest_size(count, wanted))
