"""How the sentences of two languages are symbols: pieces of byte-pair encoding, or words, those unknown copied over.

Pieces are of both languages together, so that a name is the same on both sides. Of words, the rarer ones are one
symbol, "(unknown)"; where the decoder writes it, the word of the source that it looked at most stands there instead
(Luong et al. 2015, arXiv:1410.8206): mostly a name or a number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from unrolled.data.tokens import TokenVocabulary
    from unrolled.data.vocabulary import BPEVocabulary

#: A blank is put before each sentence, so that its first word is the same piece as within.
_BLANK = " "


class Sentences:
    """Symbols and texts of both languages.

    source, target: the vocabularies, of words; or the same one twice, of pieces. backwards: the source is read from its
    end. start and end stand behind the target's symbols.
    """

    def __init__(
        self, source: TokenVocabulary | BPEVocabulary, target: TokenVocabulary | BPEVocabulary, backwards: bool
    ) -> None:
        from unrolled.data.vocabulary import BPEVocabulary

        self.source, self.vocabulary, self.backwards = source, target, backwards
        self.pieces = isinstance(source, BPEVocabulary)
        self.source_size, self.target_size = source.size, target.size + 2
        self.start, self.end = target.size, target.size + 1

    @classmethod
    def learn(
        cls, sources: Sequence[str], targets: Sequence[str], symbols: str, size: int, backwards: bool
    ) -> Sentences:
        """symbols: "bpe" or "words". size: of the vocabulary at most, of words each language's."""
        if symbols == "bpe":
            from unrolled.data.vocabulary import BPEVocabulary

            both = BPEVocabulary.learn((_BLANK + sentence for sentence in (*sources, *targets)), size)
            return cls(both, both, backwards)
        from unrolled.data.tokens import TokenVocabulary, words

        first, second = (
            TokenVocabulary(TokenVocabulary.of(map(words, side)).tokens[1:size]) for side in (sources, targets)
        )
        return cls(first, second, backwards)

    @classmethod
    def from_assets(cls, assets: Mapping[str, Any]) -> Sentences:
        """What `to_assets` wrote."""
        if "pieces" in assets:
            from unrolled.data.vocabulary import vocabulary_from_assets

            both = vocabulary_from_assets(assets["pieces"])
            return cls(both, both, assets["backwards"])  # type: ignore[arg-type]
        from unrolled.data.tokens import TokenVocabulary

        first, second = (TokenVocabulary.from_assets(assets[side]) for side in ("source", "target"))
        return cls(first, second, assets["backwards"])

    def to_assets(self) -> dict[str, Any]:
        """Plain JSON."""
        if self.pieces:
            return {"pieces": self.source.to_assets(), "backwards": self.backwards}
        sides = {"source": self.source.to_assets(), "target": self.vocabulary.to_assets()}
        return {**sides, "backwards": self.backwards}

    @property
    def lowercase(self) -> bool:
        """Whether capitals are lost, so that a score must not ask for them."""
        return not self.pieces

    @property
    def summary(self) -> str:
        """One line for a person."""
        if self.pieces:
            return f"{self.source.size:,} pieces for both languages"
        return f"{self.source.size:,} and {self.vocabulary.size:,} words"

    def read(self, sentence: str) -> np.ndarray:
        """(T,) int64, in the order in which the encoder reads."""
        ids = _encode(self.source, sentence)
        return ids[::-1].copy() if self.backwards else ids

    def source_tokens(self, sentence: str) -> list[str]:
        """The symbols of `read` as texts; unknown words as they stand."""
        from unrolled.data.tokens import words

        tokens = _pieces(self.source, _encode(self.source, sentence)) if self.pieces else words(sentence)
        return tokens[::-1] if self.backwards else tokens

    def target(self, sentence: str) -> np.ndarray:
        """(S,) int64, without start and end."""
        return _encode(self.vocabulary, sentence)

    def target_tokens(self, ids: Sequence[int] | np.ndarray) -> list[str]:
        """The symbols that were written as texts."""
        return _pieces(self.vocabulary, ids)

    def text(self, ids: Sequence[int] | np.ndarray, source: Sequence[str], weights: np.ndarray) -> str:
        """The sentence of these symbols.

        source, weights: tokens as read, and for each symbol written where it looked: unknown words come from there.
        """
        from unrolled.data.vocabulary import BPEVocabulary

        if isinstance(self.vocabulary, BPEVocabulary):
            # On one line, whatever pieces a network that has learnt little writes.
            return " ".join(self.vocabulary.decode(ids).split())
        written = []
        for number, symbol in enumerate(ids):
            unknown = symbol == 0 and weights.shape[1] > 0
            written.append(source[int(weights[number].argmax())] if unknown else self.vocabulary.tokens[symbol])
        return " ".join(written)


def _encode(vocabulary: Any, sentence: str) -> np.ndarray:
    from unrolled.data.tokens import TokenVocabulary, words

    if isinstance(vocabulary, TokenVocabulary):
        return vocabulary.encode(words(sentence))
    return vocabulary.encode(_BLANK + " ".join(sentence.split())).astype("int64")


def _pieces(vocabulary: Any, ids: Sequence[int] | np.ndarray) -> list[str]:
    from unrolled.data.tokens import TokenVocabulary

    if isinstance(vocabulary, TokenVocabulary):
        return [vocabulary.tokens[symbol] for symbol in ids]
    # A piece that is part of a character alone is shown as a replacement character.
    return [vocabulary.decode([symbol]).replace(_BLANK, "▁") for symbol in ids]
