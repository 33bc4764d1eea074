"""Zoneout (Krueger et al. 2016, arXiv:1606.01305): units of the state that stay as they are, now and then.

    training     s_t = k_t ∘ s_{t-1} + (1 − k_t) ∘ s̃_t,   k_t ~ Bernoulli(rate), unit by unit, step by step
    evaluation   s_t = rate · s_{t-1} + (1 − rate) · s̃_t

for each leaf of the state, s̃_t being what the cell's step gives. Leaves that are whole numbers, and those that a cell
names as `JOINT`, take the new value always. Masks are drawn for the rows of the whole global batch, as dropout's are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from unrolled import states
from unrolled.cells.cell import Cell
from unrolled.errors import OptionError
from unrolled.layers.dropout import draw_bernoulli
from unrolled.states import State, differentiable

#: One rate for every leaf, or name of a leaf → its rate, those not named being left alone.
Rates = float | Mapping[str, float]


def check(rates: Rates) -> Rates:
    """The rates; OptionError unless each is from 0 to 1 (1 holds the state for ever)."""
    for rate in rates.values() if isinstance(rates, Mapping) else (rates,):
        if not 0 <= rate <= 1:
            raise OptionError(f"a zoneout rate is from 0 to 1; {rate} came")
    return rates


def draw(cell: Cell, state: State, rates: Rates, steps: int) -> State | None:
    """What is kept in training, for a pass: bool (T, B, ...) leaf by leaf; None where nothing is."""

    def drawn(leaf: Tensor, rate: float) -> Tensor:
        like = torch.empty(0, dtype=torch.bool, device=leaf.device)
        return draw_bernoulli((steps, *leaf.shape), rate, like, batch_dim=1)

    return _leaf_by_leaf(cell, state, rates, drawn)


def expected(cell: Cell, state: State, rates: Rates, steps: int) -> State | None:
    """What is kept in evaluation: the rate, seen as (T, B, ...) leaf by leaf; None where nothing is."""

    def share(leaf: Tensor, rate: float) -> Tensor:
        return torch.tensor(rate, dtype=states.real_type(leaf), device=leaf.device).expand(steps, *leaf.shape)

    return _leaf_by_leaf(cell, state, rates, share)


def _leaf_by_leaf(cell: Cell, state: State, rates: Rates, make: Callable[[Tensor, float], Tensor]) -> State | None:
    rate_of = _rates_by_leaf(cell, state, rates)
    if not any(rate_of.values()):
        return None
    named = states.leaves(state)

    def one(leaf: Tensor) -> Tensor | None:
        name, _ = next(named)
        rate = rate_of.get(name, 0.0)
        return make(leaf, rate) if rate else None

    return states.map_state(one, state)


def _rates_by_leaf(cell: Cell, state: State, rates: Rates) -> dict[str, float]:
    """Name of each leaf that can be zoned out → its rate. OptionError where one is named that cannot, or none can."""
    if rates == 0:
        return {}
    able = [name for name, leaf in states.leaves(state) if differentiable(leaf) and name not in cell.JOINT]
    name_of_cell = type(cell).__name__
    if not able:
        raise OptionError(f"{name_of_cell} has no leaf of its state that can be zoned out: {states.names(state)}")
    if not isinstance(rates, Mapping):
        return dict.fromkeys(able, rates)
    if unknown := sorted(rates.keys() - set(able)):
        raise OptionError(f"zoneout names {unknown}; the leaves of {name_of_cell} that can be zoned out are {able}")
    return {name: rates.get(name, 0.0) for name in able}
