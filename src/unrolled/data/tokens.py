"""Tokens and their numbers: words, characters, tags. 0 is what was not there in training, where that can be."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from unrolled.errors import CheckpointError, DataError

#: What stands for every token that is not known.
UNKNOWN = "(unknown)"
#: A word, with apostrophes, hyphens or points inside of it; or one mark.
_WORD = re.compile(r"\w+(?:[-'’.]\w+)*|[^\w\s]")


class TokenVocabulary:
    """Tokens by number, the most frequent first; 0 is UNKNOWN.

    tokens: without UNKNOWN, each once.
    """

    def __init__(self, tokens: Sequence[str]) -> None:
        self.tokens = (UNKNOWN, *tokens)
        self._numbers = {token: number for number, token in enumerate(self.tokens)}
        if len(self._numbers) != len(self.tokens):
            raise CheckpointError("a vocabulary that names a token twice; use another checkpoint")

    @classmethod
    def of(cls, sequences: Iterable[Iterable[str]], least: int = 1) -> TokenVocabulary:
        """The tokens that come `least` times or more in these sequences; the others teach what is unknown."""
        counts = Counter(token for sequence in sequences for token in sequence)
        counts.pop(UNKNOWN, None)
        kept = [token for token, count in counts.items() if count >= least]
        return cls(sorted(kept, key=lambda token: (-counts[token], token)))

    @property
    def size(self) -> int:
        return len(self.tokens)

    def encode(self, tokens: Sequence[str]) -> np.ndarray:
        """(N,) int64."""
        return np.array([self._numbers.get(token, 0) for token in tokens], dtype=np.int64)

    def to_assets(self) -> list[str]:
        """Plain JSON: every token in order, UNKNOWN first; `from_assets` takes it back."""
        return list(self.tokens)

    @classmethod
    def from_assets(cls, assets: Any) -> TokenVocabulary:
        """The vocabulary that `to_assets` wrote."""
        return cls(assets[1:])


def words(text: str) -> list[str]:
    """The words and marks of a text, in small letters."""
    return split_words(text.lower())


def split_words(text: str) -> list[str]:
    """The words and marks of a text, as they are written."""
    return _WORD.findall(text)


def plain_word(word: str) -> str:
    """A word as it is looked up where characters are read beside it: in small letters, every digit a 0."""
    return re.sub(r"\d", "0", word.lower())


def class_numbers(labels: Sequence[str], classes: Sequence[str]) -> np.ndarray:
    """(N,) int64, which of `classes` each label is. DataError at one that is none of them."""
    numbers = {name: number for number, name in enumerate(classes)}
    if odd := [label for label in labels if label not in numbers]:
        shown = ", ".join(classes[:20]) + (", …" if len(classes) > 20 else "")
        raise DataError(f"{odd[0]!r} is none of the classes that were trained on: {shown}")
    return np.array([numbers[label] for label in labels], dtype=np.int64)


def padded(sequences: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Side by side, time first: (T, B) int64, 0 past each length, and lengths (B,)."""
    lengths = np.array([len(one) for one in sequences], dtype=np.int64)
    values = np.zeros((max(1, int(lengths.max(initial=0))), len(sequences)), dtype=np.int64)
    for row, one in enumerate(sequences):
        values[: len(one), row] = one
    return values, lengths
