"""Which words rhyme, worked out by hand from their sounds."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from unrolled.data.rhymes import Rhymes, last_word, share_at_random
from unrolled.errors import DataError

SPOKEN = """;;; a remark
INCREASE 1 IH0 N K R IY1 S
INCREASE 2 IH1 N K R IY2 S
DECREASE 1 D IH0 K R IY1 S
MEMORY 1 M EH1 M ER0 IY0
BE 1 B IY1
SEEING 1 S IY1 IH0 NG
BEING 1 B IY1 IH0 NG
NOTHING 1 N AH1 TH IH0 NG
DESERVED 1 D IH0 Z ER1 V D
SERVED 1 S ER1 V D
HIGHEST 1 HH AY1 AH0 S T
NIGHEST 1 N AY1 AH0 S T
THE 1 DH AH0
A 1 AH0
HMM 1 HH M
"""


@pytest.fixture
def rhymes(tmp_path: Path) -> Rhymes:
    (tmp_path / "spoken").write_text(SPOKEN)
    return Rhymes.read(tmp_path / "spoken")


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("increase", "Decrease", True),  # from the last stressed vowel on: IY S
        ("increase", "increase", False),  # a word does not rhyme with itself
        ("being", "seeing", True),  # IY IH NG
        ("seeing", "nothing", False),  # IH NG alone is not stressed
        ("memory", "be", True),  # the last of three syllables is stressed in verse
        ("deserv'd", "served", True),  # spelt without its e
        ("high'st", "nighest", True),
        ("self-served", "deserved", True),  # the last part of a word that is not there as a whole
        ("the", "a", True),  # no stress at all: from the last vowel on
        ("hmm", "be", False),  # no vowel
        ("be", "unheard-of", False),  # not in the dictionary
        ("unheard", "unheard-of", False),
    ],
)
def test_what_rhymes(rhymes: Rhymes, one: str, other: str, expected: bool) -> None:
    assert rhymes.rhyme(one, other) is rhymes.rhyme(other, one) is expected


def test_shuffled_lines_rhyme_as_often_as_all_pairs_do(rhymes: Rhymes) -> None:
    # Of the six pairs, increase with decrease and memory with be.
    assert share_at_random(rhymes, ["increase", "be", "decrease", "memory"]) == pytest.approx(2 / 6)
    assert share_at_random(rhymes, ["be"]) == 0


def test_the_last_word_of_a_line() -> None:
    assert last_word("  Feed'st thy light's flame with self-substantial fuel, ") == "fuel"
    assert last_word("And see'st 'tis o'er-snowed:'") == "o'er-snowed"
    assert last_word("…!") == ""


def test_an_archive_and_the_form_of_newer_editions(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "spoken.zip", "w") as archive:
        archive.writestr("cmudict/README", "what this is")
        archive.writestr("cmudict/cmudict", "be B IY1\nbe(2) B EY1 # remark\nsee S IY1\nday D EY1\n")
    rhymes = Rhymes.read(tmp_path / "spoken.zip")
    assert rhymes.rhyme("be", "see") and rhymes.rhyme("be", "day") and not rhymes.rhyme("see", "day")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("BE 1 B IY1\nwhat is this\n", "line 2: 'what is this': a word and its sounds"),
        ("BE\n", "line 1"),
        ("", "empty"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, content: str, sentence: str) -> None:
    (tmp_path / "odd.txt").write_text(content)
    with pytest.raises(DataError, match=sentence):
        Rhymes.read(tmp_path / "odd.txt")
