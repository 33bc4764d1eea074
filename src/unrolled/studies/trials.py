"""What studies share that give cells a number of updates on a task, and compare what they reach."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from unrolled.figures import Figure, Table
from unrolled.studies.study import Answer, Extent, Job, Outcome, Quantity


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


def jobs(tasks: Sequence[Task], extent: Extent) -> list[Job]:
    """One training for each task, cell and seed."""
    return [
        Job(
            f"{task.name}-{trial.cell}-{seed}",
            {"task": task.name, "cell": trial.cell, "seed": seed},
            {**task.options, **trial.options, "cell": trial.cell, "seed": seed},
            recipe=task.recipe,
        )
        for task in tasks
        for trial in task.trials
        for seed in extent.seeds
    ]


def answer(tasks: Sequence[Task], outcomes: Sequence[Outcome]) -> Answer:
    """A table for each task, and who remembers."""
    figures: dict[str, Figure] = {}
    results: dict[str, Quantity] = {}
    words = []
    for task in tasks:
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
