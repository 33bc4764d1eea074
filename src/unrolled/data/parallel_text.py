"""Sentences and their translations, out of two files, a line each, or out of one with two columns.

What is not as it should be is a DataError that names file and line.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from unrolled.data import reading, text
from unrolled.errors import DataError


@dataclass(frozen=True)
class ParallelText:
    """Pairs of sentences. summary: one line for a person. digest: SHA-256 of what was read."""

    sources: list[str]
    targets: list[str]
    summary: str
    digest: str


def two_files(source: Path | str, target: Path | str, encoding: str = "utf-8") -> ParallelText:
    """Line n of one file is translated in line n of the other. Pairs of which one or both are empty do not count."""
    read = [_lines(file, encoding) for file in (source, target)]
    (first, name, digest), (second, other, other_digest) = read
    if len(first) != len(second):
        raise DataError(
            f"{name} has {len(first):,} lines and {other} {len(second):,}: line n of one must be the translation of "
            "line n of the other; put the missing lines in, empty ones too"
        )
    return _pairs(first, second, f"{name} and {other}", f"{digest} {other_digest}")


def two_columns(file: Path | str, encoding: str = "utf-8") -> ParallelText:
    """Each line holds a sentence, a tab and its translation; what stands behind a second tab is not read, and said."""
    lines, name, digest = _lines(file, encoding)
    split = [line.split("\t") if line else ["", ""] for line in lines]
    for number, cells in enumerate(split, 1):
        if len(cells) < 2:
            raise DataError(
                f"{name}, line {number:,}: no tab, where a sentence, a tab and its translation were expected; for two "
                "files, name the one of the translations with --translations"
            )
    read = _pairs([cells[0].strip() for cells in split], [cells[1].strip() for cells in split], name, digest)
    if further := sum(any(cell.strip() for cell in cells[2:]) for cells in split):
        lines_of = f"{further:,} line{'s' if further > 1 else ''}"
        return replace(read, summary=f"{read.summary}; what stands behind a second tab, in {lines_of}, is not read")
    return read


def _lines(file: Path | str, encoding: str) -> tuple[list[str], str, str]:
    """(lines without blanks around them, the file's name, SHA-256)."""
    found = text.find_files([file])
    parts = reading.parts(found)
    whole = "".join(reading.read_text(parts, reading.check_encoding(encoding)))
    # Without what is around them, but for tabs, which part columns.
    lines = [line.strip(" \v\f\u00a0") for line in reading.split_lines(whole)]
    if not any(lines):
        raise DataError(f"{found.name}: empty, where a sentence a line was expected: name another file")
    return lines, found.name, reading.digest(parts)


def _pairs(sources: list[str], targets: list[str], name: str, digest: str) -> ParallelText:
    kept = [(source, target) for source, target in zip(sources, targets, strict=True) if source and target]
    if not kept:
        raise DataError(f"{name}: no line has both a sentence and its translation: name other files")
    left = len(sources) - len(kept)
    passed = f", {left:,} with an empty side passed over" if left else ""
    return ParallelText(
        [source for source, _ in kept], [target for _, target in kept], f"{name}: {len(kept):,} pairs{passed}", digest
    )
