"""Symbols and the numbers that a model sees: characters, bytes, or pieces learnt by byte-pair encoding."""

from __future__ import annotations

import codecs
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, Protocol

import numpy as np

from unrolled.errors import CheckpointError, OptionError, PromptError

#: Code points of Unicode.
CODE_POINTS = 0x110000


class Decoder(Protocol):
    """Symbols to text, one at a time, each character given out once, when it is whole."""

    def feed(self, symbol: int) -> str:
        """The text that `symbol` completes; empty while a character's bytes are still coming."""
        ...

    def finish(self) -> str:
        """What was still waiting at the end: a replacement character for bytes that never became whole, or nothing."""
        ...


class Vocabulary(ABC):
    """A two-way table between text and symbols 0 … size − 1."""

    #: What `to_assets` calls it.
    kind: ClassVar[str]
    #: What one symbol is, in the plural.
    unit: ClassVar[str]

    @property
    @abstractmethod
    def size(self) -> int:
        """Number of symbols."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The smallest unsigned type that holds every symbol."""
        return np.min_scalar_type(max(self.size - 1, 0))

    @abstractmethod
    def encode(self, text: str) -> np.ndarray:
        """(N,) of `dtype`. PromptError names the first character that is unknown and where it stands."""

    @abstractmethod
    def decode(self, ids: Iterable[int] | np.ndarray) -> str:
        """The text of these symbols, in one go."""

    @abstractmethod
    def decoder(self) -> Decoder:
        """For text that appears while it is drawn."""

    @abstractmethod
    def to_assets(self) -> dict[str, Any]:
        """Plain JSON, which `vocabulary_from_assets` takes back."""


class CharacterVocabulary(Vocabulary):
    """The distinct characters of a text, sorted by code point.

    characters: each once; their order is the symbols' order.
    """

    kind = "characters"
    unit = "characters"

    def __init__(self, characters: str) -> None:
        points = code_points(characters)
        if len(points) == 0 or len(np.unique(points)) != len(points):
            raise ValueError(f"distinct characters, one or more, were expected; {characters[:40]!r} came")
        self.characters = characters
        self._points = points
        # One entry more than the highest code point: whatever lies above is looked up there, and is unknown.
        self._table = np.full(int(points.max()) + 2, -1, dtype=np.int32)
        self._table[points] = np.arange(len(points), dtype=np.int32)

    @classmethod
    def of(cls, text: str) -> CharacterVocabulary:
        """The characters of this text."""
        return cls.from_points(np.unique(code_points(text)))

    @classmethod
    def from_points(cls, points: np.ndarray) -> CharacterVocabulary:
        """points: (V,) distinct code points, sorted."""
        return cls(_text_of(points))

    @property
    def size(self) -> int:
        return len(self._points)

    def look_up(self, points: np.ndarray) -> np.ndarray:
        """(N,) code points → (N,) int32 symbols, −1 where a character is unknown."""
        return self._table[np.minimum(points, len(self._table) - 1)]

    def encode(self, text: str) -> np.ndarray:
        ids = self.look_up(code_points(text))
        unknown = np.flatnonzero(ids < 0)
        if len(unknown):
            place = int(unknown[0])
            line, column = text.count("\n", 0, place) + 1, place - text.rfind("\n", 0, place)
            others = f", and {len(unknown) - 1:,} more" if len(unknown) > 1 else ""
            raise PromptError(
                f"{describe(text[place])} at line {line}, column {column} is not among the {self.size:,} characters "
                f"that the model knows{others}: {self.way_out(text[place])}"
            )
        return ids.astype(self.dtype)

    def way_out(self, character: str) -> str:
        """What to write instead of an unknown character."""
        plain = {"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": ".", "\t": " ", "\u00a0": " "}
        tries = [plain.get(character, ""), *unicodedata.normalize("NFKD", character), character.swapcase()]
        for other in tries:
            if other and other != character and other in self.characters:
                return f"write {other!r} instead, or leave it out"
        shown = self.characters if self.size <= 100 else self.characters[:100] + "…"
        return f"leave it out; known are {shown!r}"

    def decode(self, ids: Iterable[int] | np.ndarray) -> str:
        return _text_of(self._points[_checked(ids, self.size)])

    def decoder(self) -> Decoder:
        return _CharacterDecoder(self.characters)

    def to_assets(self) -> dict[str, Any]:
        return {"kind": self.kind, "characters": self.characters}


class ByteVocabulary(Vocabulary):
    """The 256 bytes of UTF-8 text: nothing is unknown, and one character may take several symbols."""

    kind = "bytes"
    unit = "bytes"

    @property
    def size(self) -> int:
        return 256

    def encode(self, text: str) -> np.ndarray:
        try:
            # A byte that was no UTF-8 on the command line comes as a lone surrogate, and goes back to that byte.
            return np.frombuffer(text.encode("utf-8", "surrogateescape"), dtype=np.uint8)
        except UnicodeEncodeError as error:
            raise _half_a_character(error) from error

    def decode(self, ids: Iterable[int] | np.ndarray) -> str:
        return _checked(ids, 256).astype(np.uint8).tobytes().decode("utf-8", "replace")

    def decoder(self) -> Decoder:
        return _PieceDecoder([bytes([value]) for value in range(256)])

    def to_assets(self) -> dict[str, Any]:
        return {"kind": self.kind}


