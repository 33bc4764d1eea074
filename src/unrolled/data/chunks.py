"""Chunks of words in lines of tags (B-NP I-NP O …), and how many are found: F1 exactly as conlleval computes it.

A tag is O, or a letter and a type: B begins a chunk, I goes on, E ends one. Where a chunk begins is read leniently, as
conlleval does: an I behind O, or behind a chunk of another type, begins one too (Tjong Kim Sang & Buchholz 2000).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

#: (letter before, letter now) at which a chunk ends between them, and at which one begins, the type being the same.
_ENDS = {("B", "B"), ("B", "O"), ("I", "B"), ("I", "O"), ("E", "E"), ("E", "I"), ("E", "O")}
_BEGINS = {("B", "B"), ("I", "B"), ("O", "B"), ("O", "I"), ("E", "E"), ("E", "I"), ("O", "E")}
_TAG = re.compile(r"O|[BIE]-.+")


class Chunk(NamedTuple):
    """Words first … last of a sentence, counted from 0."""

    first: int
    last: int
    kind: str


class Found(NamedTuple):
    """In per cent: of the chunks said, how many are right; of the true ones, how many were found; and 2PR / (P + R)."""

    precision: float
    recall: float
    f1: float


def are_chunks(tags: Iterable[str]) -> bool:
    """Whether these tags, all of a column, mark chunks."""
    tags = set(tags)
    return tags != {"O"} and bool(tags) and all(_TAG.fullmatch(tag) for tag in tags)


def chunks(tags: Sequence[str]) -> list[Chunk]:
    """The chunks of one sentence."""
    found: list[Chunk] = []
    before, kind, first = "O", "", -1
    # Behind the last word it is as if an O came.
    for place, tag in enumerate([*tags, "O"]):
        letter, _, now = tag.partition("-")
        if first >= 0 and ((before, letter) in _ENDS or (before != "O" and kind != now)):
            found.append(Chunk(first, place - 1, kind))
            first = -1
        if (before, letter) in _BEGINS or (letter != "O" and kind != now):
            first = place
        before, kind = letter, now
    return found


def f1(truth: Iterable[Sequence[str]], said: Iterable[Sequence[str]]) -> Found:
    """Over all sentences, each a line of tags; a chunk is found where both ends and the type are right."""
    right = true = guessed = 0
    for wanted, given in zip(truth, said, strict=True):
        one, other = set(chunks(wanted)), set(chunks(given))
        right, true, guessed = right + len(one & other), true + len(one), guessed + len(other)
    precision, recall = 100 * right / max(1, guessed), 100 * right / max(1, true)
    return Found(precision, recall, 2 * precision * recall / (precision + recall) if right else 0.0)
