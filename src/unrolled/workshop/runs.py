"""`runs`: list them, show one, compare several."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from unrolled.errors import OptionError, RunError
from unrolled.figures import Curves, Series, Table
from unrolled.recipes import registry
from unrolled.workshop import disk
from unrolled.workshop import folder as folders
from unrolled.workshop.folder import RunFolder
from unrolled.workshop.messages import Message, Note, Shown

#: Losses that are so many times each other stand on a logarithmic axis.
WIDE = 300


@dataclass(frozen=True)
class RunsListRequest:
    """List the runs, the newest first."""

    runs: str = ""
    """The folder of the runs; empty is UNROLLED_RUNS, else ./runs."""


@dataclass(frozen=True)
class RunsShowRequest:
    """Show one run: its options, its curves, its last sample."""

    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")] = ""
    """A run's name or folder. Empty: the newest run."""
    svg: Annotated[str, tyro.conf.arg(metavar="FILE")] = ""
    """Write the curves to this file as well."""
    runs: str = ""
    """The folder of the runs; empty is UNROLLED_RUNS, else ./runs."""


@dataclass(frozen=True)
class RunsCompareRequest:
    """Compare runs: the options that differ, the figures side by side, the curves on one plot."""

    names: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN RUN …")]
    """Two runs or more."""
    svg: Annotated[str, tyro.conf.arg(metavar="FILE")] = ""
    """Write the curves to this file as well."""
    runs: str = ""
    """The folder of the runs; empty is UNROLLED_RUNS, else ./runs."""


@dataclass(frozen=True)
class Summary:
    """What a run's events say, at a glance."""

    state: str
    step: int
    steps: int | None
    loss: float | None
    validated: dict[str, float]
    minutes: float | None
    evaluated: dict[str, float]


def summarise(run: RunFolder) -> Summary:
    """Read the run's events once."""
    state, step, steps, loss, minutes = "started", 0, None, None, None
    best: dict[str, float] = {}
    for event in run.events():
        step = event["step"]
        match event["event"]:
            case "planned":
                steps = event["steps"]
            case "updated":
                state, loss = "training, or killed", event["loss"]
            case "validated" if event["best"]:
                best = event["figures"]
            case "interrupted":
                state = "interrupted"
            case "finished":
                state, minutes = "finished", event["minutes"]
    evaluated = {}
    for record in run.evaluations():
        if record["part"] == "test":
            evaluated = record["figures"]
    return Summary(state, step, steps, loss, best, minutes, evaluated)


def runs_list(request: RunsListRequest) -> Iterator[Message]:
    """A table of all runs."""
    where = folders.runs_folder(request.runs)
    found = folders.all_runs(where)
    if not found:
        yield Note(f"{where}: no runs yet; `unrolled train` makes the first")
        return
    rows, damaged = [], []
    for run in found:
        try:
            config, summary = run.config(), summarise(run)
        except RunError as error:
            rows.append((run.name, "—", "damaged", "—", "—", "—"))
            damaged.append(str(error))
            continue
        rows.append(
            (
                run.name,
                config["recipe"],
                summary.state,
                f"{summary.step}/{summary.steps or '?'}",
                _first(summary.validated),
                _first(summary.evaluated),
            )
        )
    columns = ("run", "recipe", "state", "steps", "validation", "test")
    yield Shown(Table(f"runs in {where}", columns, tuple(rows)))
    for message in damaged:
        yield Note(message)


def runs_show(request: RunsShowRequest) -> Iterator[Message]:
    """Options, figures, curves and the last sample of one run."""
    run = folders.open_run(request.run, folders.runs_folder(request.runs))
    config = run.config()
    summary = summarise(run)
    yield Note(f"{run.path}: {config['recipe']}, {summary.state} at step {summary.step} of {summary.steps or '?'}")
    yield Note(config["data"]["summary"])
    if "from" in config:
        yield Note(f"fine-tuned from {config['from']}")
    rows = tuple((f"--{name.replace('_', '-')}", _value(value)) for name, value in config["options"].items())
    yield Shown(Table(f"options of {run.name}", ("option", "value"), rows))
    for part, figures in (("validation, best", summary.validated), ("test", summary.evaluated)):
        if figures:
            yield Note(f"{part}: {_figures(figures)}")
    if (curves := loss_curves([run])).series:
        yield Shown(curves)
        if request.svg:
            yield _written(curves, request.svg)
    texts = sorted(run.samples.glob("*.txt"))
    if texts:
        yield Note(f"{texts[-1].name}:")
        yield Note(texts[-1].read_text(encoding="utf-8"))


