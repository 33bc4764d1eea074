"""`predict`: what a run says of people's own: a label for each text, tags for each word.

Out comes what went in, in its own form, with the answers: a table's rows with two more columns, lines with what is said
of them in front, columns of words with more columns.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, cast

import tyro

from unrolled.errors import DataError, OptionError
from unrolled.workshop import folder as folders
from unrolled.workshop.looking import means_words
from unrolled.workshop.messages import Columns, Message, Predicted

if TYPE_CHECKING:
    from unrolled.data.conll import Sentence
    from unrolled.data.tables import Table
    from unrolled.models.answering import AnsweringModel
    from unrolled.models.word_tagger import WordTagger
    from unrolled.recipes.recipe import Classifying, Tagging
    from unrolled.workshop.run import Run

#: What ends a table's name, before a .gz and the like.
TABLES = frozenset({".csv", ".tsv", ".parquet"})
#: Texts or sentences side by side.
BATCH = 100
STANDARD_INPUT = "standard input"
Form = Literal["auto", "lines", "table", "columns"]


@dataclass(frozen=True)
class PredictRequest:
    """Say a label for each text of a file, or tags for each word, with a run that was trained to."""

    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """A run's name or folder, of sentiment or tagging."""
    file: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="FILE|-|WORDS")]
    """A file, - for standard input, or words."""
    form: Form = "auto"
    """Of the file: a text or sentence a line, a table, a word a line; auto tells tables by name or first line."""
    text: Annotated[str, tyro.conf.arg(metavar="COLUMN")] = ""
    """The column of a table's texts. Empty: as in the training, or the only one."""
    word: Annotated[int, tyro.conf.arg(metavar="COLUMN")] = 0
    """Of a file in columns, that of the words, from 1. 0: as in the training, or the only one."""
    separator: str = ""
    """What stands between a table's cells, \\t for a tab. Empty finds it out."""
    encoding: str = "utf-8"
    """How the file's bytes are to be read."""
    cell: str = ""
    """Allow this cell, package.module:Class, which the run names."""
    runs: str = ""
    """The folder of the runs; empty is UNROLLED_RUNS, else ./runs."""


class Label(NamedTuple):
    """What a classifier says of one text: the class, its probability, and that of each class by name."""

    label: str
    probability: float
    probabilities: dict[str, float]


def predict(request: PredictRequest) -> Iterator[Message]:
    """One message for each row, line or word that went in."""
    from unrolled.workshop.run import Run

    run = Run(folders.open_run(request.run, folders.runs_folder(request.runs)), request.cell)
    classifying, tagging = reading_of(run)
    form = _form(request, classifying is not None)
    if classifying is not None:
        yield from _of_texts(run, classifying.column, form, request)
    elif tagging is not None:
        yield from _of_columns(run, tagging, request) if form == "columns" else _of_sentences(run, request)


def reading_of(run: Run) -> tuple[Classifying | None, Tagging | None]:
    """How the run reads texts, or sentences: one of the two. OptionError where it does neither."""
    recipe = run.recipe
    if recipe.classifying is None and recipe.tagging is None:
        raise run.unfit("says neither labels nor tags", "sentiment or tagging")
    return (
        None if recipe.classifying is None else recipe.classifying(run.assets),
        None if recipe.tagging is None else recipe.tagging(run.assets),
    )


def labels(run: Run, reading: Classifying, texts: Sequence[str]) -> list[Label]:
    """What the run says of each text; of one without anything to read, what it says of nothing."""
    from unrolled.recipes import answers

    tokens = [reading.tokens(text) for text in texts]
    said: list[Any] = [None] * len(texts)
    # By length, so that little of a batch is padding.
    order = sorted(range(len(texts)), key=lambda place: len(tokens[place]))
    for first in range(0, len(order), BATCH):
        own = order[first : first + BATCH]
        found = answers.probabilities(
            cast("AnsweringModel", run.model), reading.batch([tokens[place] for place in own])
        )
        for place, p in zip(own, found.tolist(), strict=True):
            best = max(range(len(p)), key=lambda number: p[number])
            said[place] = Label(reading.classes[best], p[best], dict(zip(reading.classes, p, strict=True)))
    return said


def tags(run: Run, reading: Tagging, sentences: Sequence[Sequence[str]]) -> list[list[tuple[str, ...]]]:
    """For each word of each sentence its tags, one of each column that was learnt."""
    from unrolled.recipes import answers

    model = cast("WordTagger", run.model)
    said: list[Any] = [[] for _ in sentences]
    order = sorted((place for place, one in enumerate(sentences) if one), key=lambda place: len(sentences[place]))
    for first in range(0, len(order), BATCH):
        own = order[first : first + BATCH]
        for place, found in zip(own, answers.tags(model, reading, [sentences[p] for p in own]), strict=True):
            said[place] = found
    return said


def _of_texts(run: Run, column: str, form: Form, request: PredictRequest) -> Iterator[Message]:
    """column: the texts' in the training."""
    from unrolled.data import reading, tables

    if form == "table":
        yield from _of_table(run, column, _table(request), request.text)
        return
    name, whole = _whole(request)
    if request.form == "auto" and (request.text or column) in tables.first_row(whole, request.separator):
        yield from _of_table(run, column, tables.parse_table(whole, name, request.separator), request.text)
        return
    # Without what is around them; a last line without anything is none.
    texts = [line.strip() for line in reading.split_lines(whole.rstrip("\r\n"))]
    for number, one in enumerate(run.predict(texts)):
        yield Predicted(number + 1, _plain(texts[number], one), f"{one.label}\t{one.probability:.4f}\t{texts[number]}")


