"""`evaluate`: a run's figures on a part of its data that was held out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

import tyro

from unrolled.workshop import folder as folders
from unrolled.workshop.messages import Evaluated, Message


@dataclass(frozen=True)
class EvaluateRequest:
    """Measure a run on what was held out from it."""

    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")] = ""
    """A run's name or folder. Empty: the newest run."""
    part: Literal["test", "valid"] = "test"
    """Which held-out part."""
    cell: str = ""
    """Allow this cell, package.module:Class, which the run names."""
    runs: str = ""
    """The folder of the runs; empty is UNROLLED_RUNS, else ./runs."""
    data: Annotated[str, tyro.conf.arg(metavar="PATH")] = ""
    """Where the run's data is now, if it has moved since the training: the same, to the byte."""


def evaluate(request: EvaluateRequest) -> Iterator[Message]:
    """The figures; they are kept in the run's folder as well, for `runs` and `report`."""
    from unrolled.workshop.run import Run

    run = Run(folders.open_run(request.run, folders.runs_folder(request.runs)), request.cell, request.data)
    figures = run.evaluate(request.part)
    evaluated = Evaluated(run.name, request.part, figures, dict(run.recipe.bars(run.options)))
    run.folder.append_evaluation(evaluated.to_dict())
    yield evaluated
