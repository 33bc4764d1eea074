"""Texts with labels, out of tables, folders and archives; columns guessed and said; wrong ones in one line."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from unrolled.data.labelled_texts import read_labelled_texts, sorted_classes
from unrolled.errors import DataError

TABLE = "nr;Kommentar;Note\n1;wirklich schön;5\n2;ganz übel;1\n3;schön war es;5\n4;nie wieder;1\n"


def write(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


def test_columns_are_found_by_what_is_in_them_and_said(tmp_path: Path) -> None:
    file = write(tmp_path / "r.csv", TABLE)
    found = read_labelled_texts(file)
    assert found.texts == ["wirklich schön", "ganz übel", "schön war es", "nie wieder"]
    assert found.labels == ["5", "1", "5", "1"] and found.classes == ["1", "5"]
    assert found.summary.endswith("text in Kommentar, label in Note, both guessed")
    named = read_labelled_texts(file, text_column="kommentar", label_column="Note")
    assert (named.texts, named.labels) == (found.texts, found.labels)
    assert named.summary.endswith("text in Kommentar, label in Note")
    assert found.column == named.column == "Kommentar"
    assert read_labelled_texts(file, label_column="Note").summary.endswith(", the text guessed")
    assert read_labelled_texts(file, text_column="Kommentar").summary.endswith(", the label guessed")


def test_numbers_are_sorted_by_value_and_words_by_their_letters() -> None:
    assert sorted_classes(["10", "9", "9", "-1"]) == ["-1", "9", "10"]
    assert sorted_classes(["b", "10", "a"]) == ["10", "a", "b"]


def test_a_folder_or_archive_with_a_folder_for_each_class(tmp_path: Path) -> None:
    for name, content in (
        ("pos/1.txt", "fine\nindeed\n"),
        ("pos/2.txt", "good"),
        ("neg/1.txt", "bad"),
        (".x/y.txt", ""),
    ):
        write(tmp_path / "reviews" / name, content)
    found = read_labelled_texts(tmp_path / "reviews")
    assert list(zip(found.labels, found.texts, strict=True)) == [
        ("neg", "bad"),
        ("pos", "fine\nindeed"),
        ("pos", "good"),
    ]
    with zipfile.ZipFile(tmp_path / "reviews.zip", "w") as archive:
        for file in sorted((tmp_path / "reviews").rglob("*.txt")):
            archive.write(file, file.relative_to(tmp_path))
        archive.writestr("README", "what this is")
    assert read_labelled_texts(tmp_path / "reviews.zip").texts == found.texts


def test_an_archive_with_a_file_for_each_class(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        archive.writestr("p/README.txt", "what this is")
        archive.writestr("p/rt.pos", "fine \n\ngood\n")
        archive.writestr("p/rt.neg", "bad\n")
    found = read_labelled_texts(tmp_path / "p.zip")
    assert list(zip(found.labels, found.texts, strict=True)) == [("neg", "bad"), ("pos", "fine"), ("pos", "good")]
    assert found.summary == "p.zip: 3 texts (neg 1, pos 2)"
    with pytest.raises(DataError, match="leave --text and --label out"):
        read_labelled_texts(tmp_path / "p.zip", label_column="x")


def test_an_archive_with_one_table_is_that_table(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("t.csv", TABLE)
    assert read_labelled_texts(tmp_path / "t.zip").classes == ["1", "5"]


@pytest.mark.parametrize(
    ("content", "columns", "said"),
    [
        (TABLE, {"label_column": "Noten"}, "--label Noten: r.csv has no column of that name. Did you mean 'Note'"),
        (TABLE, {"text_column": "Note", "label_column": "Note"}, "--label Note is the column of the texts"),
        (
            "t;a;b\nlong text;1;x\nlong too;2;y\nso long;1;x\nlonger;2;y\n",
            {},
            "a, b may all be one: name it with --label",
        ),
        ("wie schön;gut\nso übel;schlecht\nnie wieder;schlecht\nschön war es;gut\n", {}, "'gut' is a label there too"),
        ("t\nlong text\nanother\n", {}, "none of no columns looks like one: name it with --label"),
        ("t;a\nlong text;1\nlong;1\n", {"label_column": "a"}, "r.csv: every label is '1': two classes or more"),
        ("t;a\nlong text;1\nlong;\nso;2\n", {"label_column": "a"}, "r.csv, line 3: no label in column a"),
        ("t;a\nlong text;1\n;2\n", {"label_column": "a"}, "r.csv, line 3: no text in column t"),
        (
            "t;a\n" + "".join(f"long text;{n}\n" for n in range(60)),
            {"label_column": "a"},
            "60 different labels in column a",
        ),
    ],
)
def test_wrong_tables_in_one_line(tmp_path: Path, content: str, columns: dict, said: str) -> None:
    with pytest.raises(DataError) as raised:
        read_labelled_texts(write(tmp_path / "r.csv", content), **columns)
    assert said in str(raised.value) and "\n" not in str(raised.value)


def test_wrong_folders_in_one_line(tmp_path: Path) -> None:
    write(tmp_path / "f" / "one.txt", "a")
    write(tmp_path / "f" / "two.md", "b")
    with pytest.raises(DataError, match=r"a folder of text files for each class, or files NAME.CLASS were expected"):
        read_labelled_texts(tmp_path / "f")
    (tmp_path / "z.zip").write_bytes(b"PK no archive")
    with pytest.raises(DataError, match=r"z.zip: a damaged zip file"):
        read_labelled_texts(tmp_path / "z.zip")
