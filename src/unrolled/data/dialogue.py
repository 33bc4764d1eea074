"""Plays as plain text: speeches with an empty line between them, each below the name of who speaks.

First Citizen:
You are all resolved rather to die than to famish?

All:
Resolved. resolved.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from unrolled.data import reading, text
from unrolled.errors import DataError

#: A line with nothing on it but a name and a colon. Names are no sentences.
_HEADING = re.compile(r"([^\s:][^:\n]{0,39}):")
#: Headings of a text that is taken for a play.
LEAST_SPEECHES = 20


class Speech(NamedTuple):
    """speaker: as it stands before the colon. words: what is below, line ends included but for the last."""

    speaker: str
    words: str

    def __str__(self) -> str:
        return f"{self.speaker}:\n{self.words}\n\n"


@dataclass(frozen=True)
class Play:
    """speeches: those that are what they should be. summary, digest: as of a corpus."""

    speeches: list[Speech]
    summary: str
    digest: str


def read_play(files: text.FoundFiles, encoding: str = "utf-8") -> Play:
    """The speeches of a text; what has no heading, a title say, is passed over. DataError where hardly any has one."""
    encoding = reading.check_encoding(encoding)
    parts = reading.parts(files)
    whole = "\n".join("".join(reading.read_text(parts, encoding)).splitlines())
    blocks = [block.strip("\n") for block in re.split(r"\n[ \t]*(?:\n[ \t]*)+", whole) if block.strip()]
    speeches = [speech for block in blocks if (speech := as_speech(block)) is not None]
    if len(speeches) < LEAST_SPEECHES:
        raise DataError(
            f"{files.name}: {len(speeches)} speeches, where {LEAST_SPEECHES} or more were expected: an empty line, the "
            "speaker's name and a colon on a line of their own, and below it what is said"
        )
    speakers = Counter(speech.speaker for speech in speeches)
    over = len(blocks) - len(speeches)
    left_out = f", {over:,} paragraphs without one passed over" if over else ""
    summary = f"{files.name}: {len(speeches):,} speeches of {len(speakers):,} speakers{left_out}"
    return Play(speeches, summary, reading.digest(parts))


def as_speech(block: str) -> Speech | None:
    """The speech that a paragraph is, None where it is none: no heading, or nothing below it."""
    first, _, words = block.partition("\n")
    heading = _HEADING.fullmatch(first.rstrip())
    return Speech(heading[1], words) if heading and words.strip() else None


def well_formed(written: str, speakers: Collection[str]) -> tuple[int, int]:
    """(changes of speaker that are as they should be, all) in a text that begins with a heading.

    One is as it should be where an empty line is before it, the name stands alone before a colon and is one of
    `speakers`, somebody else spoke before, and something is said. A name of `speakers` with a colon on a line of its
    own in the middle of a speech is a change that lacks its empty line. The last speech may be cut off: it does not
    count.
    """
    right, total, before = 0, 0, ""
    for block in written.split("\n\n")[:-1]:
        total += 1 + sum(
            (heading := _HEADING.fullmatch(line)) is not None and heading[1] in speakers
            for line in block.split("\n")[1:]
        )
        speech = as_speech(block)
        if speech is not None and speech.speaker in speakers and speech.speaker != before:
            right += 1
        before = "" if speech is None else speech.speaker
    return right, total


def stretches(speeches: Sequence[Speech], characters: int) -> list[list[Speech]]:
    """The speeches in order, in stretches of so many characters each, or somewhat more."""
    found: list[list[Speech]] = [[]]
    size = 0
    for speech in speeches:
        if size >= characters:
            found.append([])
            size = 0
        found[-1].append(speech)
        size += len(str(speech))
    return found
