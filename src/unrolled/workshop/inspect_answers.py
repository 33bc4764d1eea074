"""Runs that answer instead of writing: `inspect influence`, the steps of a sequence that each answer hangs on, and
`inspect saliency` of a classifier of texts, the words that speak for its answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from unrolled.errors import OptionError
from unrolled.figures import Figure
from unrolled.workshop import folder as folders
from unrolled.workshop.looking import Files, at_least_one, given_text, show
from unrolled.workshop.messages import Message

if TYPE_CHECKING:
    from unrolled.batch import Batch
    from unrolled.workshop.run import Run


@dataclass(frozen=True)
class InfluenceRequest(Files):
    """Show which steps of a held-out sequence each answer hangs on."""

    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")] = ""
    """A run of a recipe that answers: adding, copy-memory, is-it-raining … Empty: the newest run."""
    example: int = 1
    """Which of the sequences that the run validates on, from 1."""
    cell: str = ""
    """Allow this cell, package.module:Class, which the run names."""
    runs: str = ""
    """The folder of the runs; empty is UNROLLED_RUNS, else ./runs."""

    def __post_init__(self) -> None:
        at_least_one(self, "example")


def inspect_influence(request: InfluenceRequest) -> Iterator[Message]:
    """The map, and a line for each file that was written."""
    from unrolled.diagnostics import influence
    from unrolled.models.answering import AnsweringModel
    from unrolled.workshop.run import Run

    run = Run(folders.open_run(request.run, folders.runs_folder(request.runs)), request.cell)
    if not isinstance(run.model, AnsweringModel):
        raise OptionError(
            f"{run.folder.path}: a model of the recipe {run.recipe_name} gives no answers to a sequence; "
            "`unrolled inspect saliency` shows what the forecasts of one that writes hang on"
        )
    batch, row = _example(run, request.example)
    found = influence.influence(run.model, batch, row)
    title = f"What the answers of {run.name} hang on, example {request.example}"
    yield from show([influence.influence_map(found, title, _names(run, batch, row))], request)


def answer_saliency(run: Run, text: str, length: int, symbol: int) -> tuple[Figure, ...]:
    """What speaks for the class that a run of sentiment says of a text, and against it; how strongly; each class.

    text: a file, - or words; empty takes one that the run validates on.
    """
    from unrolled.diagnostics import word_saliency
    from unrolled.models.sequence_classifier import SequenceClassifier

    assert run.recipe.classifying is not None
    assert isinstance(run.model, SequenceClassifier)
    if symbol:
        raise OptionError(
            f"--symbol {symbol}: a run of {run.recipe_name} answers a text as a whole; leave --symbol out"
        )
    reading = run.recipe.classifying(run.assets)
    tokens = reading.tokens(given_text(text, length) if text else run.assets["examples"][0][0][:length])
    found = word_saliency.word_saliency(run.model, reading.batch([tokens]))
    # Words are parted by blanks; characters put together are the text as it is.
    shown = tokens if run.assets["symbols"] == "characters" else [f"{token} " for token in tokens]
    return (
        word_saliency.for_and_against(found, shown, reading.classes),
        word_saliency.strength(found, shown, reading.classes),
        word_saliency.class_table(found, reading.classes),
    )


def _example(run: Run, number: int) -> tuple[Batch, int]:
    """The batch of the validation part that holds the example, and its row there."""
    first = 0
    for batch in run.data.held_out["valid"]:
        rows = _inputs(batch)[0].shape[1]
        if number <= first + rows:
            return batch, number - first - 1
        first += rows
    raise OptionError(f"--example {number}: {run.name} validates on {first:,} sequences, counted from 1")


def _inputs(batch: Batch) -> tuple[Any, Any]:
    from unrolled.batch import Ragged

    field = batch["inputs"]
    return (field.values, field.lengths) if isinstance(field, Ragged) else (field, None)


def _names(run: Run, batch: Batch, row: int) -> tuple[str, ...]:
    """The words that are read, where the steps are words."""
    words = run.assets.get("words")
    values, lengths = _inputs(batch)
    # A step may also be a bag of words, (T, B, F), which has no name.
    if words is None or values.dim() > 2:
        return ()
    length = values.shape[0] if lengths is None else int(lengths[row])
    return tuple(words[int(symbol)] for symbol in values[:length, row])
