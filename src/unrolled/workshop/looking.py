"""What all `inspect` actions share: where the text comes from, how a run reads it, and where figures go."""

from __future__ import annotations

import codecs
import io
import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from unrolled.errors import DataError, OptionError
from unrolled.figures import Figure
from unrolled.workshop import disk
from unrolled.workshop.messages import Message, Note, Shown

if TYPE_CHECKING:
    from torch import Tensor

    from unrolled.models.model import Model
    from unrolled.workshop.run import Run

#: Where a text is cut, a part of it begins: the first of these that is near.
_BREAKS = ("\n\n\n", "\n\n", "\n")
#: How the name of a file ends besides a text's endings: letters.de, data.parquet. (self.name is Python, and words.)
_ENDING = re.compile(r"\w\.([A-Za-z]\w{0,2}|parquet|conllu?)$")


class Words(str):
    """A text itself, which is never taken for the name of a file: what a browser sends."""

    __slots__ = ()


@dataclass(frozen=True)
class Files:
    """Where the figures go besides the screen. What has several writes the second to NAME-2.svg, and so on."""

    svg: Annotated[str, tyro.conf.arg(metavar="FILE")] = ""
    """Write the figure to this file, as SVG."""
    json: Annotated[str, tyro.conf.arg(metavar="FILE")] = ""
    """Write the figure's data to this file, as JSON."""
    npy: Annotated[str, tyro.conf.arg(metavar="FILE")] = ""
    """Write the figure's numbers to this file, as an array of NumPy."""


@dataclass(frozen=True)
class TextToRead:
    """Which trained model reads which text."""

    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")] = ""
    """A run's name or folder, or `tiny`, which is part of the package. Empty: the newest run, else tiny."""
    text: Annotated[str, tyro.conf.arg(metavar="FILE|-|WORDS")] = ""
    """A file, - for standard input, or words. Empty: from what the run held out."""
    length: int = 400
    """Characters of the text to read, at most."""
    cell: str = ""
    """Allow this cell, package.module:Class, which the run names."""
    runs: str = ""
    """The folder of the runs; empty is UNROLLED_RUNS, else ./runs."""

    def __post_init__(self) -> None:
        at_least_one(self, "length")


@dataclass(frozen=True)
class TextLook(TextToRead, Files):
    """What a look at a trained model over a text is told."""


def at_least_one(request: object, *names: str) -> None:
    """OptionError unless each of these fields is 1 or more."""
    for name in names:
        if getattr(request, name) < 1:
            raise OptionError(f"--{name.replace('_', '-')} {getattr(request, name)}: expected 1 or more")


@dataclass(frozen=True)
class ReadText:
    """A text as the model reads it. symbols: (T,) int64. tokens: put together they are the text."""

    symbols: Tensor
    tokens: tuple[str, ...]


