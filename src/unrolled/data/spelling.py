"""Sentences as numbers: each word, and the letters in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from unrolled.batch import Ragged
from unrolled.data.tokens import TokenVocabulary, padded, plain_word

#: Letters of a word that are read: half of them its first, half its last.
LETTERS = 20


@dataclass(frozen=True)
class EncodedSentence:
    """words: (T,); characters: (T, C), 0 past each word's end; targets: (T, columns), or None. All int64."""

    words: np.ndarray
    characters: np.ndarray
    targets: np.ndarray | None = None


class SentenceReader:
    """Words are looked up in small letters, with every digit a 0; letters as they are."""

    def __init__(self, words: TokenVocabulary, characters: TokenVocabulary) -> None:
        self.words, self.characters = words, characters

    @classmethod
    def of(cls, sentences: Sequence[Sequence[str]], least: int) -> SentenceReader:
        """The words and letters that come `least` times or more in these sentences."""
        plain = ([plain_word(word) for word in own] for own in sentences)
        letters = (word for own in sentences for word in own)
        return cls(TokenVocabulary.of(plain, least), TokenVocabulary.of(letters, least))

    def to_assets(self) -> dict[str, Any]:
        """Plain JSON, which `from_assets` takes back."""
        return {"words": self.words.to_assets(), "characters": self.characters.to_assets()}

    @classmethod
    def from_assets(cls, assets: Mapping[str, Any]) -> SentenceReader:
        """The reader that `to_assets` wrote."""
        words, characters = (TokenVocabulary.from_assets(assets[name]) for name in ("words", "characters"))
        return cls(words, characters)

    @property
    def letters(self) -> int:
        """How many numbers letters have: 0 is none, past a word's end."""
        return self.characters.size + 1

    def encode(self, sentence: Sequence[str], targets: np.ndarray | None = None) -> EncodedSentence:
        """One sentence, with its tags (T, columns)."""
        half = LETTERS // 2
        shortened = [word if len(word) <= LETTERS else word[:half] + word[-half:] for word in sentence]
        letters, _ = padded([self.characters.encode(word) + 1 for word in shortened])
        return EncodedSentence(self.words.encode([plain_word(word) for word in sentence]), letters.T, targets)


def sentence_fields(sentences: Sequence[EncodedSentence]) -> dict[str, torch.Tensor | Ragged]:
    """Side by side: `inputs` (T, B) words, `characters` (T, B, C), and `targets` (T, B, columns) if there are any."""
    words, lengths = padded([one.words for one in sentences])
    widest = max(one.characters.shape[1] for one in sentences)
    characters = np.zeros((*words.shape, widest), dtype=np.int64)
    for row, one in enumerate(sentences):
        characters[: len(one.words), row, : one.characters.shape[1]] = one.characters
    fields: dict[str, torch.Tensor | Ragged] = {
        "inputs": Ragged(torch.from_numpy(words), torch.from_numpy(lengths)),
        "characters": torch.from_numpy(characters),
    }
    if (first := sentences[0].targets) is not None:
        targets = np.zeros((*words.shape, first.shape[1]), dtype=np.int64)
        for row, one in enumerate(sentences):
            targets[: len(one.words), row] = one.targets
        fields["targets"] = Ragged(torch.from_numpy(targets), torch.from_numpy(lengths))
    return fields
