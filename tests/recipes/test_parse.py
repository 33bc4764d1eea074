"""`parse`: the figures by hand, every answer a tree over its words, what is learnt, mistakes in one line."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch

import unrolled
from unrolled.data import bracket_score
from unrolled.data.trees import read_trees
from unrolled.errors import DataError, OptionError
from unrolled.recipes import parse
from unrolled.recipes.parse import Grammar, HeldOutTrees, ParseOptions
from unrolled.workshop.options import with_changes

from .stand_in import options_for, write_trees

TREES = read_trees(
    "(S (NP (DT the) (NN cat)) (VP (VBZ sees) (NP (NN rain))))\n(NP (NP (NN rain)) (CC and) (NN sun))", "f"
)


def small(folder: Path, **changes: object) -> ParseOptions:
    return with_changes(ParseOptions(), {**options_for("parse", folder), "threads": 1, **changes})


def test_a_grammar_is_what_the_trees_have() -> None:
    grammar = Grammar.of(TREES)
    assert grammar.steps == ("(NP", "(S", "(VP", ")", "CC", "DT", "NN", "VBZ")
    assert grammar.longest_run == 2 and (grammar.start, grammar.end) == (8, 9)
    assert [grammar.steps[step] for step in grammar.encode(TREES[1])] == ["(NP", "(NP", "NN", ")", "CC", "NN", ")"]
    again = Grammar.from_assets(grammar.to_assets())
    assert again.steps == grammar.steps and again.spellings.features == grammar.spellings.features
    other = read_trees("(S (XX a))", "f")[0]
    assert grammar.unknown(other) == ["XX"]
    with pytest.raises(DataError, match="a phrase or part of speech XX that was not trained on"):
        grammar.encode(other)


@pytest.mark.parametrize("beam", [1, 3])
def test_every_answer_of_a_network_that_knows_nothing_is_a_tree_over_its_words(tmp_path: Path, beam: int) -> None:
    grammar = Grammar.of(TREES)
    torch.manual_seed(0)
    model = parse.model(small(tmp_path), grammar.to_assets())
    with torch.no_grad():
        model.softmax.weight.normal_(std=3)
    sentences = [["the", "cat"], ["Zebras"], ["rain", "and", "sun", "and", "rain", ",", "too"]]
    for words, one in zip(sentences, parse.parse(model, grammar, sentences, beam), strict=True):
        assert one.tree.words() == words and read_trees(str(one.tree), "out") == [one.tree]
        assert one.log_probability < 0 and one.steps[-1] == "(end)"
        assert one.weights.shape == (len(one.steps), len(words))
        np.testing.assert_allclose(one.weights.sum(1), 1, atol=1e-5)


def test_it_learns_a_small_grammar(tmp_path: Path) -> None:
    """Noun phrases, a verb, a phrase behind it or none: learnt within seconds, and better than a tree of one phrase."""
    file = write_trees(tmp_path / "trees.ptb", 200)
    changes = {"data": str(file), "embedding": 16, "sizes": (24,), "batch_size": 16, "dropout": 0.0, "rate": 1e-2}
    run = unrolled.train("parse", runs=str(tmp_path), steps=80, threads=1, dtype="float32", **changes)
    figures = run.evaluate("valid")
    assert figures["labelled F1"] > 70 and figures["loss"] < 0.5
    part = run.data.held_out["valid"]
    said = [one.tree for one in parse.parse(run.model, part.grammar, [tree.words() for tree in part.trees], part.beam)]
    assert figures["labelled F1"] == bracket_score.score(zip(part.trees, said, strict=True)).f1


def test_a_step_that_was_not_trained_on_counts_in_the_brackets_and_not_in_the_loss(tmp_path: Path) -> None:
    grammar = Grammar.of(TREES)
    model = parse.model(small(tmp_path), grammar.to_assets())
    odd = read_trees("(S (XX rain))", "f")
    alone, both = (parse.metric(model, HeldOutTrees(trees, grammar, 1)) for trees in (TREES, TREES + odd))
    assert alone["loss"] == pytest.approx(both["loss"])


def test_a_part_whose_trees_all_have_unknown_steps_is_not_measured(tmp_path: Path) -> None:
    file = tmp_path / "few.ptb"
    file.write_text("\n".join(f"(S (X{number} a))" for number in range(12)))
    data = parse.data(small(tmp_path, data=str(file)), tmp_path, None)
    assert data.held_out == {"valid": None, "test": None} and len(data.assets["shown"]) == 1


def test_trees_come_through_standard_input_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(write_trees(tmp_path / "t.ptb").read_bytes())))
    piped, again, read = (
        parse.data(small(tmp_path, data=name), tmp_path, None) for name in ("-", "-", str(tmp_path / "t.ptb"))
    )
    assert piped.digest == again.digest == read.digest


def test_long_sentences_are_left_out_of_every_part(tmp_path: Path) -> None:
    options = small(tmp_path)
    whole = parse.data(options, tmp_path, None)
    fewer = parse.data(with_changes(options, {"longest": 6}), tmp_path, None)
    lengths = [len(tree.words()) for part in ("valid", "test") for tree in whole.held_out[part].trees]
    assert max(lengths) > 6
    for part in ("valid", "test"):
        assert all(len(tree.words()) <= 6 for tree in fewer.held_out[part].trees)
    with pytest.raises(DataError, match="no sentence to train on has at most 2 words: --longest"):
        parse.data(with_changes(options, {"longest": 2}), tmp_path, None)
    with pytest.raises(OptionError, match="--longest 0: expected 1 or more"):
        ParseOptions(longest=0)
