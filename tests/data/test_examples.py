"""Sources of whole examples: a pure function of the number, alike for any division of the rows."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from unrolled.batch import Batch, Ragged
from unrolled.data.examples import Drawn, Fields, Shuffled, held_out
from unrolled.data.long_memory import adding, copying
from unrolled.data.pronouns import split_pairs, who_is_he
from unrolled.data.weather_reports import is_it_raining
from unrolled.errors import DataError, OptionError

DRAWS = {
    "adding": adding(10),
    "copying": copying(3),
    "who-is-he": who_is_he(split_pairs()[0]),
    "is-it-raining": is_it_raining,
}


def tensors(batch: Batch) -> list[torch.Tensor]:
    found = []
    for value in batch.fields.values():
        found += [value.values, value.lengths] if isinstance(value, Ragged) else [value]
    return found


def same(one: Batch, other: Batch) -> bool:
    return all(torch.equal(a, b) for a, b in zip(tensors(one), tensors(other), strict=True))


def numbered(places: np.ndarray) -> Fields:
    return {"inputs": torch.from_numpy(places)[None]}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS.keys())
def test_a_drawn_batch_follows_from_seed_and_number(draw) -> None:
    source = Drawn(draw, 6, 1, "rows")
    assert same(source.batch(4), Drawn(draw, 6, 1, "rows").batch(4))
    assert not same(source.batch(4), source.batch(5))
    assert not same(source.batch(4), Drawn(draw, 6, 2, "rows").batch(4))


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS.keys())
def test_two_processes_see_what_one_sees(draw) -> None:
    source = Drawn(draw, 6, 1, "rows")
    whole, parts = source.batch(3), [source.for_rows(0, 2).batch(3), source.for_rows(2, 4).batch(3)]
    assert [part.rows for part in parts] == [(0, 6), (2, 6)]
    for name, value in whole.fields.items():
        if isinstance(value, Ragged):
            values = torch.cat([part.ragged(name).values for part in parts], 1)
            assert torch.equal(values, value.values)
            assert torch.equal(torch.cat([part.ragged(name).lengths for part in parts]), value.lengths)
        else:
            assert torch.equal(torch.cat([part.tensor(name) for part in parts], 1), value)


def test_what_is_held_out_is_none_of_the_training_whatever_the_seed() -> None:
    draw = adding(4)
    kept = {tuple(row) for batch in held_out(draw, 250, 0) for row in batch.tensor("inputs")[..., 0].T.tolist()}
    other = {tuple(row) for batch in held_out(draw, 250, 1) for row in batch.tensor("inputs")[..., 0].T.tolist()}
    assert len(kept) == len(other) == 250
    trained = {
        tuple(row)
        for seed in range(3)
        for number in range(20)
        for row in Drawn(draw, 100, seed, "rows").batch(number).tensor("inputs")[..., 0].T.tolist()
    }
    assert not kept & other and not (kept | other) & trained


@pytest.mark.parametrize(("count", "rows"), [(12, 4), (13, 4), (4, 4), (7, 1)])
def test_an_epoch_has_each_example_once_but_for_the_last_batchs_filling(count: int, rows: int) -> None:
    source = Shuffled(numbered, count, rows, 3, "rows")
    assert source.batches_per_epoch == -(-count // rows)
    orders = []
    for epoch in range(2):
        batches = [source.batch(epoch * source.batches_per_epoch + place) for place in range(source.batches_per_epoch)]
        order = [number for batch in batches for number in batch.tensor("inputs")[0].tolist()]
        met = Counter(order)
        assert set(met) == set(range(count)) and max(met.values()) <= 2
        assert len(order) == source.batches_per_epoch * rows
        orders.append(order)
    assert count < 5 or orders[0] != orders[1]
    # Going back gives the same again, and so do the parts of several processes.
    again = source.for_rows(0, rows).batch(0)
    assert torch.equal(again.tensor("inputs"), source.batch(0).tensor("inputs"))
    last = source.for_rows(rows - 1, 1).batch(1) if source.batches_per_epoch > 1 else None
    assert last is None or torch.equal(last.tensor("inputs")[0], source.batch(1).tensor("inputs")[0, -1:])


def test_examples_of_one_length_come_together_and_shards_share_their_padding() -> None:
    lengths = np.random.default_rng(0).integers(1, 40, 1000)

    def gather(chosen: np.ndarray) -> dict[str, Ragged]:
        values = torch.zeros(int(lengths[chosen].max()), len(chosen), dtype=torch.int64)
        values[0] = torch.from_numpy(chosen)
        return {"inputs": Ragged(values, torch.from_numpy(lengths[chosen]))}

    source = Shuffled(gather, 1000, 16, 0, "rows", lengths=lengths)
    read = counted = 0
    seen: Counter[int] = Counter()
    for place in range(source.batches_per_epoch):
        field = source.batch(place).ragged("inputs")
        read, counted = read + field.values.numel(), counted + int(field.lengths.sum())
        seen.update(field.values[0].tolist())
    # Mixed at random it would be about a half.
    assert counted / read > 0.85
    assert set(seen) == set(range(1000)) and max(seen.values()) <= 2
    whole, shards = source.batch(5), [source.for_rows(first, count).batch(5) for first, count in ((0, 5), (5, 11))]
    together = torch.cat([shard.ragged("inputs").values for shard in shards], 1)
    assert torch.equal(together, whole.ragged("inputs").values)
    assert [shard.rows for shard in shards] == [(0, 16), (5, 16)]


def test_mistakes() -> None:
    with pytest.raises(DataError, match=r"3 examples to train on, fewer than one batch: give --batch-size 3 or less"):
        Shuffled(numbered, 3, 4, 0, "rows")
    with pytest.raises(OptionError, match="give each process one row"):
        Drawn(adding(4), 2, 0, "rows").for_rows(2, 1)
