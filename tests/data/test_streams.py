"""Every position is met, once, in order, by whoever reads it."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from unrolled.batch import Batch
from unrolled.data.streams import Streams, carried_windows, zero_state_windows
from unrolled.errors import DataError, OptionError

#: Shapes of a training: symbols, rows, steps.
SHAPES = (st.integers(3, 400), st.integers(1, 6), st.integers(1, 9))


def made(size: int, rows: int, window: int, **settings: object) -> Streams:
    """Streams over 0, 1, 2, …: a symbol is its own position."""
    settings = {"seed": 3, **settings}
    try:
        return Streams(np.arange(size, dtype=np.uint16), rows, window, **settings)  # type: ignore[arg-type]
    except DataError:
        assume(False)
        raise


def fields(batch: Batch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    assert batch.fresh is not None
    return batch.tensor("symbols"), batch.tensor("targets"), batch.fresh


@given(*SHAPES, st.booleans(), st.integers(0, 2**63 - 1), st.integers(0, 50))
def test_an_epoch_meets_each_target_once_and_nearly_all(
    size: int, rows: int, window: int, offsets: bool, seed: int, epoch: int
) -> None:
    source = made(size, rows, window, offsets=offsets, seed=seed)
    met: Counter[int] = Counter()
    for place in range(source.batches_per_epoch):
        symbols, targets, _ = fields(source.batch(epoch * source.batches_per_epoch + place))
        assert symbols.shape == targets.shape == (window, rows)
        assert symbols.dtype == targets.dtype == torch.int64
        assert torch.equal(targets, symbols + 1)
        assert torch.equal(symbols[1:], targets[:-1])
        met.update(targets.flatten().tolist())
    assert set(met.values()) == {1}
    assert met.keys() <= set(range(1, size))
    # What the docstring allows: fewer than B windows left over, and what fills no window at the two ends.
    assert (size - 1) - len(met) <= (rows - 1) * window + (2 * window - 2 if offsets else window - 1)


@given(*SHAPES, st.booleans())
def test_a_stream_goes_on_where_it_left_off_unless_it_is_fresh(
    size: int, rows: int, window: int, offsets: bool
) -> None:
    source = made(size, rows, window, offsets=offsets)
    before = None
    for number in range(2 * source.batches_per_epoch):
        symbols, targets, fresh = fields(source.batch(number))
        if number % source.batches_per_epoch == 0:
            assert fresh.all()
        else:
            went_on = symbols[0] == before
            assert torch.equal(went_on, ~fresh)
            # The seam of the text: its windows begin again.
            assert (symbols[0][fresh] < window).all()
            assert fresh.sum() <= 1
        before = targets[-1]


@given(*SHAPES, st.data())
def test_the_shards_of_a_batch_are_the_batch(size: int, rows: int, window: int, data: st.DataObject) -> None:
    source = made(size, rows, window, reset_probability=0.3)
    cuts = sorted(data.draw(st.sets(st.integers(1, rows - 1), max_size=3))) if rows > 1 else []
    shards = [source.for_rows(first, last - first) for first, last in itertools.pairwise([0, *cuts, rows])]
    for number in data.draw(st.lists(st.integers(0, 1000), min_size=1, max_size=3)):
        whole = source.batch(number)
        pieces = [shard.batch(number) for shard in shards]
        for place, expected in enumerate(fields(whole)):
            together = torch.cat([fields(piece)[place] for piece in pieces], dim=-1)
            assert torch.equal(together, expected)
        assert whole.rows is None
        assert [piece.rows for piece in pieces] == [(first, rows) for first in [0, *cuts]]


def test_a_batch_is_a_function_of_its_number_and_the_seed() -> None:
    settings = {"reset_probability": 0.2}
    source, again = made(5000, 4, 10, **settings), made(5000, 4, 10, **settings)
    other = made(5000, 4, 10, seed=4, **settings)
    numbers = [700, 3, 0, 3, 250]
    for number in numbers:
        for one, two in zip(fields(source.batch(number)), fields(again.batch(number)), strict=True):
            assert torch.equal(one, two)
    assert not torch.equal(source.batch(3).tensor("symbols"), other.batch(3).tensor("symbols"))
    resets = [torch.stack([fields(s.batch(number))[2] for number in range(100)]) for s in (source, other)]
    assert not torch.equal(*resets)


def test_every_epoch_cuts_at_borders_of_its_own() -> None:
    source = made(5000, 4, 10)
    starts = [source.batch(epoch * source.batches_per_epoch).tensor("symbols")[0, 0].item() for epoch in range(40)]
    assert len({start % 10 for start in starts}) == 10
    # Streams begin all over the text, not only near its beginning.
    assert min(starts) < 1250
    assert max(starts) > 3750


def test_resets_come_as_often_as_asked_and_row_by_row() -> None:
    source = made(60_000, 8, 5, reset_probability=0.1)
    fresh = torch.stack([fields(source.batch(number))[2] for number in range(1, 1001)])
    assert fresh.float().mean().item() == pytest.approx(0.1, abs=0.015)
    assert (fresh.float().mean(0) - 0.1).abs().max() < 0.04
    # Rows are drawn apart.
    assert (fresh.sum(1) == 8).sum() == 0
    never = made(60_000, 8, 5)
    assert sum(int(fields(never.batch(number))[2].sum()) for number in range(1, 1001)) <= 1
    assert fields(made(60_000, 8, 5, reset_probability=1.0).batch(7))[2].all()


def test_without_offsets_one_stream_reads_as_min_char_rnn_does() -> None:
    """Its loop: p = 0; at p + T + 1 ≥ N start again from zero state; read [p, p + T), predict [p + 1, p + T + 1)."""
    for size in (60, 76, 77, 101):
        # The published loop leaves out a last window that just fits; to read one symbol less comes to the same.
        source = made(size - 1, 1, 25, offsets=False)
        p = 0
        for number in range(10):
            reset = number == 0 or p + 25 + 1 >= size
            p = 0 if reset else p
            symbols, targets, fresh = fields(source.batch(number))
            assert symbols[:, 0].tolist() == list(range(p, p + 25))
            assert targets[:, 0].tolist() == list(range(p + 1, p + 26))
            assert bool(fresh[0]) == reset
            p += 25


@pytest.mark.parametrize("offsets", [True, False])
@given(size=st.integers(0, 200), rows=st.integers(1, 8), window=st.integers(1, 30))
def test_a_text_too_short_is_told_with_what_would_do(offsets: bool, size: int, rows: int, window: int) -> None:
    def fits(size: int, rows: int, window: int) -> bool:
        try:
            Streams(np.zeros(size, np.uint8), rows, window, 0, offsets=offsets).batch(0)
        except DataError as error:
            said.append(str(error))
            return False
        return True

    said: list[str] = []
    if fits(size, rows, window):
        return
    told = said[0].replace(",", "")
    needed = int(told.split(" need ")[1].split(".")[0])
    assert fits(needed, rows, window)
    assert not fits(needed - 1, rows, window)
    for flag in ("--batch-size", "--window"):
        if f"{flag} " in told:
            largest = int(told.split(f"{flag} ")[1].split(" ")[0])
            shape = (largest, window) if flag == "--batch-size" else (rows, largest)
            assert fits(size, *shape)
            assert not fits(size, shape[0] + (flag == "--batch-size"), shape[1] + (flag == "--window"))
    assert "a longer text" in told


def test_options_out_of_range() -> None:
    ids = np.zeros(1000, np.uint8)
    for shape in ((0, 5), (5, 0)):
        with pytest.raises(OptionError, match="both must be 1 or more"):
            Streams(ids, *shape, seed=0)
    with pytest.raises(OptionError, match="from 0 to 1"):
        Streams(ids, 2, 5, 0, reset_probability=1.5)
    for first, count in ((0, 0), (-1, 1), (1, 2), (2, 1)):
        with pytest.raises(OptionError, match="of a batch of 2"):
            Streams(ids, 2, 5, 0).for_rows(first, count)


def test_a_mapped_text_is_read_where_it_lies(tmp_path: Path) -> None:
    np.arange(2000, dtype=np.uint16).tofile(tmp_path / "ids")
    ids = np.memmap(tmp_path / "ids", np.uint16, "r")
    source = Streams(ids[100:1900], 3, 20, 0)
    assert np.shares_memory(source.ids, ids)
    symbols, targets, _ = fields(source.batch(5))
    assert torch.equal(targets, symbols + 1)
    symbols += 1  # a batch is the reader's own


def read_carried(batches: list[Batch], streams: int) -> list[tuple[list[int], list[int]]]:
    """What each row reads and what is counted of it, by a plain walk; checks fresh and the pairing on the way."""
    rows: list[tuple[list[int], list[int]]] = [([], []) for _ in range(streams)]
    for number, batch in enumerate(batches):
        assert batch.fresh is not None
        assert batch.fresh.tolist() == [number == 0] * streams
        symbols, targets = batch["symbols"], batch["targets"]
        for row in range(streams):
            if isinstance(symbols, torch.Tensor):
                assert isinstance(targets, torch.Tensor)
                read, counted = symbols[:, row].tolist(), targets[:, row].tolist()
            else:
                assert not isinstance(targets, torch.Tensor)
                read = symbols.values[: symbols.lengths[row], row].tolist()
                counted = targets.values[: targets.lengths[row], row].tolist()
            assert counted in ([], [symbol + 1 for symbol in read])
            rows[row][0].extend(read)
            rows[row][1].extend(counted)
    return rows


@given(st.integers(2, 300), st.integers(1, 40), st.integers(1, 7), st.integers(0, 30))
def test_a_carried_reading_counts_every_target_once(size: int, window: int, streams: int, warm_up: int) -> None:
    batches = list(carried_windows(np.arange(size, dtype=np.uint16), window, streams, warm_up))
    streams = min(streams, size - 1)
    rows = read_carried(batches, streams)
    assert [target for _, counted in rows for target in counted] == list(range(1, size))
    sizes = [len(counted) for _, counted in rows]
    assert max(sizes) - min(sizes) <= 1
    for read, counted in rows:
        # In one piece, without a gap between the warm-up and what counts.
        assert read == list(range(read[0], read[-1] + 1))
        assert len(read) - len(counted) == (min(warm_up, counted[0] - 1) if streams > 1 else 0)


def test_one_stream_is_the_part_in_one_go() -> None:
    batches = list(carried_windows(np.arange(26), 10, warm_up=5))
    assert [batch.tensor("symbols").shape for batch in batches] == [(10, 1), (10, 1), (5, 1)]
    assert batches[2].tensor("targets")[:, 0].tolist() == [21, 22, 23, 24, 25]


@given(st.integers(2, 300), st.integers(1, 40), st.integers(1, 7))
def test_windows_from_zero_state_count_every_target_once(size: int, length: int, batch_size: int) -> None:
    met = []
    for batch in zero_state_windows(np.arange(size, dtype=np.uint16), length, batch_size):
        symbols, targets = batch.tensor("symbols"), batch.tensor("targets")
        assert batch.fresh is None
        assert symbols.is_contiguous()
        assert torch.equal(targets, symbols + 1)
        assert symbols.shape[1] <= batch_size
        for row in range(symbols.shape[1]):
            met.append(targets[:, row].tolist())
    assert list(itertools.chain(*met)) == list(range(1, size))
    assert all(len(window) == length for window in met[:-1])


def test_a_part_of_one_symbol_has_nothing_to_predict() -> None:
    for reading in (carried_windows(np.zeros(1), 5), zero_state_windows(np.zeros(1), 5), carried_windows([], 5)):
        with pytest.raises(DataError, match="nothing to predict: 2 or more"):
            next(reading)
