"""Files in columns: CoNLL-2000's, CoNLL-2003's, CoNLL-U; alone, in folders; and what is wrong with them in one line."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from unrolled.data.conll import column_names, parse_conll, read_conll, tag_columns, tags_of, word_column
from unrolled.errors import DataError

CHUNKS = "He PRP B-NP\nran VBD B-VP\n\n\n# # B-NP\n3 CD I-NP\n"
UNIVERSAL = (
    "# text = Im Haus\n1-2\tIm\t_\t_\t_\t_\t_\t_\t_\t_\n1\tIn\tin\tADP\tAPPR\t_\t3\tcase\t_\t_\n"
    "2\tdem\tder\tDET\tART\t_\t3\tdet\t_\t_\n3\tHaus\tHaus\tNOUN\tNN\t_\t0\troot\t_\t_\n3.1\tx\tx\tX\t_\t_\t_\t_\t_\t_\n\n"
    "# text = Ja\n1\tJa\tja\tINTJ\tITJ\t_\t0\troot\t_\t_\n"
)
NAMES = "-DOCSTART- -X- -X- O\n\nAnna NNP I-NP I-PER\nsang VBD I-VP O\n"


def write(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode())
    return path


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_sentences_with_the_lines_they_begin_on(tmp_path: Path, line_end: str, mark: str) -> None:
    found = read_conll(write(tmp_path / "c.txt", mark + CHUNKS.replace("\n", line_end)))
    assert [one.column(1) for one in found.train] == [["He", "ran"], ["#", "3"]]
    assert [one.line for one in found.train] == [1, 5]
    assert (word_column(found), tag_columns(found, 1)) == (1, (2, 3))
    assert tags_of(found.train, 3) == ["B-NP", "B-VP", "I-NP"]
    assert column_names((2, 3), [tags_of(found.train, 2), tags_of(found.train, 3)]) == ["tags", "chunks"]
    assert found.summary == "c.txt: 2 sentences, 4 words" and not found.universal


def test_universal_dependencies(tmp_path: Path) -> None:
    found = read_conll(write(tmp_path / "de.conllu", UNIVERSAL))
    assert found.universal and word_column(found) == 2 and tag_columns(found, 2) == (4,)
    assert [one.column(2) for one in found.train] == [["In", "dem", "Haus"], ["Ja"]]
    assert tag_columns(found, 2, (5, 8)) == (5, 8)


@pytest.mark.parametrize("first", [0, 1])
def test_a_column_that_numbers_the_words_is_neither_words_nor_tags(tmp_path: Path, first: int) -> None:
    rows = [("He", "PRP"), ("ran", "VBD"), ("", ""), ("Stop", "VB")]
    content, place = "", first
    for word, tag in rows:
        content += f"{place}\t{word}\t{tag}\n" if word else "\n"
        place = place + 1 if word else first
    found = read_conll(write(tmp_path / "n.txt", content))
    assert word_column(found) == 2 and tag_columns(found, 2) == (3,)
    # Named, it is taken; and where each sentence is one word, 1 may be a tag.
    assert word_column(found, 1) == 1 and tag_columns(found, 2, (1,)) == (1,)
    assert word_column(read_conll(write(tmp_path / "one.txt", "1 yes\n\n1 no\n"))) == 1


def test_names_in_documents() -> None:
    sentences, universal = parse_conll(NAMES, "n")
    assert [one.column(1) for one in sentences] == [["Anna", "sang"]] and not universal
    tags = [tags_of(sentences, column) for column in (2, 3, 4)]
    assert column_names((2, 3, 4), tags) == ["tags", "chunks 3", "chunks 4"]


def test_cells_may_hold_blanks_where_tabs_part_them() -> None:
    sentences, _ = parse_conll("New York\tB-LOC\nis\tO\n", "n")
    assert sentences[0].column(1) == ["New York", "is"]


def test_files_are_told_by_their_names(tmp_path: Path) -> None:
    for name in ("train.txt", "test.txt", "dev.txt"):
        write(tmp_path / "c" / name, f"{name} X\ny Y\n")
    found = read_conll(tmp_path / "c")
    assert [part[0].rows[0][0] for part in (found.train, found.valid, found.test)] == [
        "train.txt",
        "dev.txt",
        "test.txt",
    ]
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("c/README", "what this is")
        for name in ("train.txt", "test.txt", "dev.txt"):
            archive.writestr(f"c/{name}", f"{name} X\ny Y\n")
    assert read_conll(tmp_path / "c.zip").train == found.train
    # One alone is everything, whatever it is called.
    assert len(read_conll(tmp_path / "c" / "test.txt").train) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "empty|no word in it"),
        ("\n \n", "c.txt: no word in it"),
        ("a X\nb\n", "c.txt, line 2: 1 column, where the lines before have 2: one word a line"),
        ("a X\n\nb X Y\n", "c.txt, line 3: 3 columns, where the lines before have 2"),
        ("-DOCSTART- O\n\n", "c.txt: no word in it"),
    ],
)
def test_wrong_files_in_one_line(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(DataError, match=said) as raised:
        read_conll(write(tmp_path / "c.txt", content))
    assert "\n" not in str(raised.value)


def test_wrong_columns_and_folders_in_one_line(tmp_path: Path) -> None:
    found = read_conll(write(tmp_path / "c.txt", CHUNKS))
    for call, said in (
        (lambda: word_column(found, 4), "--word 4: c.txt: 2 sentences, 4 words in 3 columns, counted from 1"),
        (lambda: tag_columns(found, 1, (9,)), "--tags 9: .* in 3 columns"),
        (lambda: tag_columns(found, 1, (1,)), "--tags 1: that is the column of the words"),
        (lambda: tag_columns(found, 1, (0,)), "--tags 0: columns count from 1"),
    ):
        with pytest.raises(DataError, match=said):
            call()
    words = read_conll(write(tmp_path / "w.txt", "a\nb\n"))
    with pytest.raises(DataError, match="no column of tags beside that of the words"):
        tag_columns(words, 1)
    write(tmp_path / "d" / "train.txt", "a X\n")
    write(tmp_path / "d" / "test.txt", "a X Y\n")
    with pytest.raises(DataError, match=r"train.txt: 2 columns, and test.txt has 3"):
        read_conll(tmp_path / "d")
    write(tmp_path / "e" / "test.txt", "a X\n")
    write(tmp_path / "e" / "dev.txt", "a X\n")
    with pytest.raises(DataError, match="files to test and validate on alone"):
        read_conll(tmp_path / "e")
