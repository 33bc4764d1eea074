"""Speeches, and changes of speaker that are as they should be."""

from __future__ import annotations

from pathlib import Path

import pytest

from unrolled.data.dialogue import Speech, as_speech, read_play, stretches, well_formed
from unrolled.data.text import find_files
from unrolled.errors import DataError

SPEAKERS = {"ROMEO", "First Citizen"}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("ROMEO:\nAy me.\n\nFirst Citizen:\nSpeak,\nspeak.\n\nROMEO:\nI", (2, 2)),  # the last may be cut off
        ("ROMEO:\nAy me.\n\nROMEO:\nAy.\n\nx", (1, 2)),  # who speaks already
        ("ROMEO:\nAy me.\n\nROMUO:\nAy.\n\nROMEO:\nNo.\n\nx", (2, 3)),  # nobody of that name; after him, a change
        ("ROMEO:\nAy me.\nFirst Citizen:\nSpeak.\n\nx", (1, 2)),  # no empty line
        ("ROMEO: Ay me.\n\nFirst Citizen:\n\nROMEO:\nHe said:\nno.\n\nx", (1, 3)),  # not alone; nothing said; no name
        ("\nROMEO:\nAy me.\n\nx", (0, 2)),  # an empty line too many: nobody's speech, and a name in the middle of it
        ("", (0, 0)),
    ],
)
def test_well_formed_changes(written: str, expected: tuple[int, int]) -> None:
    assert well_formed(written, SPEAKERS) == expected


def test_a_play_is_read_from_any_line_ends(tmp_path: Path) -> None:
    blocks = ["THE TITLE", *(f"{'AB'[n % 2]}:\nOne: two.\n Three {n}." for n in range(24))]
    (tmp_path / "play.txt").write_bytes("\n \n\n".join(blocks).replace("\n", "\r\n").encode())
    play = read_play(find_files([tmp_path / "play.txt"]))
    assert play.speeches[:2] == [Speech("A", "One: two.\n Three 0."), Speech("B", "One: two.\n Three 1.")]
    assert play.summary == "play.txt: 24 speeches of 2 speakers, 1 paragraphs without one passed over"
    assert str(play.speeches[0]) == "A:\nOne: two.\n Three 0.\n\n"


def test_a_text_without_speakers_is_refused(tmp_path: Path) -> None:
    (tmp_path / "novel.txt").write_text("He said:\nno.\n\nIt was in July.\n")
    with pytest.raises(DataError, match=r"novel\.txt: 1 speeches, where 20 or more"):
        read_play(find_files([tmp_path / "novel.txt"]))


def test_what_is_a_speech() -> None:
    assert as_speech("A B.:\nx") == Speech("A B.", "x")
    assert as_speech("A:") is as_speech("A:\n ") is as_speech("A: b\nc") is as_speech(" A:\nb") is None
    assert as_speech(f"{'A' * 41}:\nb") is None


def test_stretches_keep_order_and_whole_speeches() -> None:
    speeches = [Speech("A", "x" * size) for size in (5, 5, 30, 1, 1)]  # 10, 10, 35, 6, 6 characters as text
    found = stretches(speeches, 20)
    assert [[len(one.words) for one in piece] for piece in found] == [[5, 5], [30], [1, 1]]
