"""Many short texts, names for example: one a line, each from a start symbol to an end symbol."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import torch

from unrolled.batch import Batch, Ragged
from unrolled.data import reading, text
from unrolled.data.order import epoch_order
from unrolled.data.randomness import Purpose, draws
from unrolled.data.streams import checked_rows
from unrolled.errors import DataError, OptionError

Item = TypeVar("Item")


class Lines(NamedTuple):
    """items: the lines of a list. summary: one line for a person. digest: SHA-256 of the source."""

    items: list[str]
    summary: str
    digest: str


def lines(files: Iterable[Path | str], encoding: str = "utf-8") -> Lines:
    """One item a line, without its line end and the blanks around it; lines with nothing on them do not count.

    files: as `text.find_files` takes them. DataError where they cannot be read or hold no line.
    """
    encoding = reading.check_encoding(encoding)
    found = files if isinstance(files, text.FoundFiles) else text.find_files(files)
    parts = reading.parts(found)
    whole = "".join(reading.read_text(parts, encoding))
    items = [stripped for line in reading.split_lines(whole) if (stripped := line.strip())]
    if not items:
        raise DataError(f"{found.name}: empty, where one item a line was expected: name another file")
    distinct = len(set(items))
    repeats = f", {distinct:,} of them different" if distinct < len(items) else ""
    return Lines(items, f"{found.name}: {len(items):,} lines{repeats}", reading.digest(parts))


def random_split(items: Sequence[Item], held_out: Sequence[int], seed: int) -> list[list[Item]]:
    """What is left for training, then one part of each size in `held_out`; which item goes where comes from the seed.

    Within a part the order of `items` is kept. DataError where nothing would be left for training.
    """
    if min(held_out, default=0) < 0:
        raise OptionError(f"sizes of 0 or more were expected, not {list(held_out)}")
    left = len(items) - sum(held_out)
    if left < 1:
        raise DataError(
            f"{len(items):,} items, of which {sum(held_out):,} are to be held out: none is left to train on"
        )
    order = draws(seed, Purpose.SPLIT).permutation(len(items))
    borders = np.cumsum([left, *held_out])[:-1]
    return [[items[place] for place in np.sort(part).tolist()] for part in np.split(order, borders)]


class Sequences:
    """Whole sequences in batches of B, each from zero state: a `batch.Source`.

    items: arrays of symbols, of any lengths, none included. start, end: the symbols put before and behind each.
    batch_size: B. seed: of the order. rows: (first, count) of the rows that this process reads; None is all.

    Every epoch has an order of its own, in which items of about the same length come together (order.py).

    Fields: `symbols` (start, item) and `targets` (item, end), both Ragged, of one length more than the item.
    """

    def __init__(
        self,
        items: Sequence[np.ndarray],
        batch_size: int,
        seed: int,
        start: int,
        end: int,
        rows: tuple[int, int] | None = None,
        unit: str = "characters",
    ) -> None:
        if batch_size < 1:
            raise OptionError(f"--batch-size {batch_size}: 1 or more was expected")
        if len(items) < batch_size:
            raise DataError(
                f"{len(items):,} sequences to train on, fewer than one batch of {batch_size:,}: give "
                f"{f'--batch-size {len(items)} or less' if len(items) else 'a list that is not empty'}"
            )
        self.items = items
        self.batch_size = batch_size
        self.seed = seed
        self.start = start
        self.end = end
        self.rows = rows
        self.unit = unit
        self.batches_per_epoch = -(-len(items) // batch_size)
        self._first, self._count = checked_rows(rows, batch_size)
        self._lengths = np.array([len(item) for item in items])
        # The order of the epoch that was asked for last: making it anew for each batch would be slow, not wrong.
        self._epoch = -1
        self._order = np.zeros((0, batch_size), dtype=np.int64)

    def batch(self, number: int) -> Batch:
        """Batch `number` (0, 1, …)."""
        epoch, place = divmod(number, self.batches_per_epoch)
        if epoch != self._epoch:
            self._epoch = epoch
            self._order = epoch_order(len(self.items), self.batch_size, self.seed, epoch, self._lengths)
        chosen = self._order[place]
        own = [self.items[i] for i in chosen[self._first : self._first + self._count].tolist()]
        return _ragged_batch(
            own,
            self.start,
            self.end,
            # As long as the longest of the global batch, so that every process draws masks of one shape.
            int(self._lengths[chosen].max()) + 1,
            None if self.rows is None else (self._first, self.batch_size),
            f"batch {place + 1} of epoch {epoch + 1}",
        )

    def for_rows(self, first: int, count: int) -> Sequences:
        """The same batches, giving rows first … first + count − 1 of each."""
        return Sequences(self.items, self.batch_size, self.seed, self.start, self.end, (first, count), self.unit)


def in_order(items: Sequence[np.ndarray], start: int, end: int, batch_size: int) -> Iterator[Batch]:
    """Every item once, as they stand; the last batch may have fewer rows."""
    for first in range(0, len(items), batch_size):
        own = items[first : first + batch_size]
        longest = max(len(item) for item in own) + 1
        yield _ragged_batch(own, start, end, longest, None, f"items {first + 1} to {first + len(own)}")


def _ragged_batch(
    items: Sequence[np.ndarray], start: int, end: int, longest: int, rows: tuple[int, int] | None, origin: str
) -> Batch:
    """longest: T, past every item's length + 1."""
    symbols = np.full((longest, len(items)), end, dtype=np.int64)
    targets = np.full((longest, len(items)), end, dtype=np.int64)
    symbols[0] = start
    for row, item in enumerate(items):
        symbols[1 : len(item) + 1, row] = item
        targets[: len(item), row] = item
    lengths = torch.tensor([len(item) + 1 for item in items])
    fields = {
        "symbols": Ragged(torch.from_numpy(symbols), lengths),
        "targets": Ragged(torch.from_numpy(targets), lengths),
    }
    return Batch(fields, torch.ones(len(items), dtype=torch.bool), rows, origin)
