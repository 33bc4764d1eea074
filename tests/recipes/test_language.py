"""What the recipes over text share: a mean over batches of any number of rows, and texts drawn side by side."""

from __future__ import annotations

import pytest
import torch

from unrolled.cells.gru import GRU
from unrolled.data.sequences import in_order
from unrolled.models.language_model import LanguageModel
from unrolled.recipes import language


def test_a_last_batch_of_fewer_rows_begins_afresh_as_the_others_do() -> None:
    model = LanguageModel(GRU, 5, 4, (6,)).double()
    items = [torch.randint(3, (length,)).numpy() for length in (3, 5, 2, 4, 1)]
    alone = [language.mean_loss(model, in_order([item], 3, 4, batch_size=1)) for item in items]
    expected = sum(loss * (len(item) + 1) for loss, item in zip(alone, items, strict=True)) / (15 + 5)
    assert language.mean_loss(model, in_order(items, 3, 4, batch_size=2)) == pytest.approx(expected, rel=1e-12)


def test_texts_side_by_side_end_where_they_end() -> None:
    model = LanguageModel(GRU, 4, 4, (6,))
    drawn = language.draw(model, [0, 1], 50, 8, 1.0, seed=3, end=2)
    whole = language.draw(model, [0, 1], 50, 8, 1.0, seed=3)
    assert drawn == [text[: text.index(2)] if 2 in text else text for text in whole]
    assert {len(text) for text in whole} == {8} and min(map(len, drawn)) < 2
    assert model.training
