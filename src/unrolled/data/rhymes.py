"""Which words rhyme, by a pronouncing dictionary in the form of Carnegie Mellon's: a word and its sounds a line.

FORTY  F AO1 R T IY0        (digits: a vowel, and its stress: 1 main, 2 lesser, 0 none)
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from unrolled.data import reading, text
from unrolled.errors import DataError

Sounds = tuple[str, ...]

_SOUND = re.compile(r"[A-Z]+[0-2]?")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
#: What older spelling leaves out of endings, and how the dictionary spells them.
_ENDINGS = (("'d", "ed"), ("'st", "est"))


class Rhymes:
    """pronunciations: word in small letters → the ways to say it, each as sounds."""

    def __init__(self, pronunciations: Mapping[str, Sequence[Sounds]]) -> None:
        self._pronunciations = pronunciations
        self.endings = lru_cache(maxsize=None)(self._endings)

    @classmethod
    def read(cls, path: Path) -> Rhymes:
        """A file, or an archive with one in it. Lines that begin with ;;; are remarks; a number behind the word, or one
        in brackets at its end, counts its pronunciations. DataError with the line where a line is something else.
        """
        parts = _dictionaries(path)
        found: dict[str, list[Sounds]] = defaultdict(list)
        for part in parts:
            whole = "".join(reading.read_text([part], "latin-1"))
            for number, line in enumerate(whole.splitlines(), 1):
                cells = line.partition("#")[0].split()
                if not cells or line.startswith(";;;"):
                    continue
                sounds = tuple(cells[2:] if len(cells) > 1 and cells[1].isdigit() else cells[1:])
                if not sounds or not all(_SOUND.fullmatch(sound) for sound in sounds):
                    raise DataError(
                        f"{part.label}, line {number:,}: {line[:40]!r}: a word and its sounds, such as FORTY F AO1 R T "
                        "IY0, were expected"
                    )
                found[re.sub(r"\(\d+\)$", "", cells[0]).lower()].append(sounds)
        if not found:
            raise DataError(f"{path}: empty, where a pronouncing dictionary was expected: name another file")
        return cls(found)

    def _endings(self, word: str) -> frozenset[Sounds]:
        """What must be alike in words that rhyme with this one: the sounds from the last stressed vowel on; and where
        two or more vowels follow that one, also those from the last vowel on, which verse stresses ("memory" with
        "be"). Empty for words that the dictionary lacks.
        """
        endings = set()
        for sounds in self._find(word):
            vowels = [place for place, sound in enumerate(sounds) if sound[-1].isdigit()]
            stressed = [place for place in vowels if sounds[place][-1] != "0"]
            if not vowels:
                continue
            first = stressed[-1] if stressed else vowels[-1]
            starts = {first} | ({vowels[-1]} if sum(place > first for place in vowels) >= 2 else set())
            endings |= {tuple(sound.rstrip("012") for sound in sounds[start:]) for start in starts}
        return frozenset(endings)

    def _find(self, word: str) -> Sequence[Sounds]:
        plain = word.lower().replace("’", "'")
        spellings = [plain, *(plain.removesuffix(old) + new for old, new in _ENDINGS if plain.endswith(old))]
        spellings += [spelling.rpartition("-")[2] for spelling in spellings]
        return next((self._pronunciations[one] for one in spellings if one in self._pronunciations), ())

    def rhyme(self, one: str, other: str) -> bool:
        """Whether two words rhyme. A word does not rhyme with itself, nor does one that the dictionary lacks."""
        return one.lower() != other.lower() and not self.endings(one).isdisjoint(self.endings(other))


def last_word(line: str) -> str:
    """The last word of a line, without the marks around it; empty where there is none."""
    return words[-1] if (words := _WORD.findall(line)) else ""


def share_at_random(rhymes: Rhymes, words: Sequence[str]) -> float:
    """The share of rhymes to be expected among these line ends when the lines are shuffled: that of all pairs."""
    pairs = [(one, other) for place, one in enumerate(words) for other in words[:place]]
    return sum(rhymes.rhyme(one, other) for one, other in pairs) / max(1, len(pairs))


def _dictionaries(path: Path) -> Iterable[reading.Part]:
    """The file itself; of an archive whatever is no README, since the dictionary's own name has no ending."""
    if path.suffix.lower() != ".zip":
        return reading.parts(text.find_files([path]))
    parts = [part for part in reading.all_members(path) if "README" not in part.member]
    if len(parts) != 1:
        raise DataError(f"{path}: {len(parts)} files in this archive, where one pronouncing dictionary was expected")
    return parts
