"""Tables of people's own files: every usual form is read alike; what is wrong is said in one line, with its place."""

from __future__ import annotations

import builtins
import csv
import gzip
import hashlib
import io
import math
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.data.tables import SEPARATORS, guess_separator, parse_table, read_table, write_row
from unrolled.errors import DataError, OptionError

REVIEWS = [
    ("Ein schöner Film, wirklich", "gut"),
    ('Sie sagte: "nie wieder"', "schlecht"),
    ("erste Zeile\nzweite Zeile; mit | allem,\twas trennt", "gut"),
    ("kurz", "schlecht"),
]


def written(separator: str, line_end: str) -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, lineterminator=line_end)
    writer.writerows([("Bewertung", "Note"), *REVIEWS])
    return out.getvalue()


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("separator", SEPARATORS)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_every_usual_form_gives_the_same_table(tmp_path: Path, separator: str, line_end: str, mark: str) -> None:
    file = tmp_path / "reviews.csv"
    file.write_bytes((mark + written(separator, line_end)).encode())
    table = read_table(file)
    assert table.columns == ("Bewertung", "Note")
    assert table.rows == REVIEWS
    assert table.lines == [2, 3, 4, 6]
    assert table.digest == hashlib.sha256(file.read_bytes()).hexdigest()
    assert table.summary == f"reviews.csv: 4 rows of 2 columns (Bewertung, Note) between {SEPARATORS[separator]}"


def test_other_encodings_compressed_files_and_archives(tmp_path: Path) -> None:
    content = written(";", "\n")
    (tmp_path / "a.csv").write_bytes(content.encode("utf-16"))
    assert read_table(tmp_path / "a.csv", "utf-16").rows == REVIEWS
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(content.encode("cp1252")))
    assert read_table(tmp_path / "b.csv.gz", "cp1252").rows == REVIEWS
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("inside.csv", content)
    assert read_table(tmp_path / "c.zip").rows == REVIEWS


def test_empty_rows_are_passed_over_and_said() -> None:
    table = parse_table("\n  \na;b\n\n1;2\n;\n \n3; 4 \n\n", "t.csv")
    assert (table.columns, table.rows, table.lines) == (("a", "b"), [("1", "2"), ("3", "4")], [5, 8])
    assert table.summary.endswith(", 4 empty rows passed over")
    assert table.place(1) == "t.csv, line 8"


cells = st.text(st.sampled_from("a1é, ;|\t\"\n\r'"), max_size=8).map(str.strip)


@given(st.lists(st.tuples(cells, cells, cells).filter(any), min_size=1, max_size=6), st.sampled_from([*SEPARATORS]))
def test_what_is_written_is_read_back(rows: list[tuple[str, str, str]], separator: str) -> None:
    whole = "\n".join(write_row(row, separator) for row in [("x", "y", "z"), *rows])
    table = parse_table(whole, "t.csv", separator)
    assert table.rows == rows


def test_the_separator_is_the_one_with_which_rows_fit_the_header() -> None:
    assert guess_separator("a;b\nx, y, z;1\nu, v;2\n") == ";"
    assert guess_separator("name,a|b\nx,1|2\ny,3\n") == ","
    assert guess_separator("line\none, two\n") == ","
    assert guess_separator("") == ","
    assert parse_table("text\nno cells here\n", "t.csv").rows == [("no cells here",)]


def test_columns_by_name() -> None:
    table = parse_table("Text,Label\nx,1\ny,2\n", "t.csv")
    assert table.column("Label") == ["1", "2"] and table.column("label") == ["1", "2"]
    with pytest.raises(DataError, match=r"--label lable: t.csv has no column of that name. Did you mean 'Label'"):
        table.find("lable", "--label")
    assert parse_table("a,A\n1,2\n", "t").column("A") == ["2"]
    with pytest.raises(DataError, match="Aa: t has no column of that name"):
        parse_table("aa,AA\n1,2\n", "t").find("Aa")


def test_one_column_without_a_name_gets_one() -> None:
    """As pandas writes a frame with its index, and others a row with a separator behind it."""
    assert parse_table(",text\n0,fine\n1,dull\n", "t.csv").columns == ("column 1", "text")
    assert parse_table("a;b;\n1;2;\n", "t.csv").rows == [("1", "2", "")]
    with pytest.raises(DataError, match="two columns are called column 1"):
        parse_table(",column 1\n0,1\n", "t.csv")


