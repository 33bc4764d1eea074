"""Pooling over steps: by hand from what the stack gives, alike for any padding."""

from __future__ import annotations

from typing import get_args

import pytest
import torch

from unrolled.batch import Batch, Ragged
from unrolled.cells.gru import GRU
from unrolled.models.sequence_classifier import Pooling, SequenceClassifier

LENGTHS = torch.tensor([4, 2, 0])


def classifier(pooling: Pooling) -> SequenceClassifier:
    torch.manual_seed(0)
    return SequenceClassifier(GRU, 6, [3], 2, embedding_size=4, two_directions=True, pooling=pooling).double().eval()


def batch(past: int = 0, steps: int = 4) -> Batch:
    values = torch.randint(0, 6, (4, 3), generator=torch.Generator().manual_seed(1))
    values[~Ragged(values, LENGTHS).mask()] = past
    longer = torch.cat([values, torch.full((steps - 4, 3), past)])
    return Batch({"inputs": Ragged(longer, LENGTHS), "targets": torch.tensor([[0, 1, 1]])})


@pytest.mark.parametrize("pooling", get_args(Pooling))
def test_the_answer_is_drawn_from_the_steps_of_each_sequence(pooling: Pooling) -> None:
    model = classifier(pooling)
    answer = model.predict(batch())
    for row, length in enumerate(LENGTHS.tolist()):
        symbols = batch().ragged("inputs").values[: max(1, length), row, None]
        output = (
            model.recurrent(model.embedding(symbols))[0][:, 0] if length else torch.zeros(1, 6, dtype=torch.float64)
        )
        pooled = {
            "last": torch.cat([output[-1, :3], output[0, 3:]]),
            "mean": output.mean(0),
            "largest": output.max(0).values,
        }[pooling]
        torch.testing.assert_close(answer[row], model.output(pooled))
    # Plain sequences are ragged ones of one length.
    plain = Batch({"inputs": batch().ragged("inputs").values[:, :1]})
    torch.testing.assert_close(model.predict(plain)[0], answer[0])


@pytest.mark.parametrize("pooling", get_args(Pooling))
def test_what_is_past_a_length_changes_nothing_in_no_gradient_either(pooling: Pooling) -> None:
    model = classifier(pooling)

    def found(one: Batch) -> list[torch.Tensor]:
        model.zero_grad()
        loss = model.loss(one, model.initial_state(3))
        loss.total.backward()
        return [loss.total.detach(), *(p.grad.clone() for p in model.parameters() if p.grad is not None)]

    for one, *others in zip(found(batch()), found(batch(past=99)), found(batch(past=5, steps=7)), strict=True):
        for other in others:
            torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-14)


def test_dropped_symbols_are_zero_vectors() -> None:
    torch.manual_seed(0)
    model = SequenceClassifier(GRU, 6, [3], 2, embedding_size=4, symbol_dropout=0.5)
    x = model.train().vectors(Batch({"inputs": torch.ones(50, 40, dtype=torch.int64)}))
    dropped = (x == 0).all(-1)
    assert 0.45 < dropped.float().mean() < 0.55
    assert torch.equal(x[~dropped], model.embedding.weight[1].expand_as(x[~dropped]))
    assert (model.eval().vectors(Batch({"inputs": torch.ones(5, 4, dtype=torch.int64)})) != 0).all()
