"""`cells-by-depth`: Elman, LSTM and GRU in one, two and three layers, on the novel and the question of a paper."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from unrolled.figures import Curves, Figure, Series, Table
from unrolled.studies.study import Answer, Extent, Job, Outcome, Quantity, Study

CELLS = ("elman", "lstm", "gru")
DEPTHS = (1, 2, 3)
#: With so many layers the cells' rates are chosen, and compared first.
USUAL_DEPTH = 2
#: Trained parameters of every model, the hidden size being what makes them so many.
PARAMETERS = 750_000
#: Muon's rates that every cell is tried with, each with the seed below and a share of the minutes.
RATES = (0.01, 0.03, 0.06)
TUNING_SEED = 1000
TUNING_SHARE = 0.25
#: Of the n-grams beside them, and what the paper has for that order and for its best network.
ORDER = 20
PAPER = {"20-gram": 1.195, "best network": 1.077}
FIGURE = "state carried"
UNIT = "nats/symbol"
GATED_ARE_LOWER = "lower than elman by"


def jobs(extent: Extent) -> list[Job]:
    """The n-grams; trials of each cell's rate, looked at on the validation part alone; then the runs with their best.

    What the paper claims of the cells is known when those of two layers are finished, with every seed; other depths are
    compared with the first seed alone.
    """
    assert extent.minutes is not None
    made = [Job("n-grams", {"what": "n-grams"}, {"order": ORDER})]
    for cell in CELLS:
        made += [
            Job(
                f"{cell}-rate-{rate:g}",
                {"what": "trial", "cell": cell, "rate": rate},
                {
                    **_common(cell, USUAL_DEPTH),
                    "muon_rate": rate,
                    "seed": TUNING_SEED,
                    "minutes": TUNING_SHARE * extent.minutes,
                },
                recipe="war-and-peace",
                parameters=PARAMETERS,
                parts=("valid",),
            )
            for rate in RATES
        ]
    order = [(cell, USUAL_DEPTH, seed) for cell in CELLS for seed in extent.seeds]
    order += [(cell, depth, extent.seeds[0]) for cell in CELLS for depth in DEPTHS if depth != USUAL_DEPTH]
    made += [
        Job(
            f"{cell}-{depth}-{seed}",
            {"what": "run", "cell": cell, "layers": depth, "seed": seed},
            {**_common(cell, depth), "seed": seed, "minutes": extent.minutes},
            recipe="war-and-peace",
            parameters=PARAMETERS,
            best_of=tuple(f"{cell}-rate-{rate:g}" for rate in RATES),
            takes=("muon_rate",),
        )
        for cell, depth, seed in order
    ]
    return made


def _common(cell: str, depth: int) -> dict[str, Any]:
    return {"cell": cell, "sizes": [1] * depth, "n_gram": 0}


def work(options: Mapping[str, Any]) -> dict[str, Any]:
    """Nats a symbol of n-grams of every order, on the symbols that the networks are measured on."""
    from unrolled.recipes import language, war_and_peace

    asked = war_and_peace.WarAndPeaceOptions(n_gram=options["order"])
    part = war_and_peace.data(asked, Path(), None).held_out["test"]
    return {"losses": language.n_gram_losses(part.baseline, part.ids)}


def answer(outcomes: Sequence[Outcome]) -> Answer:
    """A table of cells and depths, the n-grams by their order, and what follows."""
    runs: dict[tuple[str, int], dict[int, Mapping[str, Any]]] = {}
    n_grams: list[float] = []
    for outcome in outcomes:
        labels = outcome.job.labels
        if labels["what"] == "run":
            runs.setdefault((labels["cell"], labels["layers"]), {})[labels["seed"]] = outcome.found
        elif labels["what"] == "n-grams":
            n_grams = outcome.found["losses"]
    words: list[str] = []
    figures: dict[str, Figure] = {}
    results: dict[str, Quantity] = {}
    if runs:
        figures["cells"] = _table(runs)
        figures["depth"] = _by_depth(runs)
    for (cell, depth), found in sorted(runs.items()):
        results[_name(cell, depth)] = Quantity(UNIT, tuple(_losses(found).values()))
    for depth in (USUAL_DEPTH, *(depth for depth in DEPTHS if depth != USUAL_DEPTH)):
        _compare_cells(runs, depth, words, results)
    _compare_depths(runs, words)
    if n_grams:
        orders = tuple(range(1, len(n_grams) + 1))
        figures["n-grams"] = Curves(
            "n-grams by their order", (Series("test part", orders, tuple(n_grams)),), "order", UNIT
        )
        results[f"{len(n_grams)}-gram"] = Quantity(UNIT, (n_grams[-1],))
        words.append(
            f"n-grams: {n_grams[-1]:.3f} {UNIT} at order {len(n_grams)}, and {min(n_grams):.3f} at order "
            f"{n_grams.index(min(n_grams)) + 1}, their best; the paper has {PAPER['20-gram']} at order {ORDER}, and "
            f"{PAPER['best network']} for its best network."
        )
    return Answer(tuple(words), figures, results)


def _name(cell: str, depth: int) -> str:
    return f"{cell}, {depth} layer{'s' if depth > 1 else ''}"


def _losses(found: Mapping[int, Mapping[str, Any]]) -> dict[int, float]:
    """Seed → the test figure."""
    return {seed: run["test"][FIGURE] for seed, run in sorted(found.items())}


def _table(runs: Mapping[tuple[str, int], Mapping[int, Mapping[str, Any]]]) -> Table:
    rows = []
    for (cell, depth), found in runs.items():
        values = list(_losses(found).values())
        one = next(iter(found.values()))
        rows.append(
            (
                cell,
                depth,
                statistics.fmean(values),
                statistics.pstdev(values),
                len(values),
                one["options"]["sizes"][0],
                one["parameters"],
                one["options"]["muon_rate"],
                round(statistics.fmean(run["steps"] for run in found.values())),
            )
        )
    rows.sort(key=lambda row: row[2])
    columns = ("cell", "layers", f"test {FIGURE}, {UNIT}", "spread", "seeds", "units", "parameters", "rate", "updates")
    return Table("cells and depths, the best first", columns, tuple(rows))


def _means(runs: Mapping[tuple[str, int], Mapping[int, Mapping[str, Any]]], cell: str) -> dict[int, float]:
    """Depth → the loss, mean of the seeds that every depth of the cell has."""
    losses = {depth: _losses(runs[cell, depth]) for depth in DEPTHS if (cell, depth) in runs}
    shared = set.intersection(*map(set, losses.values())) if losses else set()
    return {depth: statistics.fmean(own[seed] for seed in shared) for depth, own in losses.items() if shared}


def _by_depth(runs: Mapping[tuple[str, int], Mapping[int, Mapping[str, Any]]]) -> Curves:
    found = {cell: means for cell in CELLS if (means := _means(runs, cell))}
    series = tuple(Series(cell, tuple(means), tuple(means.values())) for cell, means in found.items())
    return Curves("Loss on the test part, with the seeds that all depths have", series, "layers", UNIT)


def _compare_cells(
    runs: Mapping[tuple[str, int], Mapping[int, Mapping[str, Any]]],
    depth: int,
    words: list[str],
    results: dict[str, Quantity],
) -> None:
    """By how much the gated cells are lower than Elman's, seed by seed."""
    for cell in ("lstm", "gru"):
        ours, theirs = _losses(runs.get((cell, depth), {})), _losses(runs.get(("elman", depth), {}))
        seeds = sorted(ours.keys() & theirs.keys())
        if not seeds:
            continue
        lower = tuple(theirs[seed] - ours[seed] for seed in seeds)
        results[f"{_name(cell, depth)}: {GATED_ARE_LOWER}"] = Quantity(UNIT, lower, "> 0")
        apart = max(statistics.pstdev(ours.values()), statistics.pstdev(theirs.values()))
        known = f"the seeds of one kind are spread by {apart:.3f}" if len(seeds) > 1 else "one seed"
        words.append(
            f"{_name(cell, depth)}: {statistics.fmean(lower):+.3f} {UNIT} below elman of as many layers and parameters "
            f"({', '.join(f'{one:+.3f}' for one in lower)}; {known})."
        )


