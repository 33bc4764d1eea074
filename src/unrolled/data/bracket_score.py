"""How far a tree agrees with the true one: labelled brackets, counted as EVALB counts them (Sekine & Collins 1997).

A bracket is a phrase's label with its first word and the word behind its last; parts of speech are none. As with
EVALB's usual parameters (COLLINS.prm), punctuation is taken out of the sentence first, what stands above the sentence
does not count, and ADVP and PRT are the same label. A phrase of nothing but punctuation does not count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from unrolled.data.trees import ROOTS, Tree
from unrolled.errors import ShapeError

#: Parts of speech of punctuation.
PUNCTUATION = frozenset({",", ":", "``", "''", "."})
_SAME = {"PRT": "ADVP"}


@dataclass(frozen=True)
class BracketScore:
    """Summed over sentences. matched: brackets of both; true, said: of each; exact: sentences that are all right."""

    matched: int
    true: int
    said: int
    exact: int
    sentences: int

    @property
    def precision(self) -> float:
        """In per cent; 0 where nothing was said."""
        return 100 * self.matched / max(1, self.said)

    @property
    def recall(self) -> float:
        """In per cent."""
        return 100 * self.matched / max(1, self.true)

    @property
    def f1(self) -> float:
        """The harmonic mean of both, in per cent."""
        return 200 * self.matched / max(1, self.true + self.said)


def brackets(tree: Tree, counted: list[bool]) -> Counter[tuple[str, int, int]]:
    """(label, first, behind the last) of every phrase. counted: which of the words are no punctuation."""
    found: Counter[tuple[str, int, int]] = Counter()
    # How many words that count stand before word n.
    before = [sum(counted[:n]) for n in range(len(counted) + 1)]

    def walk(node: Tree, first: int) -> int:
        """Gives the place behind the node."""
        if not node.children:
            return first + 1
        last = first
        for child in node.children:
            last = walk(child, last)
        if node.label not in ROOTS and before[first] < before[last]:
            found[_SAME.get(node.label, node.label), before[first], before[last]] += 1
        return last

    walk(tree, 0)
    return found


def score(pairs: Iterable[tuple[Tree, Tree]]) -> BracketScore:
    """Of (true tree, tree that was said). Which words are punctuation, the true tree's parts of speech say."""
    matched = true = said = exact = sentences = 0
    for gold, guess in pairs:
        if gold.words() != guess.words():
            raise ShapeError(f"trees over the same words were expected; {gold.words()} and {guess.words()} came")
        counted = [leaf.label not in PUNCTUATION for leaf in gold.leaves()]
        first, second = brackets(gold, counted), brackets(guess, counted)
        common = sum((first & second).values())
        matched, true, said = matched + common, true + sum(first.values()), said + sum(second.values())
        exact += first == second
        sentences += 1
    return BracketScore(matched, true, said, exact, sentences)
