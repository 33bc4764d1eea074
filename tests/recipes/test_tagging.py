"""Tagging words: figures by hand, files of people's own, letters of new words, and why two directions."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import unrolled
from unrolled.data.spelling import LETTERS
from unrolled.errors import OptionError
from unrolled.recipes import answers, tagging
from unrolled.recipes.recipe import Data

from .stand_in import write_columns


def read(file: Path, **options: object) -> tuple[tagging.TaggingOptions, Data]:
    small = {"batch_size": 4, "sizes": (4,), "embedding": 4, "letters": 3}
    asked = tagging.TaggingOptions(data=str(file), **small, **options)
    return asked, tagging.data(asked, file.parent, None)


def test_the_figures_by_hand(tmp_path: Path) -> None:
    """A model that says DT and B-NP of every word: right for one word in three, but for the full stops."""
    options, data = read(write_columns(tmp_path / "w.conll"))
    assert data.assets["columns"] == ["tags", "chunks"]
    assert data.assets["tags"] == [[".", "DT", "NN", "VBD"], ["B-NP", "B-VP", "I-NP", "O"]]
    model, part = tagging.model(options, data.assets), data.held_out["test"]
    with torch.no_grad():
        model.output.weight.zero_()
        model.output.bias.copy_(torch.tensor([0.0, 9, 0, 0, 9, 0, 0, 0]))
    words = sum(len(one.rows) for one in part.sentences)
    verbs = sum(one.column(2).count("VBD") for one in part.sentences)
    figures = tagging.metric(model, part)
    assert figures["accuracy of tags"] == pytest.approx(100 * verbs / words)
    # Every word is said to be a chunk; none of the true ones is one noun phrase of a single word.
    assert figures["F1 of chunks"] == 0
    assert set(figures) == {
        "loss",
        "accuracy of tags",
        "F1 of chunks",
        "accuracy of tags, each word's commonest",
        "F1 of chunks, each word's commonest",
    }


def test_the_baseline_by_hand(tmp_path: Path) -> None:
    """saw: twice a verb, once a noun. Of new words the commonest tag is said: NN."""
    training = "saw VBD\n\nsaw VBD\n\nsaw NN\n\ncat NN\n\ndog NN\n"
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "train.txt").write_text(training + "\nx NN\n")
    (tmp_path / "c" / "dev.txt").write_text("saw VBD\n")
    (tmp_path / "c" / "test.txt").write_text("saw NN\ndog NN\nnew NN\nold VBD\n")
    _, data = read(tmp_path / "c")
    assert data.held_out["test"].baseline == {"accuracy of tags, each word's commonest": 50.0}
    assert "6 sentences to train on, 1 to validate, 1 to test" in data.summary


def test_files_of_several_kinds_and_columns_by_number(tmp_path: Path) -> None:
    (tmp_path / "u.conllu").write_text("".join(f"1\tw{n}\tl\tN{n % 2}\tX\t_\t0\troot\t_\t_\n\n" for n in range(20)))
    _, data = read(tmp_path / "u.conllu")
    assert data.assets["word"] == 2 and data.assets["tags"] == [["N0", "N1"]]
    _, data = read(write_columns(tmp_path / "w.conll"), word=2, tags=(3,))
    assert data.assets["columns"] == ["chunks"] and data.assets["examples"][0][0] == "DT"


def test_new_words_are_read_by_their_letters_and_both_directions_see_what_comes(tmp_path: Path) -> None:
    """No noun or verb of the test need have come in training: its ending says what it is."""
    few = {"steps": 40, "batch_size": 8, "sizes": (16,), "rate": 2e-2, "threads": 1, "runs": str(tmp_path / "runs")}
    run = unrolled.train("tagging", data=str(write_columns(tmp_path / "w.conll")), **few)
    figures = run.evaluate()
    assert figures["accuracy of tags"] > 97 and figures["F1 of chunks"] > 95
    assert run.predict([["the", "bdler", "ooeed", "."], []]) == [
        [("DT", "B-NP"), ("NN", "I-NP"), ("VBD", "B-VP"), (".", "O")],
        [],
    ]


def test_long_words_keep_their_beginning_and_their_end(tmp_path: Path) -> None:
    _, data = read(write_columns(tmp_path / "w.conll"))
    reading = tagging.tagging(data.assets)
    letters = reading.batch([["b" * 30 + "er", "the"]]).tensor("characters")
    assert letters.shape == (2, 1, LETTERS)
    names = data.assets["characters"]
    assert [names[number - 1] for number in letters[0, 0, -3:].tolist()] == ["b", "e", "r"]
    assert letters[1, 0, 3:].sum() == 0 and (letters[1, 0, :3] > 0).all()


def test_a_sample_shows_sentences_with_their_tags(tmp_path: Path) -> None:
    options, data = read(write_columns(tmp_path / "w.conll"), head="softmax", directions="forward")
    model = tagging.model(options, data.assets)
    lines = tagging.sample(model, data.assets, 0).splitlines()
    assert len(lines) == tagging.SHOWN and all(word.count("/") == 2 for line in lines for word in line.split())
    assert answers.tags(model, tagging.tagging(data.assets), [["the"]]) != []


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"least": 0}, "--least 0: expected 1 or more"),
        ({"held_out": 0.0}, "--held-out 0.0: expected above 0 and below 0.5"),
        ({"embedding": 0}, "--embedding 0: expected 1 or more"),
        ({"letters": 0}, "--letters 0: expected 1 or more"),
        ({"word_dropout": -0.1}, "--word-dropout -0.1: expected at least 0 and below 1"),
    ],
)
def test_mistakes_in_one_line(option: dict, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        tagging.TaggingOptions(**option)
