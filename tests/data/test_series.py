"""Series out of tables: every kind of time, gaps held at what was before, and each mistake with its line."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from unrolled.data.series import Step, guess_time, read_series
from unrolled.data.tables import parse_table, read_table
from unrolled.errors import DataError, OptionError, UserError

MINUTES = "Zeit;Wert\n2024-03-01T23:30;1,5\n2024-03-01T23:45;2\n2024-03-02T00:00;\n2024-03-02T00:30;4,25\n"


def series(content: str, time: str = "", *targets: str):
    return read_series(parse_table(content, "mine.csv"), time, targets)


def test_gaps_and_empty_cells_hold_the_last_value_before_and_are_not_observed() -> None:
    found = series("date,sold\n2024-02-27,\n2024-02-28,5\n2024-02-29,NA\n2024-03-02,7\n2024-03-03,8\n")
    assert found.names == ("sold",)
    assert found.values[:, 0].tolist() == [5, 5, 5, 7, 8]
    assert found.observed[:, 0].tolist() == [True, False, False, True, True]
    assert found.step == Step(1, "day")
    assert [found.time(place) for place in (0, 2, 4, 6)] == ["2024-02-28", "2024-03-01", "2024-03-03", "2024-03-05"]
    assert found.summary == (
        "mine.csv: 5 values of sold, one a day, from 2024-02-28 to 2024-03-03, times in date; "
        "1 left out before the first value; 1 not in the file, held at the last value before; "
        "1 empty, held at the last value before"
    )


@pytest.mark.parametrize(
    ("content", "step", "written"),
    [
        (MINUTES, Step(15, "minute"), ["2024-03-01 23:30:00", "2024-03-02 00:45:00"]),
        ("month,x\n2023-11,1\n2023-12,2\n2024-02,3\n", Step(1, "month"), ["2023-11", "2024-04"]),
        ("d,x\n2023-01-31,1\n2023-03-31,2\n2023-05-31,3\n2023-07-31,3\n", Step(2, "month"), ["2023-01", "2023-11"]),
        ("date,x\n2024-01-01,1\n2024-01-08,2\n2024-01-15,3\n", Step(1, "week"), ["2024-01-01", "2024-02-05"]),
        ("ts,x\n2024-01-01 00:00:00+02:00,1\n2023-12-31T23:00:00Z,2\n", Step(1, "hour"), [None, None]),
        ("Datum;x\n31.12.2023;1,5\n1.1.2024;2,5\n03.01.2024;3\n", Step(1, "day"), ["2023-12-31", "2024-01-05"]),
        ("Zeit;x\n1.2.2024 10:00;1\n1.2.2024 11:00;2\n", Step(1, "hour"), ["2024-02-01 10:00:00", None]),
        ("date,x\n2023/12/31,1\n2024/1/1,2\n2024/1/2,3\n", Step(1, "day"), ["2023-12-31", "2024-01-05"]),
        ("date,x\n2024-1-1 9:00,1\n2024-1-1 10:00,2\n", Step(1, "hour"), ["2024-01-01 09:00:00", None]),
        (",x\n2023/11,1\n2023/12,2\n2024/1,3\n", Step(1, "month"), ["2023-11", "2024-04"]),
        ("year,x\n2023.3,1\n2023.4,2\n2023.5,3\n", Step(0.1, ""), ["2023.3", "2023.8"]),
        ("time,x\n0,1\n0.5,2\n1.5,3\n2,4\n", Step(0.5, ""), ["0", "2.5"]),
        ("year,x\n1990,1\n1991,2\n1993,3\n", Step(1, ""), ["1990", "1995"]),
    ],
)
def test_every_kind_of_time(content: str, step: Step, written: list[str | None]) -> None:
    found = series(content)
    assert found.step == step
    for place, wanted in zip((0, 5), written, strict=True):
        assert wanted is None or found.time(place) == wanted


def test_the_newest_row_may_stand_first() -> None:
    content = "date,x\n2024-01-05,5\n2024-01-04,\n2024-01-02,2\n2024-01-01,1\n"
    found = series(content)
    assert found.values[:, 0].tolist() == [1, 2, 2, 2, 5] and found.time(0) == "2024-01-01"
    assert "times in date, the newest first" in found.summary
    with pytest.raises(DataError, match=r"mine\.csv, line 3: 'two' in column x"):
        series(content.replace("04,", "04,two"), "date", "x")


def test_how_often_there_is_a_value() -> None:
    steps = [Step(1, "day"), Step(1, "hour"), Step(15, "minute"), Step(0.5, ""), Step(1, "")]
    assert [str(step) for step in steps] == ["a day", "an hour", "every 15 minutes", "every 0.5", "every 1"]


def test_several_columns_and_other_separators() -> None:
    found = series(MINUTES)
    assert found.values[:, 0].tolist() == [1.5, 2, 2, 2, 4.25]
    found = series("when,a,word,b\n2024-01-01,1,x,10\n2024-01-02,,y,20\n2024-01-03,3,z,\n")
    assert found.names == ("a", "b")
    assert found.values.tolist() == [[1, 10], [1, 20], [3, 20]]
    assert found.observed.tolist() == [[True, True], [False, True], [True, False]]
    assert series("when,a,b\n2024-01-01,1,5\n2024-01-02,2,6\n", "when", "b").values.tolist() == [[5], [6]]


def test_the_column_of_times_is_found() -> None:
    assert guess_time(parse_table("value,ds\n3,17\n", "t")) == "ds"
    assert guess_time(parse_table("value,quand\n3,2024-01-01\n", "t")) == "quand"
    with pytest.raises(OptionError, match=r"t: no column looks like times; name it with --time\. Columns: a, b"):
        guess_time(parse_table("a,b\n3,4\n", "t"))


def test_parquet_holds_the_same(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from datetime import date

    from pyarrow import parquet

    columns = {"date": [date(2024, 1, 1), date(2024, 1, 2), date(2024, 1, 4)], "x": [1.5, None, 3.0]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "mine.parquet")
    found = read_series(read_table(tmp_path / "mine.parquet"))
    assert found.values[:, 0].tolist() == [1.5, 1.5, 1.5, 3]
    assert found.observed[:, 0].tolist() == [True, False, False, True]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            "date,x\n2024-01-01,1\n2024-01-02,2\n2024-13-03,3\n",
            "mine.csv, line 4: '2024-13-03' in column date, where a",
        ),
        ("date,x\n2024-01-01,1\n2024-01-03,2\n2024-01-02,3\n", "mine.csv, line 4: 2024-01-02 is before the row above"),
        ("date,x\n2024-01-01,1\n2024-01-01,2\n", "mine.csv, line 3: 2024-01-01 is the same time as the row above"),
        (
            "time,x\n0,1\n1,2\n2,3\n2.5,4\n",
            "mine.csv, line 5: this time lies between the places of a grid of one value every 1",
        ),
        ("time,x\n0,1\n1,2\n2,3\n9000,4\n", "mine.csv: 4 rows over 9,001 places, one every 1: mostly gaps"),
        ("date,x\n03/01/2024,1\n03/02/2024,2\n", "mine.csv, line 2: '03/01/2024' in column date, where a time was"),
        ("date,x\n2024-01-01,1\n31.2.2024,2\n", "mine.csv, line 3: '31.2.2024' in column date, where a time was"),
        ("date,x\n2024-01-01,1\n", "mine.csv: one row alone is no series"),
        ("date,x\n2024-01-01,\n2024-01-02,\n", "mine.csv: no column of numbers beside date"),
        ("date,x\n2024-01-01,a\n2024-01-02,b\n", "mine.csv: no column of numbers beside date"),
    ],
)
def test_every_mistake_in_one_line(content: str, said: str) -> None:
    with pytest.raises(DataError, match=said) as raised:
        series(content)
    assert isinstance(raised.value, UserError) and "\n" not in str(raised.value)


def test_a_column_that_is_not_there_or_holds_no_number() -> None:
    content = "date,x\n2024-01-01,1\n2024-01-02,two\n"
    with pytest.raises(DataError, match=r"--target y: mine\.csv has no column of that name"):
        series(content, "date", "y")
    with pytest.raises(DataError, match=r"mine\.csv, line 3: 'two' in column x, where a number was expected"):
        series(content, "date", "x")


def test_nothing_is_filled_from_what_comes_later() -> None:
    rows = [f"{t},{'' if t % 3 == 1 else math.sin(t)}" for t in range(30)]
    whole = series("\n".join(["time,x", *rows]))
    first = series("\n".join(["time,x", *rows[:20]]))
    assert np.array_equal(whole.values[:20], first.values)
