"""The contract of a study: one file, one question, answered by runs × seeds with a table, figures and words.

    STUDY = Study(summary=…, source=…, question=…, jobs=…, answer=…)

The file's stem is its name: `gradient_flow.py` is `gradient-flow` on the command line. Importing one does not import
torch. The workshop runs the jobs, each in a process of its own, keeps what each of them found, and goes on where it
was; a study says which jobs there are and what follows from what they found.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from unrolled.figures import Figure

if TYPE_CHECKING:
    from unrolled.models.model import Model
    from unrolled.recipes.recipe import Data


@dataclass(frozen=True)
class Extent:
    """How much of a study is asked for.

    seeds: one set of jobs each. minutes: of its cores' time, for each training; None where that is not asked for.
    """

    seeds: tuple[int, ...]
    minutes: float | None = None


@dataclass(frozen=True)
class Job:
    """One thing to find out, apart from all others: a function of what stands here, and of nothing else.

    name: letters, digits, '.', '_' and '-', different for each job of a study.
    labels: what it is among the others (cell, task, seed …), for the table.
    options: plain data. Those of the recipe, where one is trained; else what `Study.work` is given.
    recipe: trained with the options, by the way of `unrolled train`; empty where nothing is trained.
    parameters: where above 0, all layers get the one hidden size at which the model has most nearly so many trained
        parameters; how many layers there are, the option `sizes` says.
    parts: the held-out parts that the trained model is measured on.
    best_of, takes: jobs that come before it, and the options that it takes over from the one of them whose first figure
        on the part "valid" is lowest.
    """

    name: str
    labels: Mapping[str, Any]
    options: Mapping[str, Any]
    recipe: str = ""
    parameters: int = 0
    parts: tuple[str, ...] = ("valid", "test")
    best_of: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON data."""
        plain = asdict(self)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in plain.items()}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Job:
        """What `to_dict` gave."""
        fields: dict[str, Any] = {k: tuple(value) if isinstance(value, list) else value for k, value in plain.items()}
        return cls(**fields)


@dataclass(frozen=True)
class Outcome:
    """What a job found, as plain data.

    Of a training: `valid`, `test` (figure → value), `options`, `parameters`, `steps`, `per_second` and `unit` (what it
    read a second, and in what), and, where the study measures more, `measured`. Of other jobs: what `work` gave.
    """

    job: Job
    found: Mapping[str, Any]


@dataclass(frozen=True)
class Quantity:
    """One line of the result: a value for each seed. target: the bar for their mean, as text ("< 0.01")."""

    unit: str
    values: tuple[float, ...]
    target: str = ""


@dataclass(frozen=True)
class Answer:
    """What a study found.

    words: one paragraph each, drawn from the figures and from nothing else.
    figures: name → what is shown; tables become part of the page, the others pictures beside it.
    results: name → quantity, for docs/results.
    """

    words: tuple[str, ...]
    figures: Mapping[str, Figure]
    results: Mapping[str, Quantity]


@dataclass(frozen=True)
class Study:
    """One question.

    summary: one line. source: the papers. question: what it asks, and how it is answered, as a paragraph.
    jobs(extent) → every job, each after those that it takes options from.
    answer(outcomes) → the answer, of the jobs that did not fail, in the order of `jobs`; not called with none.
    work(options) → plain data: what a job without a recipe does, in its own process.
    measure(model, data) → plain data: what is looked at in a trained model besides its recipe's figures.
    seeds, minutes: where none are asked for; no seeds where nothing is random, None where nothing is trained.
    """

    summary: str
    source: str
    question: str
    jobs: Callable[[Extent], Sequence[Job]]
    answer: Callable[[Sequence[Outcome]], Answer]
    work: Callable[[Mapping[str, Any]], dict[str, Any]] | None = None
    measure: Callable[[Model, Data], dict[str, Any]] | None = None
    seeds: tuple[int, ...] = (0, 1, 2)
    minutes: float | None = None


def best(outcomes: Sequence[Outcome]) -> Outcome:
    """The one whose first figure on the part "valid" is lowest; NaN is worse than any number."""

    def first(outcome: Outcome) -> tuple[bool, float]:
        value = next(iter(outcome.found["valid"].values()))
        return math.isnan(value), value

    return min(outcomes, key=first)
