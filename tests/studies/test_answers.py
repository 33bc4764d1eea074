"""What studies say follows from what their jobs found, and from nothing else."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from unrolled.cells.cell import count_parameters
from unrolled.data.vocabulary import CharacterVocabulary
from unrolled.figures import Curves, Table
from unrolled.recipes import registry as recipes
from unrolled.studies import (
    clipping_cliff,
    gradient_flow,
    long_memory,
    pixel_by_pixel,
    recurrences,
    registry,
    resnet_lesion,
)
from unrolled.studies.equal import sized
from unrolled.studies.study import Extent, Job, Outcome, best
from unrolled.workshop.options import with_changes


def test_studies_are_listed_and_imported_without_torch() -> None:
    code = (
        "import sys; from unrolled.studies import registry; from unrolled.studies.study import Extent\n"
        "for study in registry.all_studies().values(): study.jobs(Extent((0, 1), 2.0))\n"
        "print('torch' in sys.modules, *registry.names())"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert said == [
        "False",
        "attention",
        "cells-by-depth",
        "clipping-cliff",
        "gradient-flow",
        "long-memory",
        "pixel-by-pixel",
        "recurrences",
        "resnet-lesion",
    ]
    assert registry.plain_name("here.my_study:STUDY") == "my-study"


def test_the_best_has_the_lowest_first_figure_and_nan_is_worst() -> None:
    def outcome(name: str, *values: float) -> Outcome:
        return Outcome(Job(name, {}, {}), {"valid": {f"{i}": value for i, value in enumerate(values)}})

    nan = float("nan")
    assert best([outcome("a", 3.0, 0.0), outcome("b", 2.0, 9.0), outcome("c", nan)]).job.name == "b"
    assert best([outcome("c", nan), outcome("a", 3.0)]).job.name == "a"


def runs(task: str, cell: str, values: list[float], rate: float = 0.01, speed: float = 100.0) -> list[Outcome]:
    found = []
    for seed, value in enumerate(values):
        job = Job(f"{task}-{cell}-{seed}", {"task": task, "cell": cell, "what": "run", "seed": seed}, {})
        plain: dict[str, Any] = {
            "test": {"loss": value, "loss of a constant guess": 0.16},
            "options": {"rate": rate, "sizes": [12]},
            "parameters": 50_100,
            "per_second": speed,
            "unit": "sequences",
        }
        found.append(Outcome(job, plain))
    return found


def test_recurrences_tries_every_rate_equally_and_reads_the_test_part_afterwards() -> None:
    jobs = recurrences.jobs(Extent((0, 1, 2), 2.0))
    cells, tasks, rates = recurrences.CELLS, recurrences.TASKS, recurrences.RATES
    assert len(cells) >= 14 and len(tasks) == 4 and len(set(cells)) == len(cells)
    assert len(jobs) == len(cells) * len(tasks) * (len(rates) + 3)
    for job in jobs:
        assert job.parameters == recurrences.PARAMETERS
        if job.labels["what"] == "trial":
            assert job.parts == ("valid",) and job.options["minutes"] == 0.5 and job.options["seed"] == 1000
        else:
            trials = [by for by in jobs if by.name in job.best_of]
            assert [by.options["rate"] for by in trials] == list(rates) and "rate" not in job.options
            assert job.takes == ("rate",) and job.options["minutes"] == 2.0
            assert all({k: by.options.get(k) for k in ("cell",)} == {"cell": job.options["cell"]} for by in trials)
            assert {by.recipe for by in trials} == {job.recipe}


def test_recurrences_ranks_by_the_mean_over_seeds() -> None:
    outcomes = [
        *runs("adding", "lstm", [0.02, 0.04]),
        *runs("adding", "gru", [0.01, 0.03], rate=0.001),
        *runs("adding", "elman", [0.16, 0.17]),
        *runs("pixels", "lstm", [0.5]),
        *runs("pixels", "gru", [0.7]),
        Outcome(
            Job("t", {"task": "adding", "cell": "irnn", "what": "trial", "rate": 0.1}, {}), {"valid": {"loss": 0.0}}
        ),
    ]
    answer = recurrences.answer(outcomes)
    ranks, adding = answer.figures["ranks"], answer.figures["adding"]
    assert isinstance(ranks, Table) and isinstance(adding, Table)
    assert ranks.rows == (
        ("lstm", "gated", 2, 1, 1.5),
        ("gru", "gated", 1, 2, 1.5),
        ("elman", "vanilla", 3, None, 3.0),
    )
    assert adding.rows[0] == (1, "gru", "gated", 0.02, pytest.approx(0.01), 2, 12, 50_100, 0.001, 100)
    assert [row[1] for row in adding.rows] == ["gru", "lstm", "elman"]
    assert answer.results["adding, lstm"].values == (0.02, 0.04)
    assert answer.words[0] == (
        "adding: gru is best, 0.02 ± 0.01 squared error; lstm follows with 0.03 ± 0.01, within their spreads. "
        "Below nine tenths of the loss of a constant guess, 0.16, are gru, lstm."
    )
    assert answer.words[-1] == "Over the 2 tasks, lstm and gru share the best mean rank, 1.5, of 2 cells."


def test_recurrences_puts_a_cell_last_whose_runs_failed() -> None:
    answer = recurrences.answer(
        [*runs("pixels", "irnn", [0.1]), *runs("pixels", "lstm", [0.5, 0.5]), *runs("pixels", "gru", [0.7, 0.7])]
    )
    pixels = answer.figures["pixels"]
    assert isinstance(pixels, Table) and [row[1] for row in pixels.rows] == ["lstm", "gru", "irnn"]
    assert answer.words[0].endswith(" Last, with fewer runs than 2: irnn (1).")
    assert answer.words[-1] == "Over the 1 tasks, lstm has the best mean rank, 1.0, and gru the next, 2.0, of 3 cells."


def test_gradient_flow_says_what_is_left_and_whether_a_bound_is_crossed() -> None:
    outcomes = []
    for job in gradient_flow.jobs(Extent((0, 1))):
        line = job.labels["line"]
        factor = {"elman": 0.5, "leaky": 0.9, "exp-rnn": 1.0}.get(line, 0.8)
        found: dict[str, Any] = {"norms": [factor**k for k in range(gradient_flow.STEPS + 1)], "about": "what"}
        if line in ("elman", "leaky"):
            found |= {"bound": found["norms"], "crossed": 0.25 * job.labels["seed"]}
        if line == "linear":
            found |= {"error": 1e-13, "crossed": 0.0, "lowered": 1.0}
        outcomes.append(Outcome(job, found))
    answer = gradient_flow.answer(outcomes)
    cells = answer.figures["cells"]
    assert isinstance(cells, Curves)
    assert [s.name for s in cells.series][:4] == ["elman", "elman, bound", "leaky", "leaky, bound"]
    assert [s.beside for s in cells.series][:4] == ["", "elman", "", "leaky"]
    assert answer.results["bound crossed, vanilla and leaky"].values == (0.0, 0.25, 0.0, 0.25)
    assert answer.results["leaky, gradient over 100 steps"].values == pytest.approx((0.9**100,) * 2)
    assert "exp-rnn 1," in answer.words[0] and "least far in elman" in answer.words[0]
    table = answer.figures["table"]
    assert isinstance(table, Table) and table.rows[0][:5] == (
        "elman",
        *map(pytest.approx, (0.5**10, 0.5**50, 0.5**100)),
        0.5,
    )


@pytest.mark.parametrize("seed", [0, 1])
def test_the_linear_network_is_its_closed_form_and_attains_its_bound(seed: int) -> None:
    found = gradient_flow.work({"cell": "linear", "seed": seed})
    assert found["error"] < 1e-10 and found["crossed"] == 0 and found["lowered"] == 1


def test_the_cliff_is_what_the_diagnostic_gives() -> None:
    found = clipping_cliff.work({})
    answer = clipping_cliff.answer([Outcome(Job("cliff", {}, {}), found)])
    assert set(answer.figures) == {"surface", "losses"}
    longest = [answer.results[f"longest step, {how}"].values[0] for how in ("not clipped", "clipped")]
    assert longest[0] > 5 * longest[1]
    assert answer.results["last loss, not clipped"].values > answer.results["last loss, clipped"].values


def test_resnet_lesion_takes_means_over_seeds_and_blocks() -> None:
    def lesion(kind: str, seed: int, whole: float, deleted: list[float], **more: Any) -> Outcome:
        job = Job(f"{kind}-{seed}", {"what": "lesion", "kind": kind, "seed": seed}, {}, recipe="residual-depth")
        return Outcome(job, {"measured": {"whole": whole, "deleted": deleted, **more}})

    paths = {"counts": [1, 2, 1], "norms": [2.0, 1.0, 0.0]}
    outcomes = [
        lesion("residual", 0, 30.0, [31.0, 33.0], **paths),
        lesion("residual", 1, 32.0, [33.0, 35.0], **paths),
        lesion("plain", 0, 50.0, [90.0, 80.0]),
        *(
            Outcome(
                Job(f"{kind}-d", {"what": "depth", "kind": kind, "seed": 0}, {}),
                {"layers": [8, 14], "norms": [1.0, last]},
            )
            for kind, last in (("residual", 2.0), ("plain", 50.0))
        ),
    ]
    answer = resnet_lesion.answer(outcomes)
    table = answer.figures["table"]
    assert isinstance(table, Table)
    assert table.rows == (("none", 31.0, 50.0), ("1", 32.0, 90.0), ("2", 34.0, 80.0))
    assert answer.results["residual, error rate after a block is deleted, mean over blocks"].values == (32.0, 34.0)
    assert answer.results["plain, error rate after a block is deleted, worst block"].values == (90.0,)
    # Shares 1/2, 1/2, 0 of lengths 0, 1, 2.
    assert answer.results["mean length of the paths that the gradient takes"].values == (0.5, 0.5)
    assert answer.results["plain, gradient at the first layer, deepest by shallowest"].values == (50.0,)
    assert "without one block, on 85.0 % in the mean over blocks, 80.0 % at best and 90.0 % at worst" in answer.words[1]
    assert set(answer.figures) == {"lesions", "table", "paths", "depth"}


#: What a model must know of each task's data.
ASSETS = {
    "adding": {"length": 200},
    "copy-memory": {"delay": 200},
    "permuted-pixels": {},
    "char-lm": {"vocabulary": CharacterVocabulary.of("".join(map(chr, range(32, 97)))).to_assets()},
}


@pytest.mark.parametrize("task", recurrences.TASKS, ids=lambda task: task.name)
@pytest.mark.parametrize("cell", ["elman", "urnn", "selective", "memoryless"])
def test_every_task_takes_a_cell_of_so_many_parameters(task: recurrences.Task, cell: str) -> None:
    recipe = recipes.find(task.recipe)
    options = with_changes(recipe.Options(), {**task.options, "cell": cell, "sizes": [1, 1], "rate": 0.01})
    options = sized(recipe, options, ASSETS[task.recipe], recurrences.PARAMETERS)
    found = count_parameters(recipe.model(options, ASSETS[task.recipe]))
    assert len(options.sizes) == 2 and abs(found / recurrences.PARAMETERS - 1) < 0.03


def test_long_memory_gives_every_task_its_cells_and_every_job_options_that_its_recipe_takes() -> None:
    jobs = [*long_memory.STUDY.jobs(Extent((0, 1))), *pixel_by_pixel.STUDY.jobs(Extent((0, 1)))]
    for task, least in (("adding-200", 4), ("adding-600", 2), ("copy-200", 3), ("pixels", 5)):
        assert len({job.labels["cell"] for job in jobs if job.labels["task"] == task}) >= least
    for job in jobs:
        options = with_changes(recipes.find(job.recipe).Options(), job.options)
        assert (options.cell, options.seed) == (job.labels["cell"], job.labels["seed"])
        same_task = [by.options["steps"] for by in jobs if by.labels["task"] == job.labels["task"]]
        assert set(same_task) == {job.options["steps"]}  # as many updates for each cell


def test_long_memory_puts_the_best_first_whichever_way_its_figure_goes() -> None:
    def found(task: str, cell: str, figure: str, values: list[float]) -> list[Outcome]:
        return [
            Outcome(
                Job(f"{task}-{cell}-{seed}", {"task": task, "cell": cell, "seed": seed}, {}),
                {"test": {figure: value, "other": 0.0}, "options": {"rate": 0.1, "steps": 7}, "parameters": 9},
            )
            for seed, value in enumerate(values)
        ]

    outcomes = found("adding-200", "elman", "loss", [0.17, 0.15]) + found("adding-200", "gru", "loss", [0.002, 0.004])
    answer = long_memory.STUDY.answer(outcomes)
    assert answer.words == ("adding-200: gru 0.003, elman 0.16 squared error.",)
    table = answer.figures["adding-200"]
    assert isinstance(table, Table)
    assert table.rows[0] == ("gru", pytest.approx(0.003), 0.002, 0.004, 2, 9, 0.1, 7)
    assert answer.results["adding-200, gru"].target == "< 0.01" and not answer.results["adding-200, elman"].target
    assert set(answer.figures) == {"adding-200"}

    outcomes = found("pixels", "lstm", "accuracy", [80.0, 84.0]) + found("pixels", "lru", "accuracy", [90.0, 91.0])
    assert pixel_by_pixel.STUDY.answer(outcomes).words == ("pixels: lru 90.5, lstm 82 %.",)
