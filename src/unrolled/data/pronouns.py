"""Sentences in which somebody is "he", drawn from a small grammar: who that is follows from the rest of the sentence.

    he needs to work more , pavlos said about patrick .        he is patrick, which is known at the end only
    at lunch , pavlos promised patrick that he will rest .     he is pavlos, which is known before

A sentence has two names of twelve, a verb that says which of the two is meant, and the two in one order or the other.
Pairs of names are split into parts, so that no sentence, and no pair, is in two of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np
import torch

from unrolled.batch import NOT_ASKED, Ragged
from unrolled.data.examples import Draw, Fields
from unrolled.data.randomness import Purpose, draws, pick

PRONOUN = "he"
NAMES = ("alexis", "bruno", "carl", "david", "elias", "felix", "george", "hugo", "ivan", "kostas", "patrick", "pavlos")
#: What is said of him.
CLAUSES = (
    "needs to work more",
    "is always late",
    "will pass the exam",
    "plays too loudly",
    "forgot the keys",
    "has good ideas",
    "should rest",
    "never calls back",
)
#: Who says it to whom or about whom, 0 and 1 the names in the order of the sentence; and which of them is meant.
#: First those that stand before what is said or behind it, then those that only stand behind it.
FRAMES = (
    ("{0} said about {1}", 1),
    ("{0} complained about {1}", 1),
    ("{0} wrote about {1}", 1),
    ("about {0} , {1} said", 0),
    ("{0} promised {1}", 0),
    ("{0} admitted to {1}", 0),
    ("{0} swore to {1}", 0),
    ("to {0} , {1} promised", 1),
)
INVERTED_FRAMES = (
    ("said {0} about {1}", 1),
    ("wrote {0} about {1}", 1),
    ("admitted {0} to {1}", 0),
    ("swore {0} to {1}", 0),
)
CIRCUMSTANCES = ("", "yesterday", "at lunch", "on the phone", "once more")

Pair = tuple[str, str]


@dataclass(frozen=True)
class Sentence:
    """words: the sentence. place: of "he" in it. who: the name that is meant. first: whether it is said afterwards."""

    words: tuple[str, ...]
    place: int
    who: str
    first: bool


@cache
def vocabulary() -> tuple[str, ...]:
    """Every word of the grammar, in alphabetical order."""
    frames = (text.format(*NAMES[:2]) for text, _ in FRAMES + INVERTED_FRAMES)
    texts = (*NAMES, *CLAUSES, *frames, *CIRCUMSTANCES, PRONOUN, "that", ":", ",", ".")
    return tuple(sorted({word for text in texts for word in text.split()}))


def split_pairs() -> tuple[list[Pair], list[Pair], list[Pair]]:
    """(train, valid, test): two thirds, an eighth, and the rest of the 66 pairs; no run's seed changes which."""
    pairs = list(combinations(NAMES, 2))
    order = [pairs[place] for place in draws(0, Purpose.SPLIT).permutation(len(pairs))]
    return order[:44], order[44:52], order[52:]


def draw_sentence(generator: np.random.Generator, pairs: list[Pair]) -> Sentence:
    """One sentence about one of the pairs; in one half of them "he" comes before the names."""
    # All chances at once: one by one, drawing would cost more than learning.
    chances = generator.random(7).tolist()
    names = pick(pairs, chances[0])
    if chances[1] < 0.5:
        names = names[::-1]
    clause, circumstance = pick(CLAUSES, chances[2]), pick(CIRCUMSTANCES, chances[3])
    first = chances[4] < 0.5
    text, meant = pick(FRAMES + INVERTED_FRAMES if first else FRAMES, chances[5])
    frame = text.format(*names)
    if first:
        whole = f"{PRONOUN} {clause} , {frame} {circumstance} ."
    else:
        before = f"{circumstance} , " if circumstance else ""
        whole = f"{before}{frame} {pick(('that', ':'), chances[6])} {PRONOUN} {clause} ."
    words = tuple(whole.split())
    return Sentence(words, words.index(PRONOUN), names[meant], first)


def who_is_he(pairs: list[Pair]) -> Draw:
    """Three fields.

    inputs: ragged (T, B), words by their place in the vocabulary. targets: ragged (T, B), which of NAMES "he" is, and
    NOT_ASKED at every other word. first: (1, B) bool, whether "he" comes before the names.
    """

    def draw(generator: np.random.Generator, rows: int) -> Fields:
        return encode([draw_sentence(generator, pairs) for _ in range(rows)])

    return draw


def encode(sentences: list[Sentence]) -> Fields:
    """The fields of `who_is_he` for these sentences."""
    number = {word: place for place, word in enumerate(vocabulary())}
    lengths = torch.tensor([len(one.words) for one in sentences])
    inputs = np.zeros((int(lengths.max()), len(sentences)), dtype=np.int64)
    targets = np.full_like(inputs, NOT_ASKED)
    for row, one in enumerate(sentences):
        inputs[: len(one.words), row] = [number[word] for word in one.words]
        targets[one.place, row] = NAMES.index(one.who)
    return {
        "inputs": Ragged(torch.from_numpy(inputs), lengths),
        "targets": Ragged(torch.from_numpy(targets), lengths),
        "first": torch.tensor([[one.first for one in sentences]]),
    }
