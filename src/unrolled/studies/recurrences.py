"""`recurrences`: should one still use a recurrent network, and which? All cells on the same tasks."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from unrolled.figures import Cell, Figure, Table
from unrolled.studies.study import Answer, Extent, Job, Outcome, Quantity, Study

#: What is compared, by family. `memoryless` keeps no state at all: what it reaches needs no recurrence.
FAMILIES = {
    "vanilla": ("elman", "irnn", "indrnn", "leaky", "time-skip"),
    "orthogonal": ("urnn", "exp-rnn"),
    "gated": ("lstm", "gru", "slstm"),
    "linear": ("min-gru", "min-lstm", "lru", "selective"),
    "none": ("memoryless",),
}
CELLS = tuple(cell for cells in FAMILIES.values() for cell in cells)
#: Layers of every model, so that linear recurrences, which are not linear in depth, can do what they are made for.
LAYERS = 2
#: Trained parameters of every model, the hidden size being what makes them so many.
PARAMETERS = 50_000
#: AdamW's rates that every cell is tried with on every task, each with the seed below and a share of the minutes.
RATES = (1e-3, 3e-3, 1e-2)
TUNING_SEED = 1000
TUNING_SHARE = 0.25


@dataclass(frozen=True)
class Task:
    """One task: a recipe with options, and what is compared. figure: of its metric, lower is better.

    forgetful: the figure of the same metric that is reached without any memory, where there is one.
    """

    name: str
    recipe: str
    options: Mapping[str, Any]
    figure: str
    unit: str
    forgetful: str = ""


TASKS = (
    Task("adding", "adding", {"length": 200}, "loss", "squared error", "loss of a constant guess"),
    Task("copy", "copy-memory", {"delay": 200}, "loss", "nats/step", "loss without memory"),
    Task("pixels", "permuted-pixels", {"side": 14}, "loss", "nats/picture"),
    Task(
        "shakespeare",
        "char-lm",
        {
            "data": "tinyshakespeare",
            "embedding": 32,
            "connections": "plain",
            "embedding_dropout": 0.0,
            "dropout": 0.0,
            "batch_size": 32,
            "window": 64,
            "optimiser": "adamw",
            "weight_decay": 0.0,
            "dtype": "float32",
        },
        "state carried",
        "nats/character",
    ),
)


def jobs(extent: Extent) -> list[Job]:
    """For each task and cell: a trial of each rate, looked at on the validation part alone, then the best rate's runs.

    Task by task and cell by cell, so that a table that was stopped has whole rows.
    """
    assert extent.minutes is not None
    made = []
    for task in TASKS:
        for cell in CELLS:
            labels = {"task": task.name, "cell": cell}
            common = {**task.options, "cell": cell, "sizes": [1] * LAYERS}
            trials = [
                Job(
                    f"{task.name}-{cell}-rate-{rate:g}",
                    {**labels, "what": "trial", "rate": rate},
                    {**common, "rate": rate, "seed": TUNING_SEED, "minutes": TUNING_SHARE * extent.minutes},
                    recipe=task.recipe,
                    parameters=PARAMETERS,
                    parts=("valid",),
                )
                for rate in RATES
            ]
            made += trials
            made += [
                Job(
                    f"{task.name}-{cell}-{seed}",
                    {**labels, "what": "run", "seed": seed},
                    {**common, "seed": seed, "minutes": extent.minutes},
                    recipe=task.recipe,
                    parameters=PARAMETERS,
                    best_of=tuple(trial.name for trial in trials),
                    takes=("rate",),
                )
                for seed in extent.seeds
            ]
    return made


@dataclass(frozen=True)
class Standing:
    """One cell on one task. values: the test figure of each seed; mean, spread: of those; rank: from 1."""

    cell: str
    values: tuple[float, ...]
    mean: float
    spread: float
    rate: float
    size: int
    parameters: int
    per_second: float
    unit: str
    rank: int = 0


def standings(task: Task, outcomes: Sequence[Outcome]) -> list[Standing]:
    """Every cell that has a run on the task, the best mean first; NaN behind, and last those with fewer runs than the
    others have: where some have failed, the mean of the rest flatters."""
    found = []
    for cell in CELLS:
        runs = [
            outcome.found
            for outcome in outcomes
            if outcome.job.labels == {**outcome.job.labels, "task": task.name, "cell": cell, "what": "run"}
        ]
        if not runs:
            continue
        values = tuple(run["test"][task.figure] for run in runs)
        first = runs[0]
        found.append(
            Standing(
                cell,
                values,
                statistics.fmean(values),
                statistics.pstdev(values),
                first["options"]["rate"],
                first["options"]["sizes"][0],
                first["parameters"],
                statistics.fmean(run["per_second"] for run in runs),
                first["unit"],
            )
        )
    most = max((len(one.values) for one in found), default=0)
    found.sort(key=lambda one: (len(one.values) < most, math.isnan(one.mean), one.mean))
    return [replace(one, rank=rank) for rank, one in enumerate(found, 1)]


def answer(outcomes: Sequence[Outcome]) -> Answer:
    """A table for each task, one of ranks over all, and what follows."""
    by_task = {task.name: standings(task, outcomes) for task in TASKS}
    figures: dict[str, Figure] = {}
    results: dict[str, Quantity] = {}
    for task in TASKS:
        if found := by_task[task.name]:
            figures[task.name] = _task_table(task, found)
            results |= {f"{task.name}, {one.cell}": Quantity(task.unit, one.values) for one in found}
    if any(by_task.values()):
        figures = {"ranks": _ranks(by_task), **figures}
    return Answer(_words(by_task, outcomes), figures, results)


def _task_table(task: Task, found: Sequence[Standing]) -> Table:
    rows = tuple(
        (
            one.rank,
            one.cell,
            family(one.cell),
            one.mean,
            one.spread,
            len(one.values),
            one.size,
            one.parameters,
            one.rate,
            round(one.per_second),
        )
        for one in found
    )
    columns = ("rank", "cell", "family", f"test {task.figure}, {task.unit}", "spread", "seeds", "units", "parameters")
    return Table(f"{task.name}", (*columns, "rate", f"{found[0].unit} a second"), rows)


def _ranks(by_task: Mapping[str, Sequence[Standing]]) -> Table:
    """Each cell's rank on each task, and the mean of those; a cell that lacks a task stands behind those that don't."""
    tasks = [name for name, found in by_task.items() if found]
    ranks = {name: {one.cell: one.rank for one in by_task[name]} for name in tasks}
    rows: list[tuple[Cell, ...]] = []
    for cell in CELLS:
        own = [ranks[name].get(cell) for name in tasks]
        held = [rank for rank in own if rank is not None]
        if held:
            rows.append((cell, family(cell), *own, round(statistics.fmean(held), 2)))
    rows.sort(key=lambda row: (row.count(None), row[-1]))
    return Table("rank of each cell on each task", ("cell", "family", *tasks, "mean rank"), tuple(rows))


def family(cell: str) -> str:
    """Of FAMILIES."""
    return next(name for name, cells in FAMILIES.items() if cell in cells)


def _words(by_task: Mapping[str, Sequence[Standing]], outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """What the figures say, task by task and over all; nothing that they do not."""
    words = []
    for task in TASKS:
        found = by_task[task.name]
        if len(found) < 2:
            continue
        first, second = found[0], found[1]
        apart = abs(second.mean - first.mean) > first.spread + second.spread
        word = (
            f"{task.name}: {first.cell} is best, {first.mean:.4g} ± {first.spread:.2g} {task.unit}; "
            f"{second.cell} follows with {second.mean:.4g} ± {second.spread:.2g}, "
            f"{'apart by more than' if apart else 'within'} their spreads."
        )
        if floor := _floor(task, found, outcomes):
            what, value = floor
            better = [one.cell for one in found if one.cell != "memoryless" and one.mean < 0.9 * value]
            word += f" Below nine tenths of {what}, {value:.4g}, are {', '.join(better) or 'none'}."
        if fewer := [f"{one.cell} ({len(one.values)})" for one in found if len(one.values) < len(first.values)]:
            word += f" Last, with fewer runs than {len(first.values)}: {', '.join(fewer)}."
        words.append(word)
    ranks = _ranks(by_task).rows if any(by_task.values()) else ()
    whole = [row for row in ranks if None not in row]
    if len(whole) > 1:
        best = [row for row in whole if row[-1] == whole[0][-1]]
        word = f"Over the {len(whole[0]) - 3} tasks, {' and '.join(str(row[0]) for row in best)} "
        word += f"{'has' if len(best) == 1 else 'share'} the best mean rank, {whole[0][-1]}"
        if len(best) < len(whole):
            word += f", and {whole[len(best)][0]} the next, {whole[len(best)][-1]}"
        words.append(f"{word}, of {len(whole)} cells.")
    return tuple(words)


def _floor(task: Task, found: Sequence[Standing], outcomes: Sequence[Outcome]) -> tuple[str, float] | None:
    """What is reached without memory: by arithmetic, or else by the cell that has none."""
    if task.forgetful:
        own = [o.found["test"] for o in outcomes if o.job.labels["task"] == task.name and "test" in o.found]
        if own:
            return f"the {task.forgetful}", own[0][task.forgetful]
    return next(((f"what {one.cell} reaches", one.mean) for one in found if one.cell == "memoryless"), None)


STUDY = Study(
    summary="Which recurrence, if any: all cells at equal parameters, minutes and trials",
    source="the papers of the cells; the tasks are those of adding, copy-memory, permuted-pixels and char-lm",
    question=f"Should one still use a recurrent network, and which? Each cell is taken in {LAYERS} layers, of the "
    f"hidden size at which the model has most nearly {PARAMETERS:,} trained parameters. On each task it is tried with "
    f"{len(RATES)} learning rates, for {TUNING_SHARE:g} of the minutes each; the one with the lowest loss on the "
    "validation part is taken, and only then the test part is read, once for each seed. All train for the same "
    "minutes, so that a cell that computes faster sees more. `memoryless` has no recurrence, to compare with.",
    jobs=jobs,
    answer=answer,
    minutes=2.0,
)
