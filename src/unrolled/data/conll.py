"""Sentences in columns, one word a line and an empty line between sentences: the files of the CoNLL tasks, and CoNLL-U.

Confidence  NN  B-NP
in          IN  B-PP
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from unrolled.data import reading, text
from unrolled.data.chunks import are_chunks
from unrolled.errors import DataError

#: A column with more different cells than this holds no tags.
MOST_TAGS = 200
#: Columns of CoNLL-U, where the words stand in it, and the universal part of speech.
_UNIVERSAL, _FORM, _PART_OF_SPEECH = 10, 2, 4
#: Parts of a file's name that say what it is for.
_TEST, _VALID = re.compile("test", re.I), re.compile("dev|valid", re.I)
_DOCUMENT = "-DOCSTART-"


@dataclass(frozen=True)
class Sentence:
    """rows: a tuple of cells for each word. line: where it begins in its file, from 1."""

    rows: tuple[tuple[str, ...], ...]
    line: int

    def column(self, number: int) -> list[str]:
        """The cells of column `number`, counted from 1."""
        return [row[number - 1] for row in self.rows]


@dataclass(frozen=True)
class Sentences:
    """What files hold. universal: whether they are CoNLL-U. train, valid, test: the sentences of each; valid and test
    are empty where no file of that name was there. summary: one line; digest: SHA-256 of all of it.
    """

    train: list[Sentence]
    valid: list[Sentence]
    test: list[Sentence]
    universal: bool
    summary: str
    digest: str


def read_conll(path: Path, encoding: str = "utf-8") -> Sentences:
    """A file, or a folder or archive with several: those with "test" in their name are for the test, those with "dev"
    or "valid" to validate. DataError where there is no word, or lines have different numbers of columns.
    """
    encoding = reading.check_encoding(encoding)
    found = text.find_files([path])
    parts = [part for part in reading.parts(found) if len(found) == 1 or "README" not in part.label]
    read: dict[str, list[Sentence]] = {"train": [], "valid": [], "test": []}
    first: tuple[str, int] | None = None
    universal = False
    for part in parts:
        name = Path(part.member or part.path).name
        purpose = "test" if _TEST.search(name) else "valid" if _VALID.search(name) else "train"
        whole = "".join(reading.read_text([part], encoding))
        sentences, universal = parse_conll(whole, name)
        width = len(sentences[0].rows[0])
        if first is not None and width != first[1]:
            raise DataError(f"{name}: {width} columns, and {first[0]} has {first[1]}: name files of one kind")
        first = (name, width)
        # One file alone is everything, whatever it is called.
        read["train" if len(parts) == 1 else purpose] += sentences
    counts = {purpose: len(sentences) for purpose, sentences in read.items() if sentences}
    if not read["train"]:
        raise DataError(f"{path}: files to test and validate on alone: name one to train on, too")
    words = sum(len(sentence.rows) for sentences in read.values() for sentence in sentences)
    said = f"{found.name}: {sum(counts.values()):,} sentences, {words:,} words"
    return Sentences(read["train"], read["valid"], read["test"], universal, said, reading.digest(parts))


def parse_conll(whole: str, name: str) -> tuple[list[Sentence], bool]:
    """The sentences of one text, and whether it is CoNLL-U. name: what messages call it."""
    tabs = "\t" in whole[:10_000]
    sentences: list[Sentence] = []
    rows: list[tuple[str, ...]] = []
    begins = width = 0
    universal = False
    for line, cells in _cells(whole, tabs):
        if cells:
            if width and len(cells) != width:
                raise DataError(
                    f"{name}, line {line:,}: {len(cells)} column{'s' if len(cells) > 1 else ''}, where the lines "
                    f"before have {width}: one word a line, and an empty line between sentences"
                )
            width = width or len(cells)
            universal = universal or (width == _UNIVERSAL and cells[0].partition("-")[0] == "1")
            begins = begins or line
            # In CoNLL-U 3-4 is two words written as one, and 5.1 a word that is not there.
            if not (universal and not cells[0].isdecimal()):
                rows.append(cells)
        elif rows:
            if rows[0][0] != _DOCUMENT:
                sentences.append(Sentence(tuple(rows), begins))
            rows, begins = [], 0
    if not sentences:
        raise DataError(f"{name}: no word in it, where a word a line was expected: name another file")
    return sentences, universal


def word_column(sentences: Sentences, named: int = 0) -> int:
    """Where the words stand, from 1: as named; else in the first column that does not number them, in CoNLL-U in the
    second.
    """
    _check(sentences, named, "--word")
    if named or sentences.universal:
        return named or _FORM
    width = len(sentences.train[0].rows[0])
    return next((column for column in range(1, width + 1) if not _numbers_words(sentences.train, column)), 1)


def tag_columns(sentences: Sentences, word: int, named: Sequence[int] = ()) -> tuple[int, ...]:
    """Where the tags stand, from 1: as named, else every other column with few different cells that does not number the
    words; in CoNLL-U the universal part of speech. DataError where there is none, or one of them is the words' own.
    """
    for column in named:
        _check(sentences, column, "--tags")
        if column in {word, 0}:
            raise DataError(
                f"--tags {column}: {'that is the column of the words' if column else 'columns count from 1'}"
            )
    if named:
        return tuple(named)
    if sentences.universal:
        return (_PART_OF_SPEECH,)
    width = len(sentences.train[0].rows[0])
    others = [n for n in range(1, width + 1) if n != word and not _numbers_words(sentences.train, n)]
    found = tuple(column for column in others if 2 <= len(tags_of(sentences.train, column)) <= MOST_TAGS)
    if not found:
        raise DataError(
            f"{sentences.summary}: no column of tags beside that of the words (column {word}): name it with --tags"
        )
    return found


def tags_of(sentences: Sequence[Sentence], column: int) -> list[str]:
    """The different tags of a column, sorted."""
    return sorted({row[column - 1] for sentence in sentences for row in sentence.rows})


def column_names(columns: Sequence[int], tags: Sequence[Sequence[str]]) -> list[str]:
    """What the columns are called: chunks, where their tags mark such; else tags; with their number where several are
    alike."""
    kinds = ["chunks" if are_chunks(own) else "tags" for own in tags]
    return [kind if kinds.count(kind) == 1 else f"{kind} {column}" for kind, column in zip(kinds, columns, strict=True)]


def _numbers_words(sentences: Sequence[Sentence], column: int) -> bool:
    """Whether a column counts the words of each sentence, from 0 or 1, as many files' first does."""
    for first in (0, 1):
        counted = (
            own == [str(number) for number in range(first, first + len(own))]
            for own in (sentence.column(column) for sentence in sentences)
        )
        if all(counted):
            # One word a sentence counts nothing.
            return any(len(sentence.rows) > 1 for sentence in sentences)
    return False


def _cells(whole: str, tabs: bool) -> Iterator[tuple[int, tuple[str, ...]]]:
    """(line, its cells) of each line, none where it is empty; and an empty one behind the last."""
    lines = reading.split_lines(whole)
    for number, line in enumerate(lines, 1):
        # Where tabs part the cells, a line with # and without a tab is a remark; elsewhere # may be a word.
        if not (tabs and line.startswith("#") and "\t" not in line):
            yield number, tuple(line.split("\t") if tabs and line.strip() else line.split())
    yield len(lines) + 1, ()


def _check(sentences: Sentences, column: int, option: str) -> None:
    width = len(sentences.train[0].rows[0])
    if not 0 <= column <= width:
        raise DataError(f"{option} {column}: {sentences.summary} in {width} columns, counted from 1")
