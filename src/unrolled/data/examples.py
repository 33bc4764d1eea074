"""Batches of whole examples, each from zero state: drawn anew for ever, or a set that is gone through epoch by epoch.

Both are a `batch.Source`: a pure function of the batch's number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch

from unrolled.batch import Batch, Ragged
from unrolled.data.order import epoch_order
from unrolled.data.randomness import Purpose, draws
from unrolled.data.streams import checked_rows
from unrolled.errors import DataError

Fields = Mapping[str, torch.Tensor | Ragged]
#: Fields of so many examples, drawn from a generator.
Draw = Callable[[np.random.Generator, int], Fields]
#: Fields of the examples with these numbers (N,).
Gather = Callable[[np.ndarray], Fields]

#: Nothing repeats where examples are drawn anew: an epoch is so many batches, by agreement.
BATCHES_PER_EPOCH = 100


class Drawn:
    """Examples that a function draws, never the same twice.

    draw: called as draw(generator, batch_size). A field of a sequence as a whole, its class say, has T = 1.
    batch_size: B. seed: of what is drawn. rows: (first, count) of the rows that this process reads; None is all.
    unit: what is counted.
    """

    batches_per_epoch = BATCHES_PER_EPOCH

    def __init__(self, draw: Draw, batch_size: int, seed: int, unit: str, rows: tuple[int, int] | None = None) -> None:
        self.draw, self.batch_size, self.seed, self.unit, self.rows = draw, batch_size, seed, unit, rows
        self._first, self._count = checked_rows(rows, batch_size)

    def batch(self, number: int) -> Batch:
        """Batch `number` (0, 1, …). The whole of it is drawn, so that a row does not depend on who reads it."""
        fields = self.draw(draws(self.seed, Purpose.EXAMPLES, number), self.batch_size)
        if self.rows is None:
            return Batch(fields, origin=f"drawn batch {number}")
        own = {name: _rows(value, self._first, self._count) for name, value in fields.items()}
        return Batch(own, rows=(self._first, self.batch_size), origin=f"drawn batch {number}")

    def for_rows(self, first: int, count: int) -> Drawn:
        """The same batches, giving rows first … first + count − 1 of each."""
        return Drawn(self.draw, self.batch_size, self.seed, self.unit, (first, count))


def held_out(draw: Draw, count: int, part: int, batch_size: int = 100) -> list[Batch]:
    """`count` examples of a part (0, 1, …) that no training draws from, and that no run's seed changes."""
    sizes = [min(batch_size, count - first) for first in range(0, count, batch_size)]
    generator = draws(0, Purpose.HELD_OUT, part)
    return [Batch(draw(generator, size), origin=f"held-out part {part}") for size in sizes]


class Shuffled:
    """A set of examples, each once an epoch, in an order of the epoch's own.

    gather: the examples with these numbers. count: N, how many there are. The others are as for `Drawn`.
    lengths: (N,), so that examples of about the same length come together and little of a batch is padding.

    Those that fill up an epoch's last batch come twice in it.
    """

    def __init__(
        self,
        gather: Gather,
        count: int,
        batch_size: int,
        seed: int,
        unit: str,
        rows: tuple[int, int] | None = None,
        lengths: np.ndarray | None = None,
    ) -> None:
        if count < batch_size:
            raise DataError(
                f"{count:,} examples to train on, fewer than one batch: give --batch-size {max(1, count)} or less"
            )
        self.gather, self.count, self.batch_size, self.seed = gather, count, batch_size, seed
        self.unit, self.rows, self.lengths = unit, rows, lengths
        self.batches_per_epoch = -(-count // batch_size)
        self._first, self._count = checked_rows(rows, batch_size)
        # The order of the epoch that was asked for last: making it anew for each batch would be slow, not wrong.
        self._epoch = -1
        self._order = np.zeros((0, batch_size), dtype=np.int64)

    def batch(self, number: int) -> Batch:
        """Batch `number` (0, 1, …)."""
        epoch, place = divmod(number, self.batches_per_epoch)
        if epoch != self._epoch:
            self._epoch = epoch
            self._order = epoch_order(self.count, self.batch_size, self.seed, epoch, self.lengths)
        chosen = self._order[place]
        origin = f"batch {place + 1} of epoch {epoch + 1}"
        if self.rows is None:
            return Batch(self.gather(chosen), origin=origin)
        # The whole batch is gathered: ragged rows are as long as its longest, so that every process draws masks of one
        # shape.
        own = {name: _rows(value, self._first, self._count) for name, value in self.gather(chosen).items()}
        return Batch(own, rows=(self._first, self.batch_size), origin=origin)

    def for_rows(self, first: int, count: int) -> Shuffled:
        """The same batches, giving rows first … first + count − 1 of each."""
        return Shuffled(self.gather, self.count, self.batch_size, self.seed, self.unit, (first, count), self.lengths)


def _rows(value: torch.Tensor | Ragged, first: int, count: int) -> torch.Tensor | Ragged:
    if isinstance(value, Ragged):
        return Ragged(value.values[:, first : first + count], value.lengths[first : first + count])
    return value[:, first : first + count]
