"""`inspect influence`: which steps of a sequence each answer hangs on, in a run that answers instead of writing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from unrolled.errors import OptionError
from unrolled.workshop import folder as folders
from unrolled.workshop.looking import Files, at_least_one, show
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
