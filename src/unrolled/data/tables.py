"""Tables out of people's own files: CSV with any usual separator, TSV, Parquet; cells as text, each row with its place.

    table = read_table("reviews.csv")
    table.columns, table.column("stars"), table.numbers("stars")

The first row names the columns. What is not as it should be is a DataError that names the line.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from unrolled.data import reading, text
from unrolled.errors import DataError, OptionError, did_you_mean

#: What may stand between cells, the likeliest first; a tab may be written as \t.
SEPARATORS = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "bars"}
#: Rows that are looked at to tell which of them it is.
LOOKED_AT = 50
#: How tables of numbers write that one is missing.
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "-", "?"})
_PARQUET_MARK = b"PAR1"


@dataclass(frozen=True)
class Table:
    """Rows of cells under named columns.

    name: the file's, for messages. rows: as many cells each as there are columns, text without the blanks around it.
    lines: where each row begins: its line in the file, from 1; of Parquet, its row.
    separator: what stands between cells. summary: one line for a person. digest: SHA-256 of the file.
    """

    name: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    lines: list[int]
    separator: str
    summary: str
    digest: str
    _place: str = field(default="line", repr=False)

    def place(self, row: int) -> str:
        """`reviews.csv, line 7`: where row `row` (0, 1, …) begins, for messages."""
        return f"{self.name}, {self._place} {self.lines[row]:,}"

    def find(self, column: str, option: str = "") -> int:
        """The number of the column of that name; upper and lower case differ only where two columns do.

        option: what to correct where there is none ("--label"). DataError with the nearest name.
        """
        if column in self.columns:
            return self.columns.index(column)
        alike = [number for number, name in enumerate(self.columns) if name.casefold() == column.casefold()]
        if len(alike) == 1:
            return alike[0]
        raise DataError(
            f"{f'{option} ' if option else ''}{column}: {self.name} has no column of that name."
            f"{did_you_mean(column, self.columns)} It has {', '.join(self.columns)}"
        )

    def column(self, column: str, option: str = "") -> list[str]:
        """The cells of one column, as text."""
        number = self.find(column, option)
        return [row[number] for row in self.rows]

    def numbers(self, column: str, option: str = "") -> np.ndarray:
        """(N,) float64, NaN where a cell is empty or says that its number is missing (NA, null, ?, …).

        Where cells are not parted by commas, 3,5 is read as 3.5, if the column's numbers are written so throughout;
        where they are, a comma in quotes may as well part thousands, and is refused.
        DataError names the first cell that is no number.
        """
        cells = self.column(column, option)
        comma = self.separator != "," and any("," in cell for cell in cells) and not any("." in cell for cell in cells)
        values = np.full(len(cells), math.nan)
        for row, cell in enumerate(cells):
            if cell.casefold() in MISSING:
                continue
            number = _number(cell.replace(",", ".") if comma else cell)
            if number is None:
                write = ": write numbers as in 1234.5" if "," in cell else ""
                raise DataError(
                    f"{self.place(row)}: {_short(cell)} in column {column}, where a number was expected{write}"
                )
            values[row] = number
        return values


def read_table(file: Path | str, encoding: str = "utf-8", separator: str = "") -> Table:
    """The table in a file, which may be compressed. Parquet, known by its first bytes, needs the extra `tables`.

    separator: what stands between cells; empty finds it out. Rows without anything in them do not count.
    DataError where it cannot be read, or is not a table; OptionError for a separator that cannot be one.
    """
    encoding = reading.check_encoding(encoding)
    separator = _check_separator(separator)
    found = text.find_files([file])
    parts = reading.parts(found)
    if len(parts) != 1:
        raise DataError(f"{file}: {len(parts)} files, where one table was expected: name one of them")
    if next(parts[0].chunks(), b"").startswith(_PARQUET_MARK):
        return _read_parquet(parts[0])
    whole = "".join(reading.read_text(parts, encoding))
    return parse_table(whole, found.name, separator, reading.digest(parts))


def parse_table(whole: str, name: str, separator: str = "", digest: str = "") -> Table:
    """The table that a text holds. name: what messages call it. The others are as for `read_table`."""
    separator = separator or guess_separator(whole)
    columns: tuple[str, ...] = ()
    rows: list[tuple[str, ...]] = []
    lines: list[int] = []
    empty = 0
    for line, record in _records(whole, separator, name):
        cells = tuple(cell.strip() for cell in record)
        if not any(cells):
            empty += bool(columns)
        elif not columns:
            columns = _checked_header(cells, f"{name}, line {line:,}")
        elif len(cells) != len(columns):
            raise DataError(
                f"{name}, line {line:,}: {_cells(len(cells))}, where the header names {len(columns)}, with "
                f"{SEPARATORS.get(separator, repr(separator))} between them: put cells that hold one in quotes, "
                "or give --separator"
            )
        else:
            rows.append(cells)
            lines.append(line)
    if not rows:
        raise DataError(f"{name}: no row below the header, where a table was expected: name another file")
    passed = f", {empty:,} empty row{'s' if empty > 1 else ''} passed over" if empty else ""
    between = f" between {SEPARATORS.get(separator, repr(separator))}" if len(columns) > 1 else ""
    summary = f"{name}: {len(rows):,} rows of {_listed(columns)}{between}{passed}"
    return Table(name, columns, rows, lines, separator, summary, digest)


def first_row(whole: str, separator: str = "") -> list[str]:
    """The cells of a text's first row that has any; none where there is no such row."""
    rows = _first_records(whole, separator or guess_separator(whole))
    return [cell.strip() for cell in next(rows, [])]


