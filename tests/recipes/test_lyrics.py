"""Verse: a model that learns it rhymes, and the figures say so."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import unrolled
from unrolled.errors import DataError, PromptError
from unrolled.recipes import language, lyrics

from .stand_in import BEGINNINGS, RHYMING, options_for, write_text


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> unrolled.Run:
    folder = tmp_path_factory.mktemp("lyrics")
    large = {"sizes": (64,), "embedding": 16, "batch_size": 16, "window": 32, "rate": 5e-3, "warmup": 20}
    plain = {**options_for("lyrics", folder), **large, "dropout": 0.0, "embedding_dropout": 0.0}
    return unrolled.train("lyrics", steps=200, threads=1, runs=str(folder / "runs"), **plain)


def test_it_rhymes_more_than_shuffled_lines(trained: unrolled.Run) -> None:
    figures = trained.evaluate()
    assert figures["rhymes of these poems"] == 100
    assert figures["rhymes of shuffled lines"] + 30 < figures["rhymes"]
    assert figures["loss"] < figures["n-gram"]
    assert figures["rhymes that training has not"] < 50


def test_a_poem_has_its_lines_in_their_order(trained: unrolled.Run) -> None:
    poems = trained.sample(length=300, seed=1).split("\n\n")
    assert len(poems) > 5 and all(len(poem.split("\n")) == 2 for poem in poems[:-1])
    with pytest.raises(PromptError, match="from their rhymes on"):
        trained.sample("the", length=4)


def test_the_figures_counted_again(trained: unrolled.Run) -> None:
    part = trained.data.held_out["test"]
    figures = trained.evaluate()
    drawn = language.draw(trained.model, [part.verse.close], lyrics.DRAWN, 140, lyrics.TEMPERATURE, 0)
    right = 0
    for lines in (part.verse.decode(symbols) for symbols in drawn):
        one, other, *_ = [*(line.split()[-1].strip(",") if line.split() else "" for line in lines), "", ""]
        ending = next((spelt for spelt in RHYMING.values() if one.endswith(spelt)), "?")
        known = {one.removesuffix(ending), other.removesuffix(ending)} <= set(BEGINNINGS)
        right += known and other.endswith(ending) and one != other
    assert figures["rhymes"] == pytest.approx(100 * right / lyrics.DRAWN)
    # The loss is of characters as they are read, line ends included.
    verse, poems = part.verse, part.poems
    total = 0.0
    for poem in poems:
        symbols = torch.tensor([verse.close, *verse.encode(poem)])[:, None]
        logits = trained.model.eval().read(symbols[:-1], trained.model.initial_state(1)).logits[:, 0].log_softmax(-1)
        total -= logits[range(len(symbols) - 1), symbols[1:, 0]].sum().item()
    characters = sum(len("\n".join(poem)) + 1 for poem in poems)
    assert figures["loss"] == pytest.approx(total / characters, rel=1e-5)


def test_what_is_no_verse_is_refused_in_one_line(tmp_path: Path) -> None:
    plain = options_for("lyrics", tmp_path)
    runs = str(tmp_path / "runs")
    with pytest.raises(DataError, match=r"text\.txt: no poem of 2 lines"):
        text = write_text(tmp_path / "text.txt")
        unrolled.train("lyrics", steps=1, runs=runs, **{**plain, "data": str(text)})
    with pytest.raises(DataError, match=r"poems\.txt, line 1: .* a word and its sounds"):
        unrolled.train("lyrics", steps=1, runs=runs, **{**plain, "pronunciations": plain["data"]})