def _compare_depths(runs: Mapping[tuple[str, int], Mapping[int, Mapping[str, Any]]], words: list[str]) -> None:
    for cell in CELLS:
        means = _means(runs, cell)
        if len(means) > 1:
            best = min(means, key=lambda depth: means[depth])
            listed = ", ".join(f"{means[depth]:.3f} with {depth}" for depth in means)
            words.append(f"{cell} by its layers: {listed}; {best} is best.")


STUDY = Study(
    summary="Elman, LSTM and GRU in one, two and three layers on War and Peace",
    source="Karpathy, Johnson & Fei-Fei 2015, Visualizing and Understanding Recurrent Networks, arXiv:1506.02078",
    question="The paper trains the three cells in one, two and three layers on this novel, split 80/10/10 by position, "
    "and finds gated cells well below the Elman network, and two layers better than one. Here each is taken at the "
    f"hidden size at which the model has most nearly {PARAMETERS:,} trained parameters, and all train for the same "
    f"minutes. Each cell's rate is chosen with {USUAL_DEPTH} layers, among {len(RATES)}, by the loss on the validation "
    "part; then the test part is read, once for each seed. Other depths are run with the first seed alone. n-grams "
    "with modified Kneser–Ney smoothing stand beside.",
    jobs=jobs,
    answer=answer,
    work=work,
    minutes=10.0,
)
