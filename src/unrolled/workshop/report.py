"""`report`: runs of one recipe, seeds apart, as a result that the docs may quote."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from unrolled.errors import OptionError, RunError
from unrolled.recipes import registry
from unrolled.workshop import folder as folders
from unrolled.workshop.folder import RunFolder
from unrolled.workshop.messages import Message, Note
from unrolled.workshop.results import Figure, Peer, Result, write_result

#: A run that had less of its cores than this was disturbed, and its minutes mean nothing; where they were its budget,
#: its figures mean nothing either. Those of a run of so many steps or epochs do not hang on the clock.
LEAST_CORE_SHARE = 0.95
#: Options that runs of one result may differ in.
FREE_OPTIONS = ("seed",)


@dataclass(frozen=True)
class ReportRequest:
    """Put runs of one recipe, alike but for their seeds, into docs/results as one result."""

    names: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN…")]
    """Runs that `evaluate` has measured."""
    to: str = "docs/results"
    """The folder of the results."""
    name: str = ""
    """The result's name; empty is the recipe's."""
    runs: str = ""
    """The folder of the runs; empty is UNROLLED_RUNS, else ./runs."""


def report(request: ReportRequest) -> Iterator[Message]:
    """Check that the runs are whole, undisturbed and alike, and write their result."""
    from unrolled.workshop.options import from_plain

    if not request.names:
        raise OptionError("report: expected one run or more; `unrolled runs` lists them")
    where = folders.runs_folder(request.runs)
    runs = [folders.open_run(name, where) for name in request.names]
    configs = [run.config() for run in runs]
    _check_alike(runs, configs)
    recipe_name = configs[0]["recipe"]
    recipe = registry.find(recipe_name)
    options = from_plain(recipe, configs[0]["options"], str(runs[0].path))
    timed = recipe.settings(options).budget.minutes is not None
    finished = [_finished(run, timed) for run in runs]
    figures = [_evaluated(run) for run in runs]
    bars = recipe.bars(options)
    peers = recipe.peers if options.data in recipe.target_data else ()
    minutes = [one["minutes"] for one in finished]
    seeds = [config["options"]["seed"] for config in configs]
    if len(set(seeds)) != len(seeds):
        raise RunError(f"two of these runs have one seed ({seeds}); each seed counts once")
    result = Result(
        kind="recipe",
        name=recipe_name,
        command=_command(recipe_name, configs[0], seeds),
        figures=tuple(
            Figure(
                name=f"test {name}",
                unit=recipe.units.get(name, recipe.unit),
                values=tuple(one[name] for one in figures),
                target=bars.get(name, ""),
                # Others' figures are in the recipe's unit: beside a figure in another they would say nothing.
                peers=() if name in recipe.units else tuple(Peer(*peer) for peer in peers),
            )
            for name in figures[0]
        ),
        seeds=tuple(seeds),
        minutes=None if None in minutes else round(max(minutes), 2),
        core_share=round(min(one["core_share"] for one in finished), 3),
    )
    path = Path(request.to) / f"{request.name or recipe_name}.toml"
    write_result(path, result)
    for figure in result.figures:
        bar = "" if figure.met is None else f", bar {figure.target}: {'met' if figure.met else 'not met'}"
        yield Note(f"{figure.name}: mean {figure.mean} ± {figure.spread} {figure.unit}{bar}")
    yield Note(f"{path}: written, of {len(runs)} run{'s' if len(runs) > 1 else ''}")


def _finished(run: RunFolder, timed: bool) -> dict[str, Any]:
    """The run's last event; RunError where it is not finished.

    timed: its budget is the clock's. Then it must not have been stopped on the way, nor had too little of its cores.
    One of so many steps or epochs may be stopped: it ends with the same weights, but then its minutes are not known.
    """
    last: dict[str, Any] = {}
    resumed = False
    for event in run.events():
        resumed |= event["event"] == "resumed"
        if resumed and timed:
            raise RunError(f"{run.path}: it was stopped on the way, so its minutes mean nothing; train anew")
        last = event
    if last.get("event") != "finished":
        raise RunError(f"{run.path}: not finished; `unrolled resume {run.name}` first")
    if timed and last["core_share"] < LEAST_CORE_SHARE:
        raise RunError(
            f"{run.path}: it had {last['core_share']:.0%} of its cores, below {LEAST_CORE_SHARE:.0%}: other programs "
            "ran beside it, and its minutes mean nothing; train anew on an idle machine"
        )
    return {**last, "minutes": None} if resumed else last


def _evaluated(run: RunFolder) -> dict[str, float]:
    """What `evaluate` found on the test part, the first time: later looks do not count."""
    for record in run.evaluations():
        if record["part"] == "test":
            return record["figures"]
    raise RunError(f"{run.path}: not measured on its test part yet; `unrolled evaluate {run.name}` first")


def _check_alike(runs: list[RunFolder], configs: list[dict[str, Any]]) -> None:
    first = configs[0]
    for run, config in zip(runs, configs, strict=True):
        for name in ("recipe", "versions"):
            if config[name] != first[name]:
                raise RunError(f"{run.path}: its {name} differ from {runs[0].name}'s; report runs that are alike")
        if config["data"]["digest"] != first["data"]["digest"]:
            raise RunError(f"{run.path}: it learnt other data than {runs[0].name}; report runs that are alike")
        if "from" in config:
            raise RunError(f"{run.path}: it was fine-tuned, so no one command gives it again; train from scratch")
        for name in sorted({*config["options"], *first["options"]} - set(FREE_OPTIONS)):
            if config["options"].get(name) != first["options"].get(name):
                raise RunError(
                    f"{run.path}: --{name.replace('_', '-')} differs from {runs[0].name}'s; "
                    "report runs that differ in their seeds alone"
                )


def _command(recipe_name: str, config: dict[str, Any], seeds: list[int]) -> str:
    """What gives the first of the runs again: the options that are not the recipe's defaults."""
    from unrolled.workshop.options import to_plain
    from unrolled.workshop.results import command_line

    defaults = to_plain(registry.find(recipe_name).Options())
    words = ["unrolled", "train", recipe_name]
    for name, value in config["options"].items():
        if name not in FREE_OPTIONS and value != defaults.get(name):
            words += [f"--{name.replace('_', '-')}", *(map(str, value) if isinstance(value, list) else [str(value)])]
    return f"{command_line(words)} --seed {seeds[0]}"