def test_numbers_with_missing_ones_and_decimal_commas() -> None:
    table = parse_table("t;u\n1,5;1\n-2;NA\n;-\n1e3;?\n", "t.csv")
    np.testing.assert_array_equal(table.numbers("t"), [1.5, -2, math.nan, 1000])
    np.testing.assert_array_equal(table.numbers("u"), [1, math.nan, math.nan, math.nan])
    # Between commas, one in quotes may as well part thousands.
    with pytest.raises(DataError, match=r"t.csv, line 2: '1,234' in column t, .*: write numbers as in 1234.5"):
        parse_table('t,u\n"1,234",1\n"987",2\n', "t.csv").numbers("t")
    for cell in ("1.000,5", "12 km", "1_000", "inf"):
        with pytest.raises(DataError, match=r"t.csv, line 3: .* in column t, where a number was expected"):
            parse_table(f"t;u\n1;x\n{cell};x\n", "t.csv").numbers("t")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "t.csv: no row below the header"),
        ("a,b\n\n", "t.csv: no row below the header"),
        ("a,b\n1,2\n1,2,3\n", "t.csv, line 3: 3 cells, where the header names 2, with commas between them"),
        ("a,b\n1,2\n1\n", "t.csv, line 3: 1 cell, where the header names 2"),
        ('a,b\n1,2\n"x\ny",3\n4\n', "t.csv, line 5: 1 cell"),
        ('a,b\n1,2\n"open,3\n4,5\n', "t.csv, line 3: a quote that opens here is never closed"),
        ('a,b\n1,2\n"x"y,3\n', "t.csv, line 3: something behind a closing quote"),
        ("a,,\n1,2,3\n", "t.csv, line 1: column 2 has no name"),
        ("a,b,a\n1,2,3\n", "t.csv, line 1: two columns are called a"),
        ("good film,5\nbad film,1\n", "t.csv, line 1: 5 is a number, where a column's name was expected"),
    ],
)
def test_wrong_tables_in_one_line(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "t.csv").write_text(content)
    with pytest.raises(DataError) as raised:
        read_table(tmp_path / "t.csv")
    assert said in str(raised.value) and "\n" not in str(raised.value)


def test_wrong_files_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    for content, said in (
        (b"a,b\n1,\xff\n", "t.csv: not utf-8 at byte 6, line 2"),
        (b"a,b\n1,\0\n", "a binary file"),
        (b"PAR1 and then nothing", "t.csv: a damaged Parquet file"),
    ):
        file.write_bytes(content)
        with pytest.raises(DataError, match=said) as raised:
            read_table(file)
        assert "\n" not in str(raised.value)
    with pytest.raises(DataError, match="no such file"):
        read_table(tmp_path / "u.csv")
    (tmp_path / "two").mkdir()
    for name in ("a.csv", "b.csv"):
        (tmp_path / "two" / name).write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="2 files, where one table was expected"):
        read_table(tmp_path / "two")
    for separator in ("--", '"'):
        with pytest.raises(OptionError, match=r"--separator .*expected one character"):
            read_table(tmp_path / "two" / "a.csv", separator=separator)


def test_parquet_reads_as_the_same_table_in_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="the extra `tables` is not installed")
    import datetime

    from pyarrow import parquet

    def write(name: str, **columns: object) -> Path:
        parquet.write_table(pyarrow.table(columns), tmp_path / name)
        return tmp_path / name

    days = [datetime.date(2024, 2, 29), datetime.date(2024, 3, 1)]
    table = read_table(write("t.parquet", day=days, value=[0.1, None], text=["a, b ", "c\nd"]))
    assert table.columns == ("day", "value", "text")
    assert table.rows == [("2024-02-29", "0.1", "a, b"), ("2024-03-01", "", "c\nd")]
    assert table.place(1) == "t.parquet, row 2"
    np.testing.assert_array_equal(table.numbers("value"), [0.1, math.nan])
    with pytest.raises(DataError, match="column x holds list"):
        read_table(write("nested.parquet", x=[[1, 2]]))
    with pytest.raises(DataError, match="no row in it"):
        read_table(write("empty.parquet", x=pyarrow.array([], pyarrow.string())))

    whole = builtins.__import__

    def without_pyarrow(name: str, *rest: object, **more: object) -> object:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return whole(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without_pyarrow)
    with pytest.raises(OptionError, match=r"pip install 'unrolled\[tables\]'"):
        read_table(tmp_path / "t.parquet")
