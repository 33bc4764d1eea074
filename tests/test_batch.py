"""Batches: fields by name, ragged where they are ragged."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unrolled.batch import Batch, Ragged


@given(lengths=st.lists(st.integers(0, 6), min_size=1, max_size=5))
def test_the_mask_counts_exactly_the_lengths(lengths):
    mask = Ragged(torch.zeros(6, len(lengths), 2), torch.tensor(lengths)).mask()
    assert mask.dtype == torch.bool
    for row, length in enumerate(lengths):
        assert mask[:, row].tolist() == [True] * length + [False] * (6 - length)


def test_fields_are_read_as_what_they_are():
    ragged, plain = Ragged(torch.zeros(2, 1), torch.tensor([1])), torch.ones(2, 1)
    batch = Batch({"symbols": ragged, "targets": plain})
    assert batch.ragged("symbols") is ragged
    assert batch.tensor("targets") is plain
    with pytest.raises(TypeError, match=r"'symbols' is ragged: read it with .ragged\('symbols'\)"):
        batch.tensor("symbols")
    with pytest.raises(TypeError, match="'targets' is a plain tensor"):
        batch.ragged("targets")
    with pytest.raises(KeyError, match=r"has the fields \['symbols', 'targets'\], not 'target'"):
        batch["target"]


def test_map_reaches_every_tensor_and_keeps_the_rest():
    batch = Batch(
        {"a": torch.ones(2, 3), "b": Ragged(torch.ones(2, 3), torch.tensor([1, 2, 0]))},
        fresh=torch.tensor([True, False, True]),
        rows=(3, 9),
        origin="window 7",
    )
    seen = []
    doubled = batch.map(lambda tensor: seen.append(tensor) or (tensor if tensor.dtype == torch.bool else tensor * 2))
    assert len(seen) == 4
    assert doubled.tensor("a").eq(2).all()
    assert doubled.ragged("b").values.eq(2).all()
    assert doubled.ragged("b").lengths.tolist() == [2, 4, 0]
    assert doubled.fresh.tolist() == [True, False, True]
    assert (doubled.rows, doubled.origin) == ((3, 9), "window 7")
    assert Batch({}).map(torch.neg).fresh is None
