"""Poems of one rhyme scheme, in an order in which rhymes are written first, and once.

ABAB: lines 1 and 3 rhyme. What their last words end with, both of them, comes first; then how each of the two words
begins; then each line from there on to its beginning. All of it backwards, character by character. Then lines 2 and 4.

    From fairest creatures we desire increase,
    But as the riper should by time decease,        ease + incr + dec | , From fairest … | , But as the riper …
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise, takewhile, zip_longest
from typing import Any, NamedTuple

import numpy as np

from unrolled.data import reading, text
from unrolled.data.vocabulary import CharacterVocabulary, vocabulary_from_assets
from unrolled.errors import DataError, PromptError

Poem = tuple[str, ...]


@dataclass(frozen=True)
class Scheme:
    """letters: one for each line of a poem; lines of the same letter rhyme."""

    letters: str

    @cached_property
    def groups(self) -> list[list[int]]:
        """The lines of each letter, by the place of the first."""
        return [
            [place for place, other in enumerate(self.letters) if other == letter]
            for letter in dict.fromkeys(self.letters)
        ]

    @cached_property
    def pairs(self) -> list[tuple[int, int]]:
        """Each line, and the next one that is to rhyme with it."""
        return [pair for group in self.groups for pair in pairwise(group)]

    @cached_property
    def stanzas(self) -> list[range]:
        """The groups in bundles that are whole lines of the poem, from one to another, as ABAB is."""
        found, first, seen = [], 0, 0
        for number, group in enumerate(self.groups, 1):
            seen += len(group)
            if seen == 1 + max(line for own in self.groups[:number] for line in own):
                found.append(range(first, number))
                first = number
        return found


@dataclass(frozen=True)
class Poems:
    """poems: those that have a line for each letter of the scheme. summary, digest: as of a corpus."""

    poems: list[Poem]
    summary: str
    digest: str


def read_poems(files: text.FoundFiles, scheme: Scheme, encoding: str = "utf-8") -> Poems:
    """Poems with an empty line between them; those of another number of lines are passed over. Blanks at the ends of
    lines are layout, and left out.

    DataError where none has as many lines as the scheme.
    """
    encoding = reading.check_encoding(encoding)
    parts = reading.parts(files)
    lines = [line.strip() for line in "".join(reading.read_text(parts, encoding)).splitlines()]
    found: list[Poem] = []
    own: list[str] = []
    for line in [*lines, ""]:
        if line:
            own.append(line)
        elif own:
            found.append(tuple(own))
            own = []
    length = len(scheme.letters)
    poems = [poem for poem in found if len(poem) == length]
    if not poems:
        sizes = Counter(len(poem) for poem in found).most_common(3)
        seen = ", ".join(f"{count:,} of {size}" for size, count in sizes) or "none at all"
        raise DataError(
            f"{files.name}: no poem of {length} lines, as --scheme {scheme.letters} has, among those between empty "
            f"lines ({seen}): name another file, or give the scheme of these"
        )
    over = len(found) - len(poems)
    left_out = f", {over} of other lengths passed over" if over else ""
    return Poems(poems, f"{files.name}: {len(poems):,} poems of {length} lines{left_out}", reading.digest(parts))


class Parts(NamedTuple):
    """A line in three: all before its last word; that word; the marks behind it, which have no blank among them."""

    rest: str
    word: str
    marks: str


def in_parts(line: str) -> Parts:
    """A line without blanks at its end, in parts."""
    last = line.rpartition(" ")[2]
    word = last.rstrip("".join(character for character in last if not character.isalpha()))
    return Parts(line[: len(line) - len(last)], word, last[len(word) :])


def shared_ending(words: Sequence[str]) -> str:
    """What all of these end with; of one word alone, nothing."""
    if len(words) < 2:
        return ""
    alike = takewhile(lambda letters: len(set(letters)) == 1, zip(*(reversed(word) for word in words), strict=False))
    return "".join(letters[0] for letters in alike)[::-1]


class Verse:
    """Poems as symbols: the characters; what stands before the beginning of each last word, what before the rest of
    each line, and what closes the lines of a letter.

    characters: all that poems are written with. Nothing says where in a poem one is, or where it ends: whoever reads
    counts the letters that are closed, so that a model need not.
    """

    def __init__(self, characters: CharacterVocabulary, scheme: Scheme) -> None:
        self.characters = characters
        self.scheme = scheme
        self.word = characters.size
        self.rest = self.word + 1
        self.close = self.word + 2
        self.size = self.word + 3

    @classmethod
    def of(cls, poems: Sequence[Poem], scheme: Scheme) -> Verse:
        """With the characters of these poems."""
        return cls(CharacterVocabulary.of("".join(line for poem in poems for line in poem)), scheme)

    def to_assets(self) -> dict[str, Any]:
        """Plain JSON, which `from_assets` takes back."""
        return {"characters": self.characters.to_assets(), "scheme": self.scheme.letters}

    @classmethod
    def from_assets(cls, assets: Mapping[str, Any]) -> Verse:
        """The symbols that `to_assets` wrote."""
        characters = vocabulary_from_assets(assets["characters"])
        assert isinstance(characters, CharacterVocabulary)
        return cls(characters, Scheme(assets["scheme"]))

    def encode(self, poem: Poem, *, turned: bool = False) -> np.ndarray:
        """(N,) symbols, the last of which closes the last letter. turned: each letter's lines in the opposite order."""
        symbols: list[int] = []
        for group in self.scheme.groups:
            lines = [in_parts(poem[line]) for line in (reversed(group) if turned else group)]
            ending = shared_ending([line.word for line in lines])
            symbols += self.characters.encode(ending[::-1]).tolist()
            for line in lines:
                beginning = line.word[: len(line.word) - len(ending)]
                symbols += [self.word, *self.characters.encode(beginning[::-1]).tolist()]
            for line in lines:
                symbols += [self.rest, *self.characters.encode(line.marks[::-1] + line.rest[::-1]).tolist()]
            symbols.append(self.close)
        return np.array(symbols)

    def encode_as_read(self, poem: Poem) -> np.ndarray:
        """(N,) characters in the order of reading, for models that know no other; one number more is a line's end."""
        line_end = self.characters.size
        lines = [[*self.characters.encode(line).tolist(), line_end] for line in poem]
        return np.array([symbol for line in lines for symbol in line])

    def encode_prompt(self, prompt: str) -> list[int]:
        """What every poem begins behind. PromptError for a beginning: verse is not written from there."""
        if prompt:
            raise PromptError(
                f"{prompt[:20]!r}: lines are written from their rhymes on, so no prompt can begin them: leave it out"
            )
        return [self.close]

    def decoder(self) -> VerseDecoder:
        """For text that appears while it is drawn."""
        return VerseDecoder(self)

    def decode(self, symbols: Sequence[int]) -> list[str]:
        """The lines of the first poem, as far as its stanzas are whole, in the order of reading."""
        decoder = self.decoder()
        lines = "".join(decoder.feed(symbol) for symbol in symbols).splitlines()
        return [line for line in lines if line][: len(self.scheme.letters)]


