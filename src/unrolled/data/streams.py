"""Windows over one long text: side-by-side streams for training by truncated backpropagation, and two readings in full.

A window of T steps reads the symbols s … s+T−1 and is to predict s+1 … s+T.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import torch

from unrolled.batch import Batch, Ragged
from unrolled.data.randomness import Purpose, draws
from unrolled.errors import DataError, OptionError


class Streams:
    """B streams that read a text side by side, window by window, with the state carried: a `batch.Source`.

    ids: (N,) symbols, of any integer type; never copied as a whole.
    batch_size: B. window: T. seed: of offsets and resets.
    reset_probability: with which a stream starts from zero state at a window's start.
    offsets: whether each epoch cuts the text at borders of its own. Without, an epoch begins at the first symbol, and
        B = 1 reads the text from its beginning to its last whole window, as min-char-rnn does.
    rows: (first, count) of the rows that this process reads; None is all.

    An epoch cuts the text into consecutive windows, from symbol φ on (0 ≤ φ < T), and lays them in a ring of M. Stream
    b reads M // B neighbouring ones, from window r + b·(M // B) on. With offsets, φ and r are drawn for each epoch.
    `fresh` is true where a stream begins its epoch, where it passes from the text's last window to its first, and
    where a reset is drawn. So each target comes at most once an epoch; those that do not come are the M mod B windows
    left over, and the fewer than 2·T symbols at the text's ends that fill no window.

    Fields: `symbols` and `targets`, (T, B) int64.
    """

    def __init__(
        self,
        ids: np.ndarray,
        batch_size: int,
        window: int,
        seed: int,
        reset_probability: float = 0.0,
        offsets: bool = True,
        rows: tuple[int, int] | None = None,
        unit: str = "characters",
    ) -> None:
        if batch_size < 1 or window < 1:
            raise OptionError(f"--batch-size {batch_size} --window {window}: both must be 1 or more")
        if not 0 <= reset_probability <= 1:
            raise OptionError(f"a reset probability from 0 to 1 was expected, not {reset_probability}")
        # A plain view: slicing a memmap itself makes a new memmap each time, which is slow.
        self.ids = np.asarray(ids)
        self.batch_size = batch_size
        self.window = window
        self.seed = seed
        self.reset_probability = reset_probability
        self.offsets = offsets
        self.unit = unit
        self.rows = rows
        self._first, self._count = checked_rows(rows, batch_size)
        # With offsets, the first φ symbols of up to T − 1 stay out.
        self.windows = max(0, (len(ids) - (window if offsets else 1)) // window)
        self.batches_per_epoch = self.windows // batch_size
        if self.batches_per_epoch == 0:
            raise DataError(self._too_short())

    def batch(self, number: int) -> Batch:
        """Batch `number` (0, 1, …)."""
        epoch, place = divmod(number, self.batches_per_epoch)
        phase, rotation = self._cut(epoch)
        streams = np.arange(self._first, self._first + self._count)
        windows = (rotation + streams * self.batches_per_epoch + place) % self.windows
        gathered = np.empty((self.window + 1, self._count), dtype=np.int64)
        for column, start in enumerate((phase + windows * self.window).tolist()):
            gathered[:, column] = self.ids[start : start + self.window + 1]
        both = torch.from_numpy(gathered)
        fresh = (windows == 0) | (place == 0) | self._resets(number)
        return Batch(
            {"symbols": both[:-1], "targets": both[1:]},
            torch.from_numpy(fresh),
            None if self.rows is None else (self._first, self.batch_size),
            origin=f"window {place + 1} of epoch {epoch + 1}",
        )

    def for_rows(self, first: int, count: int) -> Streams:
        """The same streams, giving rows first … first + count − 1 of each global batch."""
        return Streams(
            self.ids,
            self.batch_size,
            self.window,
            self.seed,
            self.reset_probability,
            self.offsets,
            (first, count),
            self.unit,
        )

    def _cut(self, epoch: int) -> tuple[int, int]:
        """(φ, r) of an epoch."""
        if not self.offsets:
            return 0, 0
        generator = draws(self.seed, Purpose.OFFSETS, epoch)
        return int(generator.integers(self.window)), int(generator.integers(self.windows))

    def _resets(self, number: int) -> np.ndarray:
        """(count,) bool. Drawn for every global row, so that a row's does not depend on who reads it."""
        if self.reset_probability == 0:
            return np.zeros(self._count, dtype=bool)
        drawn = draws(self.seed, Purpose.RESETS, number).random(self.batch_size) < self.reset_probability
        return drawn[self._first : self._first + self._count]

    def _too_short(self) -> str:
        size, batch_size, window = len(self.ids), self.batch_size, self.window
        ways = []
        if self.windows:
            ways.append(f"--batch-size {self.windows} or less")
        # B windows and, with offsets, one more: the largest T that still fits.
        widest = size // (batch_size + 1) if self.offsets else (size - 1) // batch_size
        if widest > 0:
            ways.append(f"--window {widest} or less")
        needed = (batch_size + 1) * window if self.offsets else batch_size * window + 1
        return (
            f"the training part is too short: {size:,} symbols, where {batch_size} streams of one window of {window} "
            f"need {needed:,}. Give {' or '.join([*ways, 'a longer text'])}"
        )