class BPEVocabulary(Vocabulary):
    """Pieces of words learnt by byte-level byte-pair encoding (Sennrich et al. 2016), with the extra `bpe`.

    All 256 bytes are among the pieces, so nothing is unknown.
    tokenizer: its state, as the tokenizers library writes it.
    """

    kind = "bpe"
    unit = "pieces"

    def __init__(self, tokenizer: str) -> None:
        self._tokenizer = _tokenizers().Tokenizer.from_str(tokenizer)
        letters = _byte_letters()
        names = [self._tokenizer.id_to_token(i) for i in range(self._tokenizer.get_vocab_size())]
        self._pieces = [bytes(letters[letter] for letter in name) for name in names]

    @classmethod
    def learn(cls, texts: Iterator[str], size: int) -> BPEVocabulary:
        """size: the most pieces to learn, the 256 bytes among them; fewer where the text has no more.

        Counts every distinct word of `texts`, so memory grows with these, not with the text.
        """
        library = _tokenizers()
        if size < 256:
            raise OptionError(f"a BPE vocabulary holds the 256 bytes and more: 256 or more was expected, not {size}")
        tokenizer = library.Tokenizer(library.models.BPE())
        tokenizer.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
        alphabet = library.pre_tokenizers.ByteLevel.alphabet()
        trainer = library.trainers.BpeTrainer(vocab_size=size, initial_alphabet=sorted(alphabet), show_progress=False)
        tokenizer.train_from_iterator(texts, trainer)
        return cls(tokenizer.to_str())

    @property
    def size(self) -> int:
        return len(self._pieces)

    def encode(self, text: str) -> np.ndarray:
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise _half_a_character(error) from error
        return np.array(self._tokenizer.encode(text).ids, dtype=self.dtype)

    def decode(self, ids: Iterable[int] | np.ndarray) -> str:
        return b"".join(self._pieces[i] for i in _checked(ids, self.size)).decode("utf-8", "replace")

    def decoder(self) -> Decoder:
        return _PieceDecoder(self._pieces)

    def to_assets(self) -> dict[str, Any]:
        return {"kind": self.kind, "tokenizer": self._tokenizer.to_str()}


def vocabulary_from_assets(assets: Mapping[str, Any]) -> Vocabulary:
    """The vocabulary that `to_assets` wrote. CheckpointError where it is none."""
    kind = assets.get("kind")
    try:
        if kind == CharacterVocabulary.kind:
            return CharacterVocabulary(assets["characters"])
        if kind == ByteVocabulary.kind:
            return ByteVocabulary()
        if kind == BPEVocabulary.kind:
            return BPEVocabulary(assets["tokenizer"])
    except OptionError:
        raise
    except Exception as error:  # tokenizers raises Exception itself for a state that it cannot read
        raise CheckpointError(f"the vocabulary of kind {kind!r} is damaged: {error}; use another checkpoint") from error
    raise CheckpointError(
        f"a vocabulary of characters, bytes or bpe was expected; this one is of kind {kind!r}, "
        "perhaps of a newer version of unrolled: update it, or use another checkpoint"
    )


def code_points(text: str) -> np.ndarray:
    """(N,) uint32, one a character."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def describe(character: str) -> str:
    """`'é' (U+00E9)`."""
    return f"{character!r} (U+{ord(character):04X})"


def _text_of(points: np.ndarray) -> str:
    return points.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")


def _half_a_character(error: UnicodeEncodeError) -> PromptError:
    return PromptError(
        f"character {error.start + 1} is {describe(error.object[error.start])}, half of a character: leave it out"
    )


def _checked(ids: Iterable[int] | np.ndarray, size: int) -> np.ndarray:
    array = np.asarray(ids if hasattr(ids, "__array__") else list(ids), dtype=np.int64)
    if len(array) and (array.min() < 0 or array.max() >= size):
        raise IndexError(f"symbols from 0 to {size - 1} were expected; {array.min()} to {array.max()} came")
    return array


class _CharacterDecoder:
    """A symbol is a character: nothing ever waits."""

    def __init__(self, characters: str) -> None:
        self._characters = characters

    def feed(self, symbol: int) -> str:
        return self._characters[symbol]

    def finish(self) -> str:
        return ""


class _PieceDecoder:
    """Joins the UTF-8 bytes of symbols, and gives out what is whole."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces
        self._bytes = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, symbol: int) -> str:
        return self._bytes.decode(self._pieces[symbol])

    def finish(self) -> str:
        return self._bytes.decode(b"", final=True)


def _byte_letters() -> dict[str, int]:
    """The printable letter by which byte-level BPE writes each byte → the byte.

    Printable bytes of Latin-1 stand for themselves, the others for U+0100 and on, in order.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    letters = {chr(value): value for value in printable}
    others = [value for value in range(256) if value not in printable]
    return letters | {chr(0x100 + place): value for place, value in enumerate(others)}


def _tokenizers() -> Any:
    try:
        import tokenizers
    except ImportError as error:
        raise OptionError("byte-pair encoding needs the extra: pip install 'unrolled[bpe]'") from error
    return tokenizers