@dataclass
class _Group:
    """The lines of one letter, as far as they are written, all backwards."""

    ending: str = ""
    beginnings: list[str] = field(default_factory=list)
    rests: list[str] = field(default_factory=list)

    def add(self, character: str) -> None:
        if self.rests:
            self.rests[-1] += character
        elif self.beginnings:
            self.beginnings[-1] += character
        else:
            self.ending += character

    def lines(self) -> list[str]:
        """Where a piece is missing, because no model is perfect, it is taken for an empty one."""
        found = []
        for beginning, rest in zip_longest(self.beginnings, self.rests, fillvalue=""):
            marks, blank, before = rest.partition(" ")
            found.append(f"{(blank + before)[::-1]}{(self.ending + beginning)[::-1]}{marks[::-1]}")
        return found


class VerseDecoder:
    """Symbols to text, a stanza at a time, with an empty line behind each poem."""

    def __init__(self, verse: Verse) -> None:
        self._verse = verse
        self._closed = 0
        #: Of the letters that wait for their stanza; the last one grows.
        self._waiting = [_Group()]

    def feed(self, symbol: int) -> str:
        """What can be given out now, and was not before; empty while a stanza is not whole."""
        verse, group = self._verse, self._waiting[-1]
        if symbol < verse.word:
            group.add(verse.characters.characters[symbol])
        elif symbol == verse.word:
            group.beginnings.append("")
        elif symbol == verse.rest:
            group.rests.append("")
        else:
            letter = self._closed % len(verse.scheme.groups)
            self._closed += 1
            stanza = next(own for own in verse.scheme.stanzas if letter in own)
            if letter == stanza[-1]:
                return self._whole(stanza)
            self._waiting.append(_Group())
        return ""

    def _whole(self, stanza: range) -> str:
        """The lines that wait, each letter's at its places: lines too many are left out, missing ones an ellipsis."""
        placed: dict[int, str] = {}
        for number, group in zip(stanza, self._waiting, strict=True):
            places = self._verse.scheme.groups[number]
            lines = [*group.lines(), *(["…"] * len(places))]
            placed |= dict(zip(places, lines, strict=False))
        self._waiting = [_Group()]
        text = "".join(f"{placed[place]}\n" for place in sorted(placed))
        return f"{text}\n" if stanza[-1] == len(self._verse.scheme.groups) - 1 else text