def carried_windows(ids: np.ndarray, window: int, streams: int = 1, warm_up: int = 0) -> Iterator[Batch]:
    """The whole part once, to be read with the state carried; every symbol but the first is a counted target once.

    streams: 1 reads it in one go, which is exact. With more, each reads its own stretch, of equal length to within one
        symbol, after the `warm_up` symbols before it, so that its state is about what one go would have brought.

    All rows are fresh in the first batch and in none after it. The warm-up is a batch of its own whose targets are
    ragged with lengths 0, so that nothing in it counts. Then come plain windows, the last one shorter, and ragged
    where stretches differ.
    """
    targets = len(ids) - 1
    if targets < 1:
        raise DataError(f"a part of {len(ids)} symbols has nothing to predict: 2 or more are needed")
    streams = min(streams, targets)
    borders = [targets * stream // streams for stream in range(streams + 1)]
    starts = borders[:-1]
    fresh = torch.ones(streams, dtype=torch.bool)
    if streams > 1 and warm_up > 0:
        lengths = [min(warm_up, start) for start in starts]
        values = np.zeros((max(lengths), streams), dtype=np.int64)
        for stream, (start, length) in enumerate(zip(starts, lengths, strict=True)):
            values[:length, stream] = ids[start - length : start]
        symbols = Ragged(torch.from_numpy(values), torch.tensor(lengths))
        nothing = Ragged(torch.zeros_like(symbols.values), torch.zeros_like(symbols.lengths))
        yield Batch({"symbols": symbols, "targets": nothing}, fresh, origin="warm-up")
        fresh = torch.zeros_like(fresh)
    sizes = [last - first for first, last in itertools.pairwise(borders)]
    for place in range(0, max(sizes), window):
        lengths = [min(window, size - place) for size in sizes]
        values = np.zeros((max(lengths) + 1, streams), dtype=np.int64)
        for stream, (start, length) in enumerate(zip(starts, lengths, strict=True)):
            values[: length + 1, stream] = ids[start + place : start + place + length + 1]
        both = torch.from_numpy(values)
        origin = f"symbols {place:,} to {place + max(lengths):,} of each stream"
        if min(lengths) == max(lengths):
            yield Batch({"symbols": both[:-1], "targets": both[1:]}, fresh, origin=origin)
        else:
            count = torch.tensor(lengths)
            yield Batch({"symbols": Ragged(both[:-1], count), "targets": Ragged(both[1:], count)}, fresh, origin=origin)
        fresh = torch.zeros_like(fresh)


def zero_state_windows(ids: np.ndarray, length: int = 256, batch_size: int = 64) -> Iterator[Batch]:
    """The whole part once, in consecutive windows of `length`, each from zero state; all counted.

    Every symbol but the first is a target once. The last, shorter window is a batch of its own.
    """
    targets = len(ids) - 1
    if targets < 1:
        raise DataError(f"a part of {len(ids)} symbols has nothing to predict: 2 or more are needed")
    whole = targets // length
    for first in range(0, whole, batch_size):
        rows = min(batch_size, whole - first)
        begin = first * length
        stretch = np.array(ids[begin : begin + rows * length + 1], dtype=np.int64)
        symbols, expected = stretch[:-1].reshape(rows, length), stretch[1:].reshape(rows, length)
        yield _window_batch(symbols, expected, f"windows {first + 1} to {first + rows}")
    if rest := targets - whole * length:
        stretch = np.array(ids[whole * length : whole * length + rest + 1], dtype=np.int64)
        yield _window_batch(stretch[None, :-1], stretch[None, 1:], f"window {whole + 1}")


def checked_rows(rows: tuple[int, int] | None, batch_size: int) -> tuple[int, int]:
    """(first, count), of a batch of `batch_size`."""
    first, count = (0, batch_size) if rows is None else rows
    if first < 0 or count < 1 or first + count > batch_size:
        raise OptionError(
            f"rows {first} to {first + count - 1} of a batch of {batch_size}: give each process one row or more, by "
            "--batch-size"
        )
    return first, count


def _window_batch(symbols: np.ndarray, targets: np.ndarray, origin: str) -> Batch:
    """(B, T) arrays → a batch whose rows are all fresh."""
    fields = {
        "symbols": torch.from_numpy(np.ascontiguousarray(symbols.T)),
        "targets": torch.from_numpy(np.ascontiguousarray(targets.T)),
    }
    return Batch(fields, origin=origin)
