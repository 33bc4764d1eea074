"""Pairs of sequences as batches: what is read, and what is to be written from it.

Three ragged fields: `source` (T, B), or (T, B, K) with K symbols at each place; `symbols` (S, B), what a decoder reads,
a start symbol first; `targets` (S, B), what it is to write, an end symbol last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from unrolled.batch import Batch, Ragged
from unrolled.data.examples import Fields, Gather


def ragged(items: Sequence[np.ndarray]) -> Ragged:
    """Arrays (T_i, ...) of whole numbers side by side, (T, B, ...), zero past each length; T is 1 at least."""
    lengths = [len(item) for item in items]
    values = np.zeros((max(1, *lengths), len(items), *items[0].shape[1:]), dtype=np.int64)
    for row, item in enumerate(items):
        values[: len(item), row] = item
    return Ragged(torch.from_numpy(values), torch.tensor(lengths))


def fields(sources: Sequence[np.ndarray], targets: Sequence[np.ndarray], start: int, end: int) -> Fields:
    """The fields of these pairs. start, end: symbols of the target."""
    return {
        "source": ragged(sources),
        "symbols": ragged([np.concatenate([[start], target]) for target in targets]),
        "targets": ragged([np.concatenate([target, [end]]) for target in targets]),
    }


def gather(sources: Sequence[np.ndarray], targets: Sequence[np.ndarray], start: int, end: int) -> Gather:
    """For `examples.Shuffled`: the fields of the pairs with these numbers."""

    def chosen(numbers: np.ndarray) -> Fields:
        return fields([sources[i] for i in numbers], [targets[i] for i in numbers], start, end)

    return chosen


def by_length(lengths: Sequence[int], batch_size: int) -> Iterator[np.ndarray]:
    """Numbers of the items, `batch_size` at a time, the longest first, so that little of a batch is padding."""
    order = np.argsort([-length for length in lengths], kind="stable")
    for first in range(0, len(order), batch_size):
        yield order[first : first + batch_size]


def in_order(
    sources: Sequence[np.ndarray], targets: Sequence[np.ndarray], start: int, end: int, batch_size: int
) -> Iterator[Batch]:
    """Every pair once, sorted by the length of its target."""
    for numbers in by_length([len(target) for target in targets], batch_size):
        yield Batch(gather(sources, targets, start, end)(numbers), origin=f"pairs {numbers[0]} …")
