"""Dialogue: the parts are whole scenes, headings are counted out, changes of speaker are looked at."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import unrolled
from unrolled.cells import registry
from unrolled.data.dialogue import Speech
from unrolled.data.vocabulary import CharacterVocabulary
from unrolled.errors import DataError
from unrolled.models.language_model import LanguageModel
from unrolled.recipes import language, script

from .stand_in import options_for, write_text


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> unrolled.Run:
    folder = tmp_path_factory.mktemp("script")
    large = {"sizes": (64,), "embedding": 16, "batch_size": 16, "window": 32, "rate": 5e-3, "warmup": 20}
    plain = {**options_for("script", folder), **large, "dropout": 0.0, "embedding_dropout": 0.0}
    return unrolled.train("script", steps=200, threads=1, runs=str(folder / "runs"), **plain)


def test_it_keeps_the_form_better_than_an_n_gram(trained: unrolled.Run) -> None:
    figures = trained.evaluate()
    # Where one stretch ends and another begins, one may speak on.
    assert figures["well-formed changes of these speeches"] > 98
    assert figures["well-formed changes of the n-gram"] + 15 < figures["well-formed changes"]
    assert figures["state carried"] < figures["3-gram"]


def test_a_prompt_is_a_heading(trained: unrolled.Run) -> None:
    begun = trained.sample("ROMEO:", length=60, temperature=0.0)
    assert begun.removeprefix("ROMEO:").startswith("\n")
    first, _, _ = trained.sample(length=60, temperature=0.0).partition("\n")
    assert first in ("First Cat:", "ROMEO:", "Rain:")


def test_parts_are_whole_stretches_and_share_no_speech(trained: unrolled.Run) -> None:
    parts = trained.data.held_out
    assert len(parts["test"].speeches) > len(parts["valid"].speeches) > 5
    learnt = CharacterVocabulary(trained.assets["vocabulary"]["characters"]).decode(trained.data.train.ids)
    whole = learnt.count(":\n") + sum(len(part.speeches) for part in parts.values())
    assert whole == 2000 and learnt.endswith("\n\n")


def test_headings_are_read_and_not_counted() -> None:
    vocabulary = CharacterVocabulary("\n:Abc")
    model = LanguageModel(registry.find("gru"), 5, 4, (6,)).double()
    speeches = [Speech("A", "bcb"), Speech("b", "c"), Speech("c", "b")]
    found = language.mean_loss(model, script.after(speeches, ["A", "A", "bc"], vocabulary))

    total, count = 0.0, 0
    for speech, name in zip(speeches, ["A", "A", "bc"], strict=True):
        heading, said = f"\n\n{name}:\n", f"{speech.words}\n\n"
        symbols = torch.tensor(vocabulary.encode(heading + said).astype(int))[:, None]
        logits = model.read(symbols[:-1], model.initial_state(1)).logits[:, 0].log_softmax(-1)
        total -= logits[range(len(heading) - 1, len(symbols) - 1), symbols[len(heading) :, 0]].sum().item()
        count += len(said)
    assert found == pytest.approx(total / count, rel=1e-6)


def test_a_text_without_speakers_is_refused(tmp_path: Path) -> None:
    plain = {**options_for("script", tmp_path), "data": str(write_text(tmp_path / "text.txt"))}
    with pytest.raises(DataError, match=r"text\.txt: 0 speeches"):
        unrolled.train("script", steps=1, runs=str(tmp_path / "runs"), **plain)
