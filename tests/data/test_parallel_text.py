"""Sentences and their translations: every usual form is read, and what is wrong is said with file and line."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from unrolled.data import pairs
from unrolled.data.parallel_text import two_columns, two_files
from unrolled.errors import DataError


def test_two_files_line_by_line(tmp_path: Path) -> None:
    """A byte-order mark, CRLF, blanks at the ends, an empty pair, no end of the last line, one file compressed."""
    (tmp_path / "a.de").write_bytes("\ufeffEin Haus.\r\n\r\n  Zwei Häuser.  \r\nDrei.".encode())
    with gzip.open(tmp_path / "a.en.gz", "wb") as file:
        file.write(b"A house.\nOne.\nTwo houses.\nThree.\n")
    read = two_files(tmp_path / "a.de", tmp_path / "a.en.gz")
    assert read.sources == ["Ein Haus.", "Zwei Häuser.", "Drei."]
    assert read.targets == ["A house.", "Two houses.", "Three."]
    assert read.summary == "a.de and a.en.gz: 3 pairs, 1 with an empty side passed over"
    assert read.digest != two_files(tmp_path / "a.en.gz", tmp_path / "a.de").digest


def test_two_columns(tmp_path: Path) -> None:
    file = tmp_path / "p.tsv"
    file.write_text("Salut.\tHi.\tfrom somewhere\n\nÇa va?\tAll right?\n\tnothing\n", encoding="utf-8")
    read = two_columns(file)
    assert (read.sources, read.targets) == (["Salut.", "Ça va?"], ["Hi.", "All right?"])
    assert read.summary == (
        "p.tsv: 2 pairs, 2 with an empty side passed over; what stands behind a second tab, in 1 line, is not read"
    )
    (tmp_path / "l.tsv").write_text("Ça va?\tAll right?\n", encoding="latin-1")
    assert two_columns(tmp_path / "l.tsv", "latin-1").sources == ["Ça va?"]


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (b"a\nb\n", b"c\n", "a.txt has 2 lines and b.txt 1: line n of one must be the translation"),
        (b"", b"c\n", "a.txt: empty, where a sentence a line was expected"),
        (b"\n\n", b"a\n\n", "a.txt: empty"),
        (b"a\n\xff\n", b"a\nb\n", r"a.txt: not utf-8 at byte 2, line 2 .*give --encoding"),
        (b"a\n\n", b"\nb\n", "no line has both a sentence and its translation"),
        (b"a\0\n", b"b\n", "a binary file"),
    ],
)
def test_two_files_that_do_not_fit(tmp_path: Path, first: bytes, second: bytes, said: str) -> None:
    (tmp_path / "a.txt").write_bytes(first)
    (tmp_path / "b.txt").write_bytes(second)
    with pytest.raises(DataError, match=said) as raised:
        two_files(tmp_path / "a.txt", tmp_path / "b.txt")
    assert "\n" not in str(raised.value)


def test_a_line_without_a_tab_is_named(tmp_path: Path) -> None:
    (tmp_path / "p.tsv").write_text("a\tb\nc\n")
    with pytest.raises(DataError, match=r"p\.tsv, line 2: no tab, .* --translations"):
        two_columns(tmp_path / "p.tsv")
    with pytest.raises(DataError, match="no such file"):
        two_columns(tmp_path / "missing.tsv")


def test_pairs_side_by_side() -> None:
    """Two pairs by hand: 8 begins and 9 ends a target."""
    sources, targets = [np.array([1, 2, 3]), np.array([4])], [np.array([5]), np.array([6, 7])]
    fields = pairs.fields(sources, targets, 8, 9)
    assert fields["source"].values.tolist() == [[1, 4], [2, 0], [3, 0]]
    assert fields["symbols"].values.tolist() == [[8, 8], [5, 6], [0, 7]]
    assert fields["targets"].values.tolist() == [[5, 6], [9, 7], [0, 9]]
    assert fields["source"].lengths.tolist() == [3, 1] and fields["targets"].lengths.tolist() == [2, 3]
    several = pairs.ragged([np.array([[1, 2]]), np.zeros((0, 2), dtype=np.int64)])
    assert several.values.tolist() == [[[1, 2], [0, 0]]] and several.lengths.tolist() == [1, 0]


def test_batches_are_of_one_length_and_have_every_pair_once() -> None:
    sources = [np.full(n % 5, n) for n in range(1, 12)]
    batches = list(pairs.in_order(sources, sources, 90, 91, batch_size=4))
    lengths = [batch.ragged("source").lengths for batch in batches]
    assert [len(one) for one in lengths] == [4, 4, 3]
    assert (torch.cat(lengths).diff() <= 0).all()
    seen = torch.cat([b.ragged("source").values[0][b.ragged("source").lengths > 0] for b in batches])
    assert sorted(seen.tolist()) == [n for n in range(1, 12) if n % 5]