def guess_separator(whole: str) -> str:
    """What stands between the cells: that with which most rows have as many cells as the header, two at least.

    A comma where nothing does.
    """

    def score(separator: str) -> tuple[float, int]:
        widths = [len(cells) for cells in _first_records(whole, separator)]
        if not widths or widths[0] < 2:
            return (0.0, 0)
        return (sum(width == widths[0] for width in widths) / len(widths), widths[0])

    # max takes the first of equals: the likeliest.
    return max(SEPARATORS, key=score)


def write_row(cells: Sequence[str], separator: str = ",") -> str:
    """One row of a table, without its line end, as `parse_table` reads it back: quotes only where they are needed."""
    out = io.StringIO()
    # It quotes what holds a character of its own line end: with \r\n, both.
    csv.writer(out, delimiter=separator, lineterminator="\r\n").writerow(cells)
    return out.getvalue().removesuffix("\r\n")


def _records(whole: str, separator: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """(line on which it begins, cells) of each record. DataError at a quote that is not as it should be."""
    # newline="" keeps line ends inside quotes as they are, and knows all three kinds of them.
    reader = csv.reader(io.StringIO(whole, newline=""), delimiter=separator, strict=True)
    line = 1
    while True:
        try:
            record = next(reader, None)
        except csv.Error as error:
            raise DataError(
                f"{name}, line {line:,}: {_quoting(str(error))}: a quote inside of a cell in quotes is written twice"
            ) from error
        if record is None:
            return
        yield line, record
        line = reader.line_num + 1


def _quoting(error: str) -> str:
    if "unexpected end" in error or "field larger" in error:
        return "a quote that opens here is never closed"
    return "something behind a closing quote"


def _first_records(whole: str, separator: str) -> Iterator[list[str]]:
    records = csv.reader(io.StringIO(whole, newline=""), delimiter=separator)
    seen = 0
    try:
        for record in records:
            if any(cell.strip() for cell in record):
                yield record
                seen += 1
            if seen == LOOKED_AT:
                return
    except csv.Error:
        return  # what is wrong is said where the table is read


def _check_separator(separator: str) -> str:
    separator = "\t" if separator == "\\t" else separator
    if len(separator) > 1 or separator in {'"', "\n", "\r"}:
        raise OptionError(f"--separator {separator!r}: expected one character, such as , ; | or \\t for a tab")
    return separator


def _checked_header(cells: tuple[str, ...], place: str) -> tuple[str, ...]:
    nameless = [number for number, cell in enumerate(cells, 1) if not cell]
    if len(nameless) == 1:
        # As pandas writes the index of a frame, and others what stands behind a last separator.
        cells = tuple(cell or f"column {nameless[0]}" for cell in cells)
    for number, cell in enumerate(cells, 1):
        if not cell:
            raise DataError(f"{place}: column {number} has no name: the first row is to name each column")
        if _number(cell) is not None:
            raise DataError(
                f"{place}: {cell} is a number, where a column's name was expected: put a row of names on top"
            )
        if cell in cells[: number - 1]:
            raise DataError(f"{place}: two columns are called {cell}: give each a name of its own")
    return cells


def _read_parquet(part: reading.Part) -> Table:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise OptionError("reading Parquet needs the extra: pip install 'unrolled[tables]'") from error
    name = part.path.name
    try:
        read = parquet.read_table(pyarrow.BufferReader(b"".join(part.chunks())))
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{name}: a damaged Parquet file ({_short(str(error))}): fetch or write it again") from error
    for one in read.schema:
        if pyarrow.types.is_nested(one.type) or pyarrow.types.is_binary(one.type):
            raise DataError(f"{name}: column {one.name} holds {one.type}, where text, numbers or times were expected")
    columns = _checked_header(tuple(read.column_names), name)
    cells = [[_as_text(value) for value in column.to_pylist()] for column in read.columns]
    rows = list(zip(*cells, strict=True))
    if not rows:
        raise DataError(f"{name}: no row in it, where a table was expected: name another file")
    summary = f"{name}: {len(rows):,} rows of {_listed(columns)}"
    return Table(name, columns, rows, [*range(1, len(rows) + 1)], ",", summary, reading.digest([part]), "row")


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    return value.isoformat() if hasattr(value, "isoformat") else str(value).strip()


def _number(cell: str) -> float | None:
    try:
        number = float(cell)
    except ValueError:
        return None
    # float() takes digits parted by underscores, and infinity by name: neither is a measurement.
    return number if math.isfinite(number) and "_" not in cell else None


def _listed(columns: Sequence[str]) -> str:
    shown = ", ".join(columns[:8]) + (", …" if len(columns) > 8 else "")
    return f"{len(columns)} column{'s' if len(columns) > 1 else ''} ({shown})"


def _cells(count: int) -> str:
    return f"{count} cell{'s' if count != 1 else ''}"


def _short(cell: str) -> str:
    cell = " ".join(cell.split())
    return repr(cell if len(cell) <= 40 else f"{cell[:40]}…")
