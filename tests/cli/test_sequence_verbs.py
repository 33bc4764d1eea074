"""`translate` and `parse` on people's own files: what comes out, and each wrong file in one line."""

from __future__ import annotations

import io
import json
import shutil

import numpy as np
import pytest

from unrolled.data.trees import read_trees, steps

from ..recipes.stand_in import write_translations, write_trees
from .command import Command, one_line

SMALL = ["--embedding", 8, "--sizes", 8, "--batch-size", 8, "--dtype", "float32", "--threads", 1, "--steps", 4]


def trained(command: Command, recipe: str, *more: object) -> str:
    """A small run of the recipe, kept for the tests that follow; its name."""
    kept = command.kept / "-".join([recipe, *map(str, more)])
    if not kept.exists():
        file = command.folder / "data.txt"
        (write_translations if recipe == "translate" else write_trees)(file)
        said = command("train", recipe, "--data", file, *SMALL, *more, "--name", recipe)
        assert said.code == 0, said.error
        shutil.copytree(command.runs / recipe, kept)
        file.unlink()
        return recipe
    shutil.copytree(kept, command.runs / recipe)
    return recipe


PIECES = ("--vocabulary", 300)


def test_a_file_is_translated_line_by_line(command: Command) -> None:
    """A byte-order mark, CRLF and an empty line; what comes out has as many lines."""
    run = trained(command, "translate", *PIECES)
    (command.folder / "in.txt").write_bytes("\ufeffthe cat sat.\r\n\r\nrain fell.\r\n".encode())
    said = command("translate", run, "in.txt", "--beam", 2)
    assert said.code == 0, said.error
    first, second, third = said.out.split("\n")[:-1]
    assert second == "" and first != "" and third != ""
    assert command("translate", run, "the cat sat.", "--beam", 2).out == first + "\n"
    # What Python takes for a line's end, and no file means so, ends none.
    (command.folder / "odd.txt").write_text("the cat\u2028sat.\fthen\n", encoding="utf-8")
    assert command("translate", run, "odd.txt", "--beam", 1).out.count("\n") == 1
    lines = [json.loads(line) for line in command("--json", "translate", run, "in.txt", "--beam", 2).out.splitlines()]
    assert [(one["event"], one["line"], one["text"]) for one in lines] == [
        ("translated", 1, first),
        ("translated", 2, ""),
        ("translated", 3, third),
    ]
    assert lines[0]["source"] == "the cat sat." and lines[0]["log_probability"] < 0


def test_references_give_a_score_and_maps_are_kept(command: Command) -> None:
    run = trained(command, "translate", *PIECES)
    (command.folder / "in.txt").write_text("the cat\nrain fell\n")
    (command.folder / "ref.txt").write_text("EHT TAC\nNIAR LLEF\n")
    said = command("translate", run, "in.txt", "--references", "ref.txt", "--maps", 2, "--svg", "map.svg")
    assert said.code == 0, said.error
    assert "BLEU 0.00 (nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:" in said.out
    assert (command.folder / "map.svg").exists() and (command.folder / "map-2.svg").exists()
    assert "weight of what was read" in said.out


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["nothing.txt"], ["nothing.txt: no such file"]),
        (["empty.txt"], ["empty.txt: empty, where a sentence a line was expected"]),
        (["latin.txt"], ["latin.txt: not utf-8 at byte 5, line 1"]),
        (["in.txt", "--references", "two.txt"], ["two.txt has 2 lines, where 1 sentences are translated"]),
        (["in.txt", "--beam", "0"], ["--beam 0: expected 1 or more"]),
        (["in.txt", "--length-penalty", "-1"], ["length penalty is from 0"]),
        (["in.txt", "--svg", "x.svg"], ["ask for some with --maps 1"]),
        (["in.txt", "--encoding", "utf8x"], ["--encoding utf8x: a text encoding was expected"]),
    ],
)
def test_what_cannot_be_translated_is_said_in_one_line(command: Command, words: list[str], parts: list[str]) -> None:
    run = trained(command, "translate", *PIECES)
    (command.folder / "in.txt").write_text("the cat\n")
    (command.folder / "two.txt").write_text("a\nb\n")
    (command.folder / "empty.txt").write_text("\n \n")
    (command.folder / "latin.txt").write_bytes("cœur über".encode("latin-1", "replace"))
    one_line(command("translate", run, *words), *parts)


@pytest.mark.parametrize(
    ("recipe", "data", "parts"),
    [
        ("translate", b"a\tb\nno tab\n", ["line 2: no tab", "--translations"]),
        ("translate", b"", ["empty, where a sentence a line was expected"]),
        ("translate", b"a\tb\nc\td\n", ["2 examples to train on, fewer than one batch: give --batch-size 2 or less"]),
        ("parse", b"(S (A a)\n", ["line 1: a bracket that opens here is never closed"]),
        ("parse", b"words alone\n", ["line 1: 'words' stands outside of all brackets"]),
        ("parse", b"(S (-NONE- *))\n", ["no tree with a word in it"]),
    ],
)
def test_data_that_cannot_be_learnt_is_said_in_one_line(
    command: Command, recipe: str, data: bytes, parts: list[str]
) -> None:
    (command.folder / "data.txt").write_bytes(data)
    one_line(command("train", recipe, "--data", "data.txt", *SMALL), *parts)
    assert not command.runs.exists() or not list(command.runs.iterdir())


