"""What a gated network keeps and what it forgets: how long a unit's memory lasts, read off its gate.

Where a cell keeps the share f_t of its memory, c_t = f_t ∘ c_{t-1} + …, what a step wrote has shrunk k steps later by
the product of k gates. On average that is exp(k · mean ln f), and so half of it is left after

    half-life = ln ½ / mean ln f        steps

A gate of 0.5 has 1 step, of 0.99 has 69. This is the direct way alone: what comes back through h_{t-1} is not in it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from unrolled.cells.cell import Cell
from unrolled.cells.gru import GRU, ResetBeforeGRU
from unrolled.errors import OptionError
from unrolled.figures import Curves, Series, Table


def keeping_gate(cell: Cell) -> str:
    """The gate whose value is the share of the memory that is kept. OptionError where none is known."""
    if "forget" in cell.GATES:
        return "forget"
    # h_t = z_t ∘ h_{t-1} + …; in other cells an update gate may be the share that is replaced.
    if isinstance(cell, GRU | ResetBeforeGRU):
        return "update"
    raise OptionError(
        f"{type(cell).__name__} has no gate that is known to say how much it keeps (it has "
        f"{', '.join(cell.GATES) or 'none'}): try an LSTM or a GRU"
    )


def half_lives(kept: Tensor) -> Tensor:
    """kept (T, H), what the gate did → (H,) float64, steps; infinite for a gate that never forgets."""
    mean = kept.double().log().mean(0)
    return torch.where(mean < 0, math.log(0.5) / mean, math.inf)


def half_life_curves(layers: Sequence[Tensor], title: str = "How long units remember") -> Curves:
    """Half-lives (H,) of each layer, its units in order, the longest first."""
    series = []
    for number, lives in enumerate(layers, 1):
        ordered = tuple(lives.sort(descending=True).values.tolist())
        series.append(Series(f"layer {number}", tuple(float(i) for i in range(1, len(ordered) + 1)), ordered))
    return Curves(title, tuple(series), "units, the longest memory first", "half-life, symbols", y_log=True)


def half_life_table(
    layers: Sequence[Tensor], gates: Sequence[Tensor], rows: int = 10, title: str = "The longest memories"
) -> Table:
    """The `rows` units that keep longest, with the mean of their gate (T, H)."""
    found = [
        (number, unit, life, mean)
        for number, (lives, gate) in enumerate(zip(layers, gates, strict=True), 1)
        for unit, (life, mean) in enumerate(zip(lives.tolist(), gate.double().mean(0).tolist(), strict=True), 1)
    ]
    longest = sorted(found, key=lambda one: -one[2])[:rows]
    return Table(title, ("layer", "unit", "half-life, symbols", "gate, mean"), tuple(longest))
