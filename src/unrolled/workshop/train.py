"""`train` and `resume`: from options to a run folder, and on from where it was left."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from unrolled.errors import DataError, OptionError, RunError, did_you_mean
from unrolled.recipes import registry
from unrolled.recipes.recipe import Data, Options, Recipe
from unrolled.training.events import Event, Interrupted, Updated
from unrolled.workshop import folder as folders
from unrolled.workshop import session
from unrolled.workshop.folder import RunFolder
from unrolled.workshop.messages import Began, Message
from unrolled.workshop.options import to_plain, with_changes

if TYPE_CHECKING:
    from unrolled.models.model import Model
    from unrolled.training.processes import Team
    from unrolled.workshop.run import Run

#: The text that is learnt when none is named is Python's own, and the run is called so.
OWN_TEXT = "python"
_FROM_HELP = "Start from the weights of this run (fine-tuning), with its options where none are given."


@dataclass(frozen=True)
class TrainRequest:
    """Train a recipe, or a character model on any text."""

    recipe: tyro.conf.Suppress[str] = "char-lm"
    options: tyro.conf.OmitArgPrefixes[Options] = field(default_factory=Options)
    name: Annotated[
        str, tyro.conf.arg(metavar="NAME", help="The run's name; empty makes one from the recipe or the data.")
    ] = ""
    from_run: Annotated[str, tyro.conf.arg(name="from", metavar="RUN", help=_FROM_HELP)] = ""
    runs: Annotated[str, tyro.conf.arg(help="The folder of the runs; empty is UNROLLED_RUNS, else ./runs.")] = ""


@dataclass(frozen=True)
class ResumeRequest:
    """Go on with a run that was stopped or killed, as if nothing had been."""

    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")] = ""
    """A run's name or folder. Empty: the newest run."""
    cell: str = ""
    """Allow this cell, package.module:Class, which the run names."""
    runs: str = ""
    """The folder of the runs; empty is UNROLLED_RUNS, else ./runs."""
    data: Annotated[str, tyro.conf.arg(metavar="PATH")] = ""
    """Where the run's data is now, if it has moved since: the same, to the byte."""


def train(
    word: str | Path = "",
    /,
    *,
    name: str = "",
    from_run: str = "",
    runs: str = "",
    **options: Any,
) -> Run:
    """Train, and give back the run, opened.

    word: a recipe's name, or a file or folder of text for char-lm; empty is Python's own library.
    options: the recipe's, by their Python names: `minutes=5`, `sizes=(256, 256)`, `cell="gru"`.

    Ctrl-C saves and ends the training; the run that was reached so far is given back.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise OptionError("unrolled.train trains in one process; for several: torchrun … -m unrolled train …")
    recipe_name, data = read_word(str(word))
    if data and "data" in options:
        raise OptionError(f"{word!r} and data= both name what to learn: give one of them")
    recipe = registry.find(recipe_name)
    start = parent_options(from_run, runs, recipe_name, options.get("cell", "")) if from_run else recipe.Options()
    changed = with_changes(start, {**({"data": data} if data else {}), **options})
    request = TrainRequest(recipe_name, changed, name, from_run, runs)
    folder = ""
    for event in train_events(request, started=time.monotonic()):
        if isinstance(event, Began):
            folder = event.folder
    from unrolled.workshop.run import load

    return load(folder, cell=changed.cell)


def train_events(
    request: TrainRequest, started: float | None = None, clock: Callable[[], float] = time.monotonic
) -> Iterator[Event | Message]:
    """Train as asked: `Began`, the loop's events, the final sample, and what to try next.

    clock: what a budget in minutes is counted by. started: what it counts from, by that clock; None, for the clock of
        time.monotonic alone, is the start of the process.
    Under torchrun every process runs this; only the first writes and says anything.
    A run that ends in an error before its first update leaves no folder behind.
    """
    started = session.process_start() if started is None else started
    recipe = registry.find(request.recipe)
    named = {name: _from_anywhere(getattr(request.options, name)) for name in request.options.PATHS}
    options = with_changes(request.options, named)
    with session.team_for(options) as team:
        runs = folders.runs_folder(request.runs)
        new: list[RunFolder] = []
        learnt = False
        try:
            with team.together():
                parent = _parent(request, runs) if request.from_run else None
                if team.first:
                    new.append(folders.create(runs, request.name, suggestion(request)))
            folder = _shared(team, new)
            assets = parent.assets if parent else None
            with team.together():
                # The first process alone reads standard input and fills the cache; the others find both.
                data = _data(recipe, options, folder, assets) if team.first else None
            with team.together():
                data = data or _data(recipe, options, folder, assets)
                model = _new_model(recipe, options, data)
                if parent is not None:
                    from unrolled.workshop.weights import load_weights

                    load_weights(model, parent.model.state_dict(), parent.folder)
                if team.first:
                    _write_configs(folder, request.recipe, options, data, parent)
            work = session.Session(folder, request.recipe, recipe, options, data, model, team)
            for event in session.run(work, started, resuming=False, clock=clock):
                learnt = learnt or isinstance(event, (Updated, Interrupted))
                yield event
        except BaseException:
            if not learnt:
                for made in new:
                    shutil.rmtree(made.path, ignore_errors=True)
            raise


def resume(request: ResumeRequest) -> Iterator[Event | Message]:
    """Go on where a run stopped; the rest is as if it had never been."""
    from unrolled.workshop.run import read_data, read_folder

    started = session.process_start()
    folder = folders.open_run(request.run, folders.runs_folder(request.runs))
    opened = read_folder(folder, request.cell)
    if folder.weights_file.exists():
        raise RunError(
            f"{folder.path}: it is finished, its budget is used up. To go on from its weights: "
            f"unrolled train {opened.recipe_name} --from {shlex.quote(request.run or folder.name)}"
        )
    with session.team_for(opened.options) as team:
        with team.together():
            data = read_data(opened, request.data)
            model = _new_model(opened.recipe, opened.options, data)
        work = session.Session(folder, opened.recipe_name, opened.recipe, opened.options, data, model, team)
        yield from session.run(work, started, resuming=True)


def _from_anywhere(named: str) -> str:
    """`named` as it can be found again from another folder: a path becomes absolute, a name or - stays."""
    return str(Path(named).resolve()) if named not in {"", "-"} and os.path.exists(named) else named


def _data(recipe: Recipe, options: Options, folder: RunFolder, assets: Mapping[str, Any] | None) -> Data:
    """The recipe's data. What is wrong with it is said of what was typed, also where it is only too short."""
    try:
        return recipe.data(options, folder.path, assets)
    except DataError as error:
        place = "standard input" if options.data == "-" else options.data
        # A copy of standard input in a run's folder goes with the folder.
        message = re.sub(rf"{re.escape(str(folder.path))}/[^:,;]+", "standard input", str(error))
        if Path(place).name not in message:
            message = f"{place}: {message}"
        raise DataError(message) from error