def runs_compare(request: RunsCompareRequest) -> Iterator[Message]:
    """What differs between runs, in options and figures, and their curves."""
    if len(request.names) < 2:
        raise OptionError("runs compare: expected two runs or more; `unrolled runs` lists them")
    where = folders.runs_folder(request.runs)
    runs = [folders.open_run(name, where) for name in request.names]
    configs = [run.config() for run in runs]
    every = [{"recipe": config["recipe"], "from": config.get("from", ""), **config["options"]} for config in configs]
    names = list(dict.fromkeys(name for options in every for name in options))
    rows = []
    for name in names:
        values = [_value(options.get(name, "")) for options in every]
        if len(set(values)) > 1:
            rows.append((name, *values))
    columns = ("", *(run.name for run in runs))
    yield Shown(Table("options that differ", columns, tuple(rows)))
    summaries = [summarise(run) for run in runs]
    figures = [("state", *(one.state for one in summaries)), ("steps", *(str(one.step) for one in summaries))]
    for title, pick in (("validation", "validated"), ("test", "evaluated")):
        for name in dict.fromkeys(key for one in summaries for key in getattr(one, pick)):
            row = [getattr(one, pick).get(name) for one in summaries]
            figures.append((f"{title}: {name}", *("—" if value is None else f"{value:.4f}" for value in row)))
    figures.append(("minutes", *("—" if one.minutes is None else f"{one.minutes:.1f}" for one in summaries)))
    yield Shown(Table("figures", columns, tuple(figures)))
    if (curves := loss_curves(runs)).series:
        yield Shown(curves)
        if request.svg:
            yield _written(curves, request.svg)


def loss_curves(runs: list[RunFolder]) -> Curves:
    """Training loss, smoothed, and the validation loss (the first figure where none is called so), against steps.

    Of several runs, each has a colour, and its validation stands beside its training. What a figure is named after, as
    "loss without memory" is after "loss", is a line to compare with: once for all runs that it is the same for.
    """
    series: list[Series] = []
    compared: dict[tuple[str, float], Series] = {}
    several = len(runs) > 1
    for run in runs:
        training, held_out, first = [], [], ""
        for event in run.events():
            if event["event"] == "updated":
                training.append((float(event["step"]), event["loss"]))
            elif event["event"] == "validated" and event["figures"]:
                figures = event["figures"]
                first = first or ("loss" if "loss" in figures else next(iter(figures)))
                held_out.append((float(event["step"]), figures[first]))
                for name, value in figures.items():
                    if name.startswith(f"{first} "):
                        steps = (0.0, float(event["step"]))
                        compared[name, value] = Series(name, steps, (value, value), beside=first)
        names = ("training, smoothed", f"validation, {first}")
        if several:
            names = (f"{run.name}: training", f"{run.name}: validation")
        if training:
            series.append(_series(names[0], _smoothed(training)[:: max(1, len(training) // 400)]))
        if held_out:
            series.append(_series(names[1], held_out, beside=names[0] if several and training else ""))
    title = ", ".join(run.name for run in runs)
    if several:
        title = f"{title}: loss, smoothed"
    lines = (*series, *compared.values())
    values = [y for line in lines for y in line.y if math.isfinite(y)]
    # Beyond this a curve that falls to almost nothing, or rises without end, is all that could be seen.
    wide = bool(values) and 0 < WIDE * min(values) < max(values)
    return Curves(title, lines, "steps", _loss_label(runs), y_log=wide)


def _smoothed(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """A mean that forgets, over fifty points, or over a twentieth of them where they are few: it lags no further."""
    share = max(1 / 50, min(1.0, 20 / max(len(points), 1)))
    smoothed, found = 0.0, []
    for number, (x, y) in enumerate(points):
        smoothed = y if number == 0 else (1 - share) * smoothed + share * y
        found.append((x, smoothed))
    return found


def _loss_label(runs: list[RunFolder]) -> str:
    """The loss with its unit, where all runs have the same."""
    recipes = [registry.find(name) for name in {run.config()["recipe"] for run in runs} if name in registry.names()]
    units = {recipe.units.get("loss", recipe.unit) for recipe in recipes}
    return f"loss, {units.pop()}" if len(units) == 1 else "loss"


def _series(name: str, points: list[tuple[float, float]], beside: str = "") -> Series:
    return Series(name, tuple(x for x, _ in points), tuple(y for _, y in points), beside)


def _written(curves: Curves, file: str) -> Note:
    from unrolled.workshop.renderings.svg import to_svg

    disk.write_whole(Path(file), to_svg(curves).encode())
    return Note(f"{file}: the curves as SVG")


def _first(figures: dict[str, float]) -> str:
    """The figure that decides which checkpoint is best."""
    return f"{next(iter(figures.values())):.4f}" if figures else "—"


def _figures(figures: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in figures.items()) or "—"


def _value(value: Any) -> str:
    return " ".join(str(part) for part in value) if isinstance(value, list) else str(value)
