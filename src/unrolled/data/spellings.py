"""What is read of a word besides the word itself: its last letters, its first, its shape, each a symbol of its own.

A word that training has seen once, or never, still says much by how it ends and whether it begins with a capital. The
embeddings of a word's symbols are added.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

#: Kinds of symbols of a word, in their order: the word, its last three, two and one letters, its first two, its shape.
_KINDS = ("word", "last 3", "last 2", "last 1", "first 2", "shape")
_DIGIT = re.compile(r"\d")
#: A word before n't, n't, what an apostrophe adds, a number or word with points in it, or one mark.
_WORD = re.compile(r"\w+(?=n't\b)|n't\b|'(?:s|re|ve|ll|d|m)\b|\w+(?:[.,]\w+)*|[^\w\s]", re.IGNORECASE)


def split_words(sentence: str) -> list[str]:
    """The words and marks of a sentence, parted as treebanks part them: do n't, cat 's, well - known."""
    return _WORD.findall(sentence.replace("’", "'"))


class Spellings:
    """Symbols of words.

    features: those that are known, as "kind text", each once; the first of each kind, "kind ", is all that are not.
    """

    def __init__(self, features: Sequence[str]) -> None:
        self.features = list(features)
        self._numbers = {feature: number for number, feature in enumerate(features)}

    @classmethod
    def of(cls, sentences: Iterable[Sequence[str]]) -> Spellings:
        """Those that come twice or more; the words of the others teach what is not known."""
        counts = Counter(f"{kind} {text}" for words in sentences for word in words for kind, text in _of(word))
        unknown = [f"{kind} " for kind in _KINDS]
        return cls([*unknown, *sorted(feature for feature, count in counts.items() if count > 1)])

    @property
    def size(self) -> int:
        """Number of symbols."""
        return len(self.features)

    def read(self, words: Sequence[str]) -> np.ndarray:
        """(T, 6) int64."""
        rows = [[self._number(kind, text) for kind, text in _of(word)] for word in words]
        return np.array(rows, dtype=np.int64).reshape(len(words), len(_KINDS))

    def _number(self, kind: str, text: str) -> int:
        return self._numbers.get(f"{kind} {text}", self._numbers[f"{kind} "])


def _of(word: str) -> list[tuple[str, str]]:
    plain = _DIGIT.sub("0", word.lower())
    return list(zip(_KINDS, (plain, plain[-3:], plain[-2:], plain[-1:], plain[:2], _shape(word)), strict=True))


def _shape(word: str) -> str:
    if any(character.isdigit() for character in word):
        return "digits"
    if not any(character.isalpha() for character in word):
        return "mark"
    if word.isupper() and len(word) > 1:
        return "capitals"
    return "capital" if word[0].isupper() else "small"
