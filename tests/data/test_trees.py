"""Trees: out of brackets, into steps and back; mistakes with their line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.data import treebank
from unrolled.data.trees import CLOSE, Tree, cleaned, from_steps, longest_run, read_trees, steps
from unrolled.errors import DataError

ONE = "(ROOT (S (NP-SBJ-1 (PRP She))\n  (VP (VBZ reads)\n (NP (NNS books)))\n (. .)))"


def leaf(tag: str, word: str) -> Tree:
    return Tree(tag, (), word)


def test_a_tree_is_read_over_any_number_of_lines_and_written_on_one() -> None:
    (tree,) = read_trees(ONE, "file")
    assert str(tree) == "(ROOT (S (NP-SBJ-1 (PRP She)) (VP (VBZ reads) (NP (NNS books))) (. .)))"
    assert tree.words() == ["She", "reads", "books", "."]
    assert [str(one) for one in read_trees("(A (B b)) (C (D d))\n( (S (X x)) )", "file")] == [
        "(A (B b))",
        "(C (D d))",
        "( (S (X x)))",
    ]


def test_what_is_not_a_phrase_is_cleaned_away() -> None:
    (tree,) = read_trees(ONE, "file")
    assert str(cleaned(tree)) == "(S (NP (PRP She)) (VP (VBZ reads) (NP (NNS books))) (. .))"
    traced = "( (S (NP-SBJ (-NONE- *T*)) (VP=2 (VB go) (PRN|x (-LRB- -LRB-)))) )"
    assert str(cleaned(read_trees(traced, "f")[0])) == "(S (VP (VB go) (PRN (-LRB- -LRB-))))"
    assert str(cleaned(read_trees("(ROOT (UH Oh))", "f")[0])) == "(ROOT (UH Oh))"
    assert str(cleaned(read_trees("(TOP (NP (A a)) (VP (B b)))", "f")[0])) == "(ROOT (NP (A a)) (VP (B b)))"
    assert cleaned(read_trees("(S (NP (-NONE- *)))", "f")[0]) is None


def test_steps_by_hand() -> None:
    tree = cleaned(read_trees(ONE, "file")[0])
    assert tree is not None
    taken = steps(tree)
    assert taken == ["(S", "(NP", "PRP", CLOSE, "(VP", "VBZ", "(NP", "NNS", CLOSE, CLOSE, ".", CLOSE]
    assert longest_run(taken) == 2
    assert from_steps(taken, tree.words()) == tree
    assert str(from_steps(["(A", "X", CLOSE], ["a"])) == "(A (X a))"


tags = st.sampled_from(["NN", "VB"])
trees = st.recursive(
    st.builds(leaf, tags, st.sampled_from(["a", "b"])),
    lambda inner: st.builds(
        Tree, st.sampled_from(["NP", "VP", "S"]), st.lists(inner, min_size=1, max_size=3).map(tuple)
    ),
    max_leaves=12,
).filter(lambda tree: bool(tree.children))


@given(trees)
def test_through_steps_and_brackets_and_back_it_is_the_same(tree: Tree) -> None:
    assert from_steps(steps(tree), tree.words()) == tree
    assert read_trees(str(tree), "file") == [tree]


@pytest.mark.parametrize(
    ("taken", "said"),
    [
        (["(S", "X", CLOSE, CLOSE], "comes after the whole tree"),
        (["X"], "outside of all phrases"),
        (["(S", "X", "X"], "a word is taken where there is none"),
        (["(S", CLOSE], "closes that is empty"),
        (["(S", "(NP", "X", CLOSE], "1 phrases are open at the end, and 0 words are left"),
    ],
)
def test_steps_that_are_no_tree_are_refused(taken: list[str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        from_steps(taken, ["word"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("(S (NP (A a))\n", "f, line 1: a bracket that opens here is never closed"),
        ("(A a)\n)", "f, line 2: a bracket closes that none has opened"),
        ("(A a)\nword", "f, line 2: 'word' stands outside of all brackets"),
        ("(S (A a)\n b)", "f, line 2: 'b' stands beside phrases"),
        ("(S a b)", "f, line 1: 'a' and 'b' under one part of speech"),
        ("(S (NP))", r"f, line 1: an empty phrase \(NP\)"),
        ("  \n", "f: no tree in it"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, said: str) -> None:
    with pytest.raises(DataError, match=said) as raised:
        read_trees(text, "f")
    assert "\n" not in str(raised.value)


def test_gum_is_read_by_its_official_parts(tmp_path: Path) -> None:
    import zipfile

    archive = tmp_path / "gum.zip"
    with zipfile.ZipFile(archive, "w") as made:
        for document in ("GUM_bio_byron", "GUM_bio_dvorak", "GUM_bio_bernoulli", "GUM_reddit_pandas", "GENTLE_a_b"):
            made.writestr(f"{document}.ptb", f"(ROOT (S (NN {document})))\n(ROOT (NP (-NONE- *)))")
    read = treebank.gum(archive)
    words = {name: [tree.words() for tree in part] for name, part in read.parts.items()}
    assert words == {"train": [["GUM_bio_bernoulli"]], "valid": [["GUM_bio_byron"]], "test": [["GUM_bio_dvorak"]]}
    assert len(treebank.GUM_VALID) == len(treebank.GUM_TEST) == 30
    everything = treebank.trees_in(archive)
    assert len(everything.parts["all"]) == 5 and everything.summary == "gum.zip: 5 trees"
    (tmp_path / "other.ptb").write_text("(ROOT (S (NN a)))")
    with pytest.raises(DataError, match="part train, valid, test in it"):
        treebank.gum(tmp_path / "other.ptb")
