"""`translate`: sentences of people's own into the language that a run has learnt, and where it looked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, cast

import tyro

from unrolled.errors import DataError, OptionError
from unrolled.recipes.recipe import require
from unrolled.workshop import folder as folders
from unrolled.workshop.looking import Files, given_text, show
from unrolled.workshop.messages import Message, Note, Translated

if TYPE_CHECKING:
    from unrolled.figures import Figure
    from unrolled.models.encoder_decoder import EncoderDecoder
    from unrolled.recipes.translate import Translation
    from unrolled.workshop.run import Run

#: Sentences that are translated before the first of them is shown, and characters that are read at most.
AT_ONCE = 256
LONGEST = 100_000_000


@dataclass(frozen=True)
class TranslateRequest(Files):
    """Translate sentences, one a line, with a run that was trained to."""

    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")] = ""
    """A run of translate: its name or folder. Empty: the newest run."""
    text: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="FILE|-|WORDS")] = "-"
    """A file, - for standard input, or a sentence."""
    beam: int = 5
    """Beginnings that are kept side by side; 1 always takes the likeliest symbol."""
    length_penalty: float = 1.0
    """0 ranks whole translations by their probability, which favours short ones; 1 by that of a symbol."""
    references: Annotated[str, tyro.conf.arg(metavar="FILE")] = ""
    """A person's translations, line by line: BLEU is counted against them."""
    maps: Annotated[int, tyro.conf.arg(metavar="N")] = 0
    """Show for the first N sentences where each symbol that was written looked."""
    encoding: str = "utf-8"
    """How the files' bytes are to be read."""
    cell: str = ""
    """Allow this cell, package.module:Class, which the run names."""
    runs: str = ""
    """The folder of the runs; empty is UNROLLED_RUNS, else ./runs."""

    def __post_init__(self) -> None:
        require(self.beam >= 1, "beam", self.beam, "1 or more")
        require(self.maps >= 0, "maps", self.maps, "0 or more")
        if any((self.svg, self.json, self.npy)) and not self.maps:
            raise OptionError("--svg, --json and --npy keep maps of where it looked: ask for some with --maps 1")


def translate(request: TranslateRequest) -> Iterator[Message]:
    """A translation for each line, an empty one for an empty line; then what else was asked for."""
    from unrolled.workshop.run import Run

    run = Run(folders.open_run(request.run, folders.runs_folder(request.runs)), request.cell)
    sentences = lines(given_text(request.text, LONGEST, request.encoding), request.text)
    references = _references(request, sentences)
    model = check(run)
    if request.maps and model.attention is None:
        raise OptionError(f"{run.folder.path}: a run without attention looks nowhere: leave --maps out")
    texts: list[str] = []
    maps: list[Figure] = []
    for first in range(0, len(sentences), AT_ONCE):
        own = sentences[first : first + AT_ONCE]
        for sentence, one in zip(own, translations(run, own, request.beam, request.length_penalty), strict=True):
            yield Translated(len(texts) + 1, sentence, one.text, one.log_probability)
            texts.append(one.text)
            if len(maps) < request.maps and one.target:
                maps.append(_map(one))
    if references:
        yield _score(run, texts, references)
    yield from show(maps, request)


def translations(run: Run, sentences: Sequence[str], beam: int = 5, length_penalty: float = 1.0) -> list[Translation]:
    """What the run makes of each sentence. OptionError where it was not trained to translate."""
    from unrolled.recipes import translate as recipe
    from unrolled.recipes.sentences import Sentences

    model = check(run)
    return recipe.translate(model, Sentences.from_assets(run.assets["symbols"]), sentences, beam, length_penalty)


def check(run: Run) -> EncoderDecoder:
    """The run's model. OptionError where it does not translate."""
    if run.recipe_name != "translate":
        raise run.unfit("does not translate", "translate")
    return cast("EncoderDecoder", run.model)


def lines(text: str, name: str) -> list[str]:
    """A text's lines, without the end of the last one. DataError where there is nothing on them."""
    from unrolled.data import reading

    found = reading.split_lines(text)
    if not any(line.strip() for line in found):
        raise DataError(f"{name}: empty, where a sentence a line was expected: give another")
    return found


def _references(request: TranslateRequest, sentences: Sequence[str]) -> list[str]:
    if not request.references:
        return []
    read = lines(given_text(request.references, LONGEST, request.encoding), request.references)
    if len(read) != len(sentences):
        raise DataError(
            f"{request.references} has {len(read):,} lines, where {len(sentences):,} sentences are translated: line n "
            "must be the translation of line n"
        )
    return read


def _score(run: Run, texts: Sequence[str], references: Sequence[str]) -> Note:
    from unrolled.recipes.sentences import Sentences
    from unrolled.recipes.translate import bleu

    score, signature = bleu(texts, references, Sentences.from_assets(run.assets["symbols"]).lowercase)
    return Note(f"BLEU {score:.2f} ({signature})")


def _map(one: Translation) -> Figure:
    from unrolled.diagnostics.attention import attention_map

    return attention_map(one.text, one.source, one.target, one.weights.tolist())
