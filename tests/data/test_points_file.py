"""Points out of a person's file: every usual form, and every mistake with its line."""

from __future__ import annotations

import numpy as np
import pytest

from unrolled.data.points_file import MOST, check_points, read_points, to_square
from unrolled.errors import DataError

WANTED = [[0, 0], [2, 0.5], [-1, 3]]


@pytest.mark.parametrize(
    "content",
    [
        "0,0\n2,0.5\n-1,3\n",
        "x,y\r\n0,0\r\n\r\n2, 0.5\r\n-1 ,3",
        "0;0\n2;0.5\n-1;3\n",
        "x;y\n0;0\n2;0,5\n-1,0;3\n",
        "0\t0\n2\t.5\n-1\t3e0\n",
        "Breite Länge\n  0 0\n 2   0.5 \n-1 3\n",
    ],
)
def test_every_usual_form(content: str) -> None:
    assert read_points(content, "mine.csv").tolist() == WANTED


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "mine.csv: 0 points; expected from 3 to 1,000"),
        ("0,0\n1,1\n", "mine.csv: 2 points; expected from 3"),
        ("0,0\n1,0\n0,one\n", "mine.csv, line 3: expected the two numbers of a point, as in `0.25, 0.5`; '0,one' came"),
        ("0,0\n1,0,3\n0,1\n", "mine.csv, line 2: .*'1,0,3' came"),
        ("0,0\n1,nan\n0,1\n", "mine.csv, line 2: .*'1,nan' came"),
        ("inf,0\n1,2\n0,1\n", "mine.csv, line 1: .*'inf,0' came"),
        ("just words of a text\n", "mine.csv, line 1: expected the two numbers"),
        ("0,0\n1,1\n2,2\n3,3\n", "mine.csv: all points lie on one line"),
        ("5,5\n5,5\n5,5\n", "mine.csv: all points lie on one line"),
        ("0,0\n1,0\n0,1\n" * 400, f"mine.csv: 1,200 points; expected from 3 to {MOST:,}"),
    ],
)
def test_every_mistake_in_one_line(content: str, said: str) -> None:
    with pytest.raises(DataError, match=said) as raised:
        read_points(content, "mine.csv")
    assert "\n" not in str(raised.value)


def test_into_the_unit_square_and_in_its_own_shape() -> None:
    points = np.array([[10.0, -4], [30, 0], [20, 6]])
    assert to_square(points).tolist() == [[0, 0], [1, 0.2], [0.5, 0.5]]
    check_points(points, "these")