def _of_table(run: Run, learnt: str, table: Table, named: str) -> Iterator[Message]:
    """learnt: the texts' column in the training. named: in this table, by request."""
    from unrolled.data.tables import write_row

    texts = table.column(_column(run, learnt, table, named), "--text")
    new = [_free_name(name, table.columns) for name in ("predicted", "probability")]
    yield Columns((*table.columns, *new), write_row([*table.columns, *new], table.separator))
    for number, one in enumerate(run.predict(texts)):
        row = write_row([*table.rows[number], one.label, f"{one.probability:.4f}"], table.separator)
        yield Predicted(table.lines[number], _plain(texts[number], one), row)


def _column(run: Run, learnt: str, table: Table, named: str) -> str:
    """The column of the texts: never a guess where the training says what it is called."""
    from unrolled.data import labelled_texts

    if named or len(table.columns) == 1:
        return named or table.columns[0]
    if not learnt:
        return labelled_texts.text_column(table)
    if learnt.casefold() not in [name.casefold() for name in table.columns]:
        raise DataError(
            f"{table.name}: no column {learnt}, which {run.name} learnt from: name that of the texts with --text. It "
            f"has {', '.join(table.columns)}"
        )
    return learnt


def _plain(text: str, one: Label) -> dict[str, Any]:
    return {"text": text, **one._asdict()}


def _of_columns(run: Run, reading: Tagging, request: PredictRequest) -> Iterator[Message]:
    from unrolled.data import conll

    name, whole = _whole(request)
    sentences, _ = conll.parse_conll(whole, name)
    width = len(sentences[0].rows[0])
    # A file of words alone has one column, wherever the words stood in the training.
    word = request.word or (1 if width == 1 else reading.word)
    if not 1 <= word <= width:
        given = f"--word {word} is none of them" if request.word else f"in the training the words stood in {word}"
        raise DataError(f"{name}: {width} columns, and {given}: name that of the words with --word, counted from 1")
    for number, said in enumerate(run.predict([one.column(word) for one in sentences])):
        if number:
            yield Columns((), "")
        yield from _words(reading, sentences[number], word, said)


def _words(reading: Tagging, sentence: Sentence, word: int, said: Sequence[Sequence[str]]) -> Iterator[Message]:
    for place, (row, own) in enumerate(zip(sentence.rows, said, strict=True)):
        answer = {"word": row[word - 1], **dict(zip((name for name, _ in reading.columns), own, strict=True))}
        yield Predicted(sentence.line + place, answer, "\t".join([*row, *own]))


def _of_sentences(run: Run, request: PredictRequest) -> Iterator[Message]:
    from unrolled.data import reading
    from unrolled.data.tokens import split_words

    sentences = [split_words(line) for line in reading.split_lines(_whole(request)[1].rstrip("\r\n"))]
    names = [name for name, _ in reading_of(run)[1].columns]  # type: ignore[union-attr]
    for number, said in enumerate(run.predict(sentences)):
        row = " ".join("/".join([word, *own]) for word, own in zip(sentences[number], said, strict=True))
        answer = {"words": sentences[number], **{name: [own[k] for own in said] for k, name in enumerate(names)}}
        yield Predicted(number + 1, answer, row)


def _form(request: PredictRequest, texts: bool) -> Form:
    fitting: tuple[Form, ...] = ("lines", "table") if texts else ("lines", "columns")
    if request.form == "auto":
        if means_words(request.file):
            return "lines"
        endings = {ending.lower() for ending in Path(request.file).suffixes[-2:]}
        return ("table" if endings & TABLES else "lines") if texts else "columns"
    if request.form not in fitting:
        raise OptionError(f"--form {request.form}: this run reads {' or '.join(fitting)}")
    return request.form


def _table(request: PredictRequest) -> Table:
    from unrolled.data.tables import parse_table, read_table

    if request.file != "-" and not means_words(request.file):
        return read_table(request.file, request.encoding, request.separator)
    name, whole = _whole(request)
    return parse_table(whole, name, request.separator)


def _whole(request: PredictRequest) -> tuple[str, str]:
    """The name of the file, for messages, and all that is in it. DataError where that is nothing."""
    from unrolled.data import reading, text

    if means_words(request.file):
        return "the words", request.file
    if request.file != "-":
        found = text.find_files([request.file])
        name, whole = (
            found.name,
            "".join(reading.read_text(reading.parts(found), reading.check_encoding(request.encoding))),
        )
    else:
        if sys.stdin is None or sys.stdin.isatty():
            raise DataError("- reads standard input, which is a terminal or closed: pipe a text in, or name a file")
        name = STANDARD_INPUT
        try:
            whole = sys.stdin.buffer.read().decode(reading.check_encoding(request.encoding)).removeprefix("\ufeff")
        except UnicodeDecodeError as error:
            raise DataError(
                f"standard input is not {request.encoding} at byte {error.start}: pipe in a text that is, or give "
                "--encoding"
            ) from error
    if not whole.strip():
        raise DataError(f"{name}: empty, where something to say a label or tags of was expected: name another file")
    return name, whole


def _free_name(name: str, taken: Sequence[str]) -> str:
    while name in taken:
        name += "_"
    return name