class Reader:
    """A run that reads texts.

    untrained: read with the network as it was before its first update.
    """

    def __init__(self, run: Run, untrained: bool = False) -> None:
        from unrolled.models.language_model import LanguageModel

        model = _before_training(run) if untrained else run.model
        if run.recipe.writing is None or not isinstance(model, LanguageModel):
            raise run.unfit("writes no text, and this looks into those that do", "char-lm, or tiny")
        self.run = run
        self.model = model
        self.writing = run.recipe.writing(run.assets)

    def read(self, text: str) -> ReadText:
        """PromptError where it has a character that the model does not know."""
        import torch

        symbols = self.writing.encode(text)
        decoder = self.writing.decoder()
        return ReadText(torch.tensor(symbols), tuple("" if s == self.writing.end else decoder.feed(s) for s in symbols))

    def name(self, symbol: int) -> str:
        """A symbol as a person reads it: in quotes."""
        whole = symbol != self.writing.end and self.writing.decoder().feed(symbol)
        return repr(whole) if whole else self.plain_name(symbol)

    def plain_name(self, symbol: int) -> str:
        """A symbol as it is, without quotes; one that is no whole character by itself, by its number."""
        if symbol == self.writing.end:
            return "(end)"
        return self.writing.decoder().feed(symbol) or f"({symbol})"

    def text(self, given: str, length: int) -> str:
        """The text that was given, or one that was held out: its first `length` characters. DataError where empty."""
        text = given_text(given, length, self._encoding) if given else self._held_out()[:length]
        if not text:
            raise DataError(
                f"{given or self.run.folder.path}: an empty text: there is nothing to look at; give another"
            )
        return text

    def texts(self, given: str, other: str, length: int) -> tuple[str, str]:
        """Two texts of `length` characters at most: `given` and `other`; where there is no other, two parts of one."""
        if other:
            return self.text(given, length), self.text(other, length)
        # A little more, for the second part to begin where a part of the text does.
        text = self.text(given, 2 * length + length // 4)
        half = min(length, len(text) // 2)
        start = next_break(text, half, half + half // 4)
        return text[:half], text[start : start + length]

    @property
    def _encoding(self) -> str:
        return getattr(self.run.options, "encoding", "utf-8")

    def _held_out(self) -> str:
        """What the run validates on, from where a part of it begins. The test part is for `evaluate` alone."""
        from unrolled.recipes.language import KEPT_INPUT, HeldOutText

        run = self.run
        part = None
        if run.options.data != "-" or (run.folder.path / KEPT_INPUT).exists():
            # Not `run.data`: to look at, a text that has changed since the training will do.
            part = run.recipe.data(run.options, run.folder.path, run.assets).held_out.get("valid")
        if not isinstance(part, HeldOutText):
            raise OptionError(
                f"{run.folder.path}: this run of {run.recipe_name} holds out no text to look at: give one with --text"
            )
        decoder = self.writing.decoder()
        text = "".join(decoder.feed(int(symbol)) for symbol in part.ids)
        return text[next_break(text, 0, len(text) // 2) :]


def _before_training(run: Run) -> Model:
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(run.options.seed)
        return run.recipe.model(run.options, run.assets).eval()


def next_break(text: str, first: int, last: int) -> int:
    """Where a part of the text begins: behind empty lines or a line's end between these places; else the first."""
    for mark in _BREAKS:
        found = text.find(mark, first, last)
        if found >= 0:
            return found + len(mark)
    return first


def given_text(word: str, length: int, encoding: str = "utf-8") -> str:
    """At most `length` characters of what `word` means: a file or a folder, - for standard input, else the words.

    `Words` are always words.

    DataError where it cannot be read, or looks like a file and is none.
    """
    from unrolled.data import reading, text

    if means_words(word):
        return word[:length]
    encoding = reading.check_encoding(encoding)
    if word == "-":
        return _standard_input(length, encoding)
    read = ""
    for chunk in reading.read_text(reading.parts(text.find_files([word])), encoding):
        read += chunk
        if len(read) >= length:
            break
    return read[:length]


def means_words(word: str) -> bool:
    """Whether `word` is itself what is to be read: no file, nothing that looks like one, and not standard input."""
    from unrolled.data import text

    if isinstance(word, Words):
        return True
    ends_like_a_file = Path(word).suffix.lower() in text.TEXT_ENDINGS or _ENDING.search(word) is not None
    looks_like_a_file = not any(map(str.isspace, word)) and (os.sep in word or ends_like_a_file)
    return word != "-" and not looks_like_a_file and not os.path.exists(word)


def _standard_input(length: int, encoding: str) -> str:
    if sys.stdin is None or sys.stdin.isatty():
        raise DataError("- reads standard input, which is a terminal or closed: pipe a text in, or name a file")
    try:
        # utf-16 takes the mark itself, as it needs it; utf-8 leaves it.
        return codecs.getreader(encoding)(sys.stdin.buffer).read(-1, length)[:length].removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise DataError(f"standard input is not {encoding} at byte {error.start}: pipe in a text that is") from error


def show(figures: Sequence[Figure], files: Files) -> Iterator[Message]:
    """The figures, and a line for each file that was asked for, once it is written."""
    for figure in figures:
        yield Shown(figure)
    for kind, file in (("SVG", files.svg), ("JSON", files.json), ("an array", files.npy)):
        for number, figure in enumerate(figures if file else (), 1):
            path = Path(file) if number == 1 else Path(file).with_stem(f"{Path(file).stem}-{number}")
            disk.write_whole(path, _content(figure, kind))
            yield Note(f"{path}: {figure.title}, as {kind}")


def _content(figure: Figure, kind: str) -> bytes:
    match kind:
        case "SVG":
            from unrolled.workshop.renderings.svg import to_svg

            return to_svg(figure).encode()
        case "JSON":
            return json.dumps(figure.to_json(), ensure_ascii=False).encode()
    import numpy as np

    from unrolled.workshop.renderings.array import to_array

    written = io.BytesIO()
    np.save(written, to_array(figure), allow_pickle=False)
    return written.getvalue()