def _shared(team: Team, new: list[RunFolder]) -> RunFolder:
    """The folder that the first process made, told to all."""
    return RunFolder(Path(team.share(str(new[0].path.resolve()) if new else "")))


def suggestion(request: TrainRequest) -> str:
    """A run's name, from what it learns."""
    if request.recipe != "char-lm":
        return request.recipe
    if request.options.data == "-":
        return "standard-input"
    return Path(request.options.data).stem if request.options.data else OWN_TEXT


def _parent(request: TrainRequest, runs: Path) -> Run:
    """The run to fine-tune. Its cell is the options': `parent_options` has refused one that nobody typed."""
    from unrolled.workshop.run import Run

    return Run(folders.open_run(request.from_run, runs), request.options.cell)


def _new_model(recipe: Recipe, options: Options, data: Data) -> Model:
    import torch

    torch.manual_seed(options.seed)
    return recipe.model(options, data.assets).to(options.device)


def _write_configs(folder: RunFolder, recipe_name: str, options: Options, data: Data, parent: Run | None) -> None:
    plain = to_plain(options)
    config: dict[str, Any] = {
        "recipe": recipe_name,
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "command": shlex.join(["unrolled", *sys.argv[1:]]) if Path(sys.argv[0]).stem == "unrolled" else "",
        "seed": options.seed,
        "options": plain,
        "data": {"summary": data.summary, "digest": data.digest},
        "versions": folders.versions(),
    }
    if parent is not None:
        config["from"] = str(parent.folder.path.resolve())
    folder.write_model_config(recipe_name, plain, data.assets)
    folder.write_config(config)


def read_word(word: str) -> tuple[str, str]:
    """(recipe, data) that `unrolled train WORD` means; OptionError with the nearest of both."""
    from unrolled.data import named

    known = registry.names()
    if word in known:
        return word, ""
    if word in {"", "-"} or os.path.exists(word) or named.is_known(word):
        return "char-lm", word
    shown = word if len(word) <= 200 else f"{word[:200]}…"
    folder, _, last = word.rpartition("/")
    here = os.listdir(folder or ".") if os.path.isdir(folder or ".") else []
    near = did_you_mean(last, here if folder else [*known, *here, *named.names()])
    raise OptionError(
        f"{shown}: no recipe, no data set, no file and no folder is called so.{near} "
        "`unrolled recipes` lists the recipes, `unrolled data list` the data sets"
    )


def parent_options(from_run: str, runs: str, recipe_name: str, cell: str = "") -> Options:
    """The options of the run that is fine-tuned, without its budget.

    cell: what was asked for here; a parent's cell that is code from elsewhere is refused unless it is that one.
    """
    from unrolled.workshop.run import read_folder

    parent = folders.open_run(from_run, folders.runs_folder(runs))
    opened = read_folder(parent, cell)
    if opened.recipe_name != recipe_name:
        raise OptionError(
            f"--from {from_run}: it is a run of {opened.recipe_name}, and cannot start one of {recipe_name}; "
            f"unrolled train {opened.recipe_name} --from {from_run}"
        )
    return replace(opened.options, steps=None, epochs=None, minutes=None)
