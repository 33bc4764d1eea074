"""Brackets counted as EVALB counts them: cases worked by hand after those that come with it."""

from __future__ import annotations

import pytest

from unrolled.data.bracket_score import BracketScore, score
from unrolled.data.trees import Tree, read_trees
from unrolled.errors import ShapeError


def tree(text: str) -> Tree:
    return read_trees(text, "here")[0]


#: Brackets S 0–4, A 0–1, B 1–4, A 2–4.
GOLD = "(S (A (P this)) (B (Q is) (A (R a) (T test))))"


@pytest.mark.parametrize(
    ("said", "matched", "of"),
    [
        (GOLD, 4, 4),
        ("(S (A (P this)) (B (Q is) (C (R a) (T test))))", 3, 4),  # another label
        ("(S (A (P this)) (B (Q is) (A (R a) (U test))))", 4, 4),  # parts of speech do not count
        ("(S (C (P this)) (B (Q is) (A (R a) (U test))))", 3, 4),
        ("(S (A (P this)) (B (Q is) (R a) (A (T test))))", 3, 4),  # A 3–4 for A 2–4
        ("(S (A (P this) (Q is)) (A (R a) (T test)))", 2, 3),  # A 0–2 for A 0–1, and B is missing
        ("(S (P this) (Q is) (R a) (T test))", 1, 1),
        ("(TOP (S (A (P this)) (B (Q is) (A (R a) (T test)))))", 4, 4),  # what stands above does not count
        ("(S (S (A (P this)) (B (Q is) (A (R a) (T test)))))", 4, 5),  # one label twice over the same words
    ],
)
def test_brackets_by_hand(said: str, matched: int, of: int) -> None:
    found = score([(tree(GOLD), tree(said))])
    assert (found.matched, found.true, found.said) == (matched, 4, of)
    assert found.precision == pytest.approx(100 * matched / of)
    assert found.recall == pytest.approx(25 * matched)
    assert found.f1 == pytest.approx(200 * matched / (4 + of))
    assert found.exact == (matched == of == 4)


def test_punctuation_is_taken_out_first() -> None:
    """The full stop may stand inside the phrase or outside of it: S 0–2, VP 1–2 and NP 0–1 in both."""
    gold = tree("(S (NP (N dogs)) (VP (V bark)) (. .))")
    said = tree("(S (NP (N dogs)) (VP (V bark) (X .)))")
    assert score([(gold, said)]) == BracketScore(3, 3, 3, 1, 1)
    around = tree("(S (NP (N dogs)) (VP (V bark)) (PRN (X .)))")  # a phrase of punctuation alone
    assert score([(gold, around)]) == BracketScore(3, 3, 3, 1, 1)


def test_adverbs_and_particles_are_one_label() -> None:
    gold = tree("(VP (V give) (PRT (R up)))")
    assert score([(gold, tree("(VP (V give) (ADVP (R up)))"))]).exact == 1


def test_sentences_are_summed_not_averaged() -> None:
    """4 of 4, and 1 of 1 said where 4 are true: 5 of 8 and 5 of 5."""
    found = score([(tree(GOLD), tree(GOLD)), (tree(GOLD), tree("(S (P this) (Q is) (R a) (T test))"))])
    assert found == BracketScore(5, 8, 5, 1, 2)
    assert (found.recall, found.precision) == (62.5, 100)
    assert score([]).f1 == 0


def test_trees_over_other_words_are_refused() -> None:
    with pytest.raises(ShapeError, match="over the same words"):
        score([(tree("(S (A a))"), tree("(S (A b))"))])
