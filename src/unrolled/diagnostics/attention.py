"""Where a decoder looked: for each symbol that it wrote, the weight of each symbol that was read."""

from __future__ import annotations

from collections.abc import Sequence

from unrolled.figures import HeatMap


def attention_map(
    title: str, source: Sequence[str], written: Sequence[str], weights: Sequence[Sequence[float]]
) -> HeatMap:
    """source: what was read, in that order. written: what was written. weights: (written, source), each row's sum 1.

    A row more than what was written is the end, which is written too.
    """
    rows = [*written, *["(end)"] * (len(weights) - len(written))]
    return HeatMap(
        title,
        tuple(tuple(float(value) for value in row) for row in weights),
        tuple(rows),
        tuple(source),
        "weight of what was read, for each symbol that was written",
    )
