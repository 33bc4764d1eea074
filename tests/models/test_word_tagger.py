"""Tagging words: loss and tags by hand, letters, padding, and what is learnt only in two directions or from letters."""

from __future__ import annotations

import math

import pytest
import torch

from unrolled.batch import NOT_ASKED, Batch, Ragged
from unrolled.cells.lstm import LSTM
from unrolled.models.word_tagger import WordTagger

LENGTHS = torch.tensor([3, 1, 0])


def batch(seed: int = 0, past: int = 0) -> Batch:
    """Three sentences; `past` stands behind their ends."""
    draw = torch.Generator().manual_seed(seed)
    words = torch.randint(1, 7, (3, 3), generator=draw)
    characters = torch.randint(1, 5, (3, 3, 4), generator=draw)
    characters[:, :, 2:] = 0
    targets = torch.stack(
        [torch.randint(0, 3, (3, 3), generator=draw), torch.randint(0, 2, (3, 3), generator=draw)], -1
    )
    behind = ~Ragged(words, LENGTHS).mask()
    words[behind], targets[behind] = past, past
    characters[behind] = 0
    return Batch({"inputs": Ragged(words, LENGTHS), "characters": characters, "targets": Ragged(targets, LENGTHS)})


def tagger(crf: bool = True, **more: object) -> WordTagger:
    torch.manual_seed(0)
    return WordTagger(LSTM, 7, 5, [4], [3, 2], embedding_size=3, character_size=2, crf=crf, **more)


def test_a_loss_by_hand_where_the_model_always_says_the_same() -> None:
    """p(tag) is (½, ¼, ¼) in the first column, (⅔, ⅓) in the second, whatever is read; all transitions are alike."""
    for crf in (True, False):
        model = tagger(crf)
        with torch.no_grad():
            model.output.weight.zero_()
            model.output.bias.copy_(torch.tensor([2.0, 1, 1, 2, 1]).log())
        one = batch()
        targets = one.ragged("targets")
        expected = 0.0
        for row, length in enumerate(LENGTHS.tolist()):
            for first, second in targets.values[:length, row].tolist():
                expected -= math.log([0.5, 0.25, 0.25][first]) + math.log([2 / 3, 1 / 3][second])
        loss = model.loss(one, model.initial_state(3))
        assert float(loss.total.detach()) == pytest.approx(expected, rel=1e-5)
        assert float(loss.count) == 4
        best = model.best(model.predict(one), LENGTHS)
        assert best[..., 0].tolist() == [[0, 0, NOT_ASKED], [0, NOT_ASKED, NOT_ASKED], [0, NOT_ASKED, NOT_ASKED]]
        first, second = model.marginals(model.predict(one).detach(), LENGTHS)
        torch.testing.assert_close(first[0, 0], torch.tensor([0.5, 0.25, 0.25]))
        torch.testing.assert_close(second[2, 0], torch.tensor([2 / 3, 1 / 3]))


def test_what_is_past_a_length_changes_nothing_in_no_gradient_either() -> None:
    model = tagger().double()

    def found(past: int) -> list[torch.Tensor]:
        model.zero_grad()
        loss = model.loss(batch(past=past), model.initial_state(3))
        loss.total.backward()
        return [loss.total.detach(), *(p.grad.clone() for p in model.parameters() if p.grad is not None)]

    for one, other in zip(found(0), found(99), strict=True):
        assert torch.equal(one, other)


def test_a_word_is_read_alike_wherever_it_stands_and_by_its_letters() -> None:
    model = tagger().eval()
    letters = torch.tensor([[[1, 2, 0], [3, 0, 0], [1, 2, 0]], [[3, 0, 0], [1, 2, 0], [2, 1, 0]]])
    spelt = model._spelt(letters)
    assert torch.equal(spelt[0, 0], spelt[1, 1]) and torch.equal(spelt[0, 1], spelt[1, 0])
    assert not torch.allclose(spelt[0, 0], spelt[1, 2])
    alone, _ = model.spelling(model.characters(torch.tensor([[1], [2]])))
    torch.testing.assert_close(spelt[0, 0], torch.cat([alone[1, 0, :2], alone[0, 0, 2:]]))


def test_gradients_are_those_of_finite_differences() -> None:
    torch.manual_seed(0)
    model = WordTagger(LSTM, 7, 5, [2], [3, 2], embedding_size=2, character_size=1).double()
    one, names = batch(), [name for name, _ in model.named_parameters()]

    def total(*values: torch.Tensor) -> torch.Tensor:
        given = dict(zip(names, values, strict=True))
        return torch.func.functional_call(model, given, (one, model.initial_state(3)), strict=True).total

    model.forward = model.loss  # what functional_call calls
    assert torch.autograd.gradcheck(total, tuple(model.parameters()))


def test_dropped_words_are_told_by_their_letters_alone() -> None:
    model = tagger(symbol_dropout=0.99999).train()
    other = Batch({**batch().fields, "inputs": Ragged(torch.ones(3, 3, dtype=torch.int64), LENGTHS)})
    assert torch.equal(model.predict(batch()), model.predict(other))
    model.eval()
    assert not torch.equal(model.predict(batch()), model.predict(other))
