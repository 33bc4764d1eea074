"""`long-memory`: which recurrences carry something over hundreds of steps, on three tasks that papers ask it with."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from unrolled.figures import Figure, Table
from unrolled.studies.study import Answer, Extent, Job, Outcome, Quantity, Study


@dataclass(frozen=True)
class Trial:
    """One cell on a task. options: where they are not the task's. target: the bar for the figure, as text."""

    cell: str
    options: Mapping[str, Any]
    target: str = ""


@dataclass(frozen=True)
class Task:
    """One task: a recipe with options, what is compared, and the cells that try it.

    figure: of the recipe's metric. papers: what there is to compare with. higher: whether more is better.
    """

    name: str
    recipe: str
    options: Mapping[str, Any]
    figure: str
    unit: str
    trials: tuple[Trial, ...]
    papers: str
    higher: bool = False


#: As the recipes' defaults were found (docs/long-memory.md): on validation parts, never on what is shown here.
SLOW_START = {"start": "chrono"}
TASKS = (
    Task(
        "adding-200",
        "adding",
        {"length": 200, "steps": 1000},
        "loss",
        "squared error",
        (
            Trial("gru", {}, "< 0.01"),
            Trial("lstm", SLOW_START, "< 0.01"),
            Trial("exp-rnn", {"rate": 1e-3}, "< 0.01"),
            Trial("elman", {"rate": 1e-3}),
        ),
        "a constant guess has 0.167",
    ),
    Task(
        "adding-600",
        "adding",
        {"length": 600, "steps": 1500},
        "loss",
        "squared error",
        (Trial("gru", {}, "< 0.01"), Trial("elman", {"rate": 1e-3})),
        "Bai et al. 2018 (arXiv:1803.01271): RNN 0.177, LSTM 0.164, GRU 5.3e-5",
    ),
    Task(
        "copy-200",
        "copy-memory",
        {"delay": 200, "steps": 1200},
        "loss",
        "nats/step",
        (Trial("exp-rnn", {}, "< 0.01"), Trial("urnn", {}), Trial("lstm", {}), Trial("elman", {})),
        "who remembers nothing has 10 · ln 8 / 220 = 0.0945",
    ),
    Task(
        "pixels",
        "permuted-pixels",
        {"side": 14, "steps": 4000},
        "accuracy",
        "%",
        (
            Trial("lstm", {}),
            Trial("gru", {}),
            Trial("irnn", {"rate": 1e-4}),
            Trial("exp-rnn", {"rate": 1e-3}),
            Trial("urnn", {"rate": 1e-3}),
            Trial("lru", {}),
        ),
        "28 × 28, accuracy: uRNN 91.4, LSTM 88.0 (Arjovsky et al. 2016, arXiv:1511.06464), IRNN 82.0 (Le et al. 2015, "
        "arXiv:1504.00941)",
        higher=True,
    ),
)


def jobs(extent: Extent) -> list[Job]:
    """One training for each task, cell and seed."""
    return [
        Job(
            f"{task.name}-{trial.cell}-{seed}",
            {"task": task.name, "cell": trial.cell, "seed": seed},
            {**task.options, **trial.options, "cell": trial.cell, "seed": seed},
            recipe=task.recipe,
        )
        for task in TASKS
        for trial in task.trials
        for seed in extent.seeds
    ]


def answer(outcomes: Sequence[Outcome]) -> Answer:
    """A table for each task, and who remembers."""
    figures: dict[str, Figure] = {}
    results: dict[str, Quantity] = {}
    words = []
    for task in TASKS:
        rows, means = [], {}
        for trial in task.trials:
            runs = [
                outcome.found
                for outcome in outcomes
                if (outcome.job.labels["task"], outcome.job.labels["cell"]) == (task.name, trial.cell)
            ]
            if not runs:
                continue
            values = tuple(run["test"][task.figure] for run in runs)
            means[trial.cell] = statistics.fmean(values)
            options = runs[0]["options"]
            rows.append(
                (
                    trial.cell,
                    means[trial.cell],
                    min(values),
                    max(values),
                    len(values),
                    runs[0]["parameters"],
                    options["rate"],
                    options["steps"],
                )
            )
            results[f"{task.name}, {trial.cell}"] = Quantity(task.unit, values, trial.target)
        if not rows:
            continue
        what = f"test {task.figure}, {task.unit}"
        columns = ("cell", f"{what}, mean", "least", "greatest", "seeds", "parameters", "rate", "updates")
        figures[task.name] = Table(f"{task.name} ({task.papers})", columns, tuple(rows))
        order = sorted(means, key=lambda cell: means[cell], reverse=task.higher)
        words.append(f"{task.name}: " + ", ".join(f"{cell} {means[cell]:.3g}" for cell in order) + f" {task.unit}.")
    return Answer(tuple(words), figures, results)


STUDY = Study(
    summary="Which recurrences carry something over hundreds of steps",
    source="Hochreiter & Schmidhuber 1997 (adding), Arjovsky et al. 2016, arXiv:1511.06464 (copying), Le et al. 2015, "
    "arXiv:1504.00941 (pixels one by one)",
    question="Adding two numbers that were marked among T; saying ten symbols again after T steps; telling a digit "
    "from its pixels, one a step in a shuffled order. Each cell has the hidden size and the number of updates that the "
    "task's recipe gives it, and the rate named in the table, chosen on validation parts; the test part is read once "
    "for each seed.",
    jobs=jobs,
    answer=answer,
)
