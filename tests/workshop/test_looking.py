"""What a word is on the command line: a text itself, or the name of a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from unrolled.workshop.looking import Words, means_words


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("lovely", True),
        ("a lovely film", True),
        ("self.name", True),  # Python, not a file
        ("e.g.", True),
        ("see a/b in notes.txt", True),  # a sentence
        ("-", False),
        ("notes.txt", False),
        ("letters.de", False),
        ("reviews.csv.gz", False),
        ("reviews.cvs", False),
        ("data.parquet", False),
        ("gone/away", False),
        ("here", False),
    ],
)
def test_what_is_a_text_and_what_a_file(
    word: str, words: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").write_text("a file whose name is a word")
    assert means_words(word) is words
    assert means_words(Words(word)), "what a browser sends is never a file"