def test_two_files_of_different_lengths_are_told_apart(command: Command) -> None:
    (command.folder / "a").write_text("one\ntwo\n")
    (command.folder / "b").write_text("eins\n")
    said = command("train", "translate", "--data", "a", "--translations", "b", *SMALL)
    one_line(said, "a has 2 lines and b 1", "put the missing lines in")


def test_both_files_are_found_again_from_another_folder(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = write_translations(command.folder / "p.tsv", 40).read_text(encoding="utf-8").splitlines()
    for side, name in enumerate(("a.txt", "b.txt")):
        (command.folder / name).write_text("\n".join(pair.split("\t")[side] for pair in pairs), encoding="utf-8")
    files = ["--data", "a.txt", "--translations", "b.txt"]
    said = command("train", "translate", *files, *PIECES, *SMALL[:-1], 1, "--name", "two", "--runs", command.runs)
    assert said.code == 0, said.error
    (command.folder / "elsewhere").mkdir()
    monkeypatch.chdir(command.folder / "elsewhere")
    said = command("evaluate", "two", "--runs", command.runs)
    assert said.code == 0 and "BLEU, beam 5" in said.out, said.error


def test_every_line_gets_a_tree_over_its_words(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    run = trained(command, "parse")
    (command.folder / "in.txt").write_text("The dog doesn't see a tree.\n\nYes\n", encoding="utf-8")
    said = command("parse", run, "in.txt", "--beam", 2, "--draw", 1, "--svg", "tree.svg", "--npy", "tree.npy")
    assert said.code == 0, said.error
    lines = said.out.splitlines()
    (first,), (third,) = read_trees(lines[0], "out"), read_trees(lines[2], "out")
    assert first.words() == ["The", "dog", "does", "n't", "see", "a", "tree", "."]
    assert lines[1] == "" and third.words() == ["Yes"]
    assert (command.folder / "tree.svg").exists() and (command.folder / "tree.npy").exists()
    said = command("parse", run, "a dog sees", "--beam", 2, "--draw", 1, "--maps", 1, "--npy", "both.npy")
    assert said.code == 0 and "weight of what was read" in said.out, said.error
    looked = np.load(command.folder / "both-2.npy")
    # A row for each step and one for the end, a column for each word.
    assert looked.shape == (len(steps(read_trees(said.out.splitlines()[0], "out")[0])) + 1, 3)
    np.testing.assert_allclose(looked.sum(1), 1, atol=1e-5)
    split = command("parse", run, "The dog does n't", "--split", "--beam", 1)
    assert read_trees(split.out, "out")[0].words() == ["The", "dog", "does", "n't"]
    piped = io.TextIOWrapper(io.BytesIO(b"a dog\n"))
    monkeypatch.setattr("sys.stdin", piped)
    assert read_trees(command("parse", run, "-").out, "out")[0].words() == ["a", "dog"]


def test_a_run_of_another_recipe_neither_translates_nor_parses(command: Command) -> None:
    run = trained(command, "parse")
    one_line(
        command("translate", run, "words"),
        "a model of the recipe parse does not translate",
        "`unrolled parse parse FILE`",
    )
    book = command.trained("book")
    one_line(command("parse", book, "words"), "a model of the recipe char-lm writes no trees", "`unrolled sample book`")
    (command.folder / "trees.txt").write_text("a dog\n(S (NP a dog) (VP barks))\n")
    one_line(command("parse", run, "trees.txt"), "trees.txt, line 2: a tree in brackets, where a sentence was expected")
    assert command("parse", run, "(a dog) barks (so it does)").code == 0
    one_line(command("sample", run), "does not write texts; take a run of char-lm or names")
    one_line(command("parse", run, "words", "--draw", "-1"), "--draw -1: expected 0 or more")
    one_line(command("parse", run, "words", "--json", "x.json"), "ask for some with --draw 1")


def test_without_attention_there_is_no_map(command: Command) -> None:
    run = trained(command, "translate", *PIECES, "--attention", "none")
    assert command("translate", run, "the cat", "--beam", 1).code == 0
    one_line(command("translate", run, "the cat", "--maps", 1), "without attention looks nowhere")


def test_from_python(command: Command) -> None:
    import unrolled
    from unrolled.errors import OptionError

    translating, parsing = (
        unrolled.load(command.runs / trained(command, recipe, *more))
        for recipe, more in (("translate", PIECES), ("parse", ()))
    )
    assert len(translating.translate(["the cat sat.", ""])) == 2
    assert read_trees(parsing.parse([["a", "dog"], []])[0], "out")[0].words() == ["a", "dog"]
    with pytest.raises(OptionError, match="does not translate"):
        parsing.translate(["words"])
