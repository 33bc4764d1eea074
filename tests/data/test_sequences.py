"""Short texts: each once an epoch, whole, between its two symbols."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unrolled.batch import Batch
from unrolled.data.sequences import Sequences, in_order, lines, random_split
from unrolled.errors import DataError, OptionError

START, END = 1000, 1001


def items(count: int, longest: int = 12) -> list[np.ndarray]:
    """Of all lengths from 0 on; the first symbols say which it is."""
    draw = np.random.default_rng(0)
    return [np.full(draw.integers(0, longest + 1), place, dtype=np.uint16) for place in range(count)]


def unpacked(batch: Batch) -> list[tuple[int, ...]]:
    """The items of a batch, by a plain walk; checks both ends on the way."""
    symbols, targets = batch.ragged("symbols"), batch.ragged("targets")
    assert batch.fresh is not None
    assert batch.fresh.all()
    assert torch.equal(symbols.lengths, targets.lengths)
    found = []
    for row, length in enumerate(symbols.lengths.tolist()):
        read = symbols.values[:length, row].tolist()
        expected = targets.values[:length, row].tolist()
        assert read[0] == START
        assert expected[-1] == END
        assert read[1:] == expected[:-1]
        found.append(tuple(read[1:]))
    return found


def plain(sequences: list[np.ndarray]) -> list[tuple[int, ...]]:
    return [tuple(item.tolist()) for item in sequences]


@given(st.integers(1, 120), st.integers(1, 9), st.integers(0, 5))
def test_an_epoch_has_each_item_once_but_for_the_last_batchs_filling(count: int, rows: int, epoch: int) -> None:
    rows = min(rows, count)
    # Every item distinct, so that they can be counted.
    sequences = [np.array([place] * (1 + place % 5)) for place in range(count)]
    source = Sequences(sequences, rows, 7, START, END)
    met: Counter[tuple[int, ...]] = Counter()
    for place in range(source.batches_per_epoch):
        found = unpacked(source.batch(epoch * source.batches_per_epoch + place))
        assert len(found) == rows
        met.update(found)
    assert met.keys() == set(plain(sequences))
    assert max(met.values()) <= 2
    assert met.total() - count == -count % rows


def test_empty_items_are_items() -> None:
    source = Sequences([np.array([], np.uint8)], 1, 0, START, END)
    batch = source.batch(0)
    assert unpacked(batch) == [()]
    assert batch.ragged("targets").values.tolist() == [[END]]


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    sequences = items(200)

    def epoch(seed: int, number: int) -> list[list[tuple[int, ...]]]:
        source = Sequences(sequences, 10, seed, START, END)
        return [unpacked(source.batch(number * 20 + place)) for place in range(20)]

    assert epoch(0, 0) == epoch(0, 0)
    assert epoch(0, 0) != epoch(0, 1)
    assert epoch(0, 0) != epoch(1, 0)


def test_a_batch_does_not_depend_on_those_asked_for_before() -> None:
    source = Sequences(items(50), 4, 0, START, END)
    asked = [40, 0, 13, 12, 13, 0]
    fresh = [unpacked(Sequences(items(50), 4, 0, START, END).batch(number)) for number in asked]
    assert [unpacked(source.batch(number)) for number in asked] == fresh


def test_little_is_padding() -> None:
    source = Sequences(items(3000, longest=15), 32, 0, START, END)
    counted = read = 0
    for place in range(source.batches_per_epoch):
        targets = source.batch(place).ragged("targets")
        assert targets.values.shape[0] == targets.lengths.max()
        counted += int(targets.lengths.sum())
        read += targets.values.numel()
    # Mixed at random, 16 steps a batch for 8.5 on average: about half.
    assert counted / read > 0.85
    # And yet short ones do not all come first.
    lengths = [source.batch(place).ragged("targets").lengths.float().mean().item() for place in range(90)]
    assert 0.3 < (np.diff(lengths) > 0).mean() < 0.7


@given(st.integers(1, 60), st.integers(1, 8), st.integers(0, 40), st.data())
def test_the_shards_of_a_batch_are_the_batch(count: int, rows: int, number: int, data: st.DataObject) -> None:
    rows = min(rows, count)
    source = Sequences(items(count), rows, 7, START, END)
    cut = data.draw(st.integers(1, rows))
    shards = [source.for_rows(first, size) for first, size in [(0, cut), (cut, rows - cut)] if size]
    whole = source.batch(number)
    pieces = [shard.batch(number) for shard in shards]
    for name in ("symbols", "targets"):
        together = torch.cat([piece.ragged(name).values for piece in pieces], 1)
        assert torch.equal(together, whole.ragged(name).values)
        assert torch.equal(torch.cat([piece.ragged(name).lengths for piece in pieces]), whole.ragged(name).lengths)
    assert [piece.rows for piece in pieces] == [(0, rows), (cut, rows)][: len(pieces)]
    assert whole.rows is None


@given(st.integers(0, 60), st.integers(1, 9))
def test_in_order_is_every_item_as_it_stands(count: int, rows: int) -> None:
    sequences = items(count)
    found = [item for batch in in_order(sequences, START, END, rows) for item in unpacked(batch)]
    assert found == plain(sequences)


def test_too_few_items_for_a_batch() -> None:
    with pytest.raises(
        DataError, match="3 sequences to train on, fewer than one batch of 4: give --batch-size 3 or less"
    ):
        Sequences(items(3), 4, 0, START, END)
    with pytest.raises(DataError, match="give a list that is not empty"):
        Sequences([], 1, 0, START, END)
    with pytest.raises(OptionError, match="--batch-size 0"):
        Sequences(items(3), 0, 0, START, END)
    with pytest.raises(OptionError, match="rows 1 to 2 of a batch of 2"):
        Sequences(items(3), 2, 0, START, END).for_rows(1, 2)


def test_lines_are_items(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    content = b"\xef\xbb\xbfanna\r\n\r\n bert \nanna\rz\xc3\xb6e\n\xe2\x80\xa8"
    path.write_bytes(content)
    listed = lines([path])
    assert listed.items == ["anna", "bert", "anna", "zöe"]
    assert listed.summary == "names.txt: 4 lines, 3 of them different"
    assert listed.digest == hashlib.sha256(content).hexdigest()
    path.write_bytes("zöe".encode("latin-1"))
    assert lines([path], "latin-1").items == ["zöe"]
    with pytest.raises(DataError, match="not utf-8 at byte 1"):
        lines([path])


def test_a_list_without_lines(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_text(" \n\n\t\n")
    with pytest.raises(DataError, match=r"names.txt: empty, where one item a line was expected"):
        lines([path])


@given(st.lists(st.integers(), max_size=40, unique=True), st.lists(st.integers(0, 8), max_size=3), st.integers(0, 99))
def test_a_split_shares_out_every_item(everything: list[int], held_out: list[int], seed: int) -> None:
    if sum(held_out) >= len(everything):
        with pytest.raises(DataError, match="none is left to train on"):
            random_split(everything, held_out, seed)
        return
    parts = random_split(everything, held_out, seed)
    assert [len(part) for part in parts] == [len(everything) - sum(held_out), *held_out]
    assert sorted(item for part in parts for item in part) == sorted(everything)
    for part in parts:
        assert part == sorted(part, key=everything.index)
    assert random_split(everything, held_out, seed) == parts


def test_a_split_comes_from_its_seed() -> None:
    everything = list(range(1000))
    _, first = random_split(everything, (100,), 0)
    _, other = random_split(everything, (100,), 1)
    assert first != other
    assert 350 < np.mean(first) < 650
    with pytest.raises(OptionError, match="sizes of 0 or more"):
        random_split(everything, (-1,), 0)
