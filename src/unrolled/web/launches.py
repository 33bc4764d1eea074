"""From a form to a process: the command that a person would have typed for it, and the wait until it has begun."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from unrolled.errors import OptionError
from unrolled.recipes import registry
from unrolled.web.fields import Field, FieldError, check, fields_of
from unrolled.web.history import LONGEST_LINE
from unrolled.web.resolving import resolve
from unrolled.web.state import Lab
from unrolled.web.trainings import Child
from unrolled.workshop.folder import RunFolder
from unrolled.workshop.study import StudyRequest
from unrolled.workshop.train import ResumeRequest, TrainRequest, suggestion

#: Actions that take minutes or days, and so have a process of their own that nobody need wait for.
LONG = ("train", "resume", "study")
#: Seconds that whoever asked is kept waiting for a training to begin, and between two looks.
BEGIN = 10.0
LOOK = 0.1
#: Of the usual recipe, where none is named.
USUAL = "char-lm"


def train_fields(recipe: str) -> tuple[Field, ...]:
    """What a training can be told: the recipe's options, the run's name, and whose weights it starts from.

    An empty recipe is the field `recipe` and what all recipes have in common.
    """
    if not recipe:
        choice = Field("recipe", ("recipe",), "choice", str, "What to train.", USUAL, choices=tuple(registry.names()))
        return choice, *fields_of(TrainRequest)
    options = registry.find(recipe).Options
    return fields_of(TrainRequest, TrainRequest(recipe, options()))


async def train(lab: Lab, body: Mapping[str, Any]) -> Child:
    """Start a training: {"recipe", "fields"}. OptionError and the like for what is wrong with them."""
    sent = body.get("fields", {})
    recipe = body.get("recipe") or (sent.get("recipe") if isinstance(sent, Mapping) else None) or USUAL
    if recipe not in registry.names():
        raise FieldError("recipe", f"no recipe is called {str(recipe)[:100]!r}")
    fields = train_fields(recipe)
    if isinstance(sent, Mapping):
        sent = {name: value for name, value in sent.items() if name != "recipe"}
    values = resolve(lab, fields, check(fields, sent))
    options = {f.name: _tuple(values[f.name]) for f in fields if f.path[0] == "options" and f.name in values}
    tunes = bool(values.get("from_run"))
    # What the recipe refuses is said at once. What it takes over from another run, only the process knows.
    made = registry.find(recipe).Options(**({"data": options.get("data", "")} if tunes else options))
    words = _words([field for field in fields if field.name != "name"], values, even_usual=tunes)
    like, name = suggestion(TrainRequest(recipe, made)), values.get("name", "")
    child = await asyncio.to_thread(lab.trainings.start, lab.shelf.home, recipe, name, like, words)
    await _begun(lab, child)
    return child


async def resume(lab: Lab, body: Mapping[str, Any]) -> Child:
    """Go on with a run: {"fields": {"run"}}."""
    fields = fields_of(ResumeRequest)
    name = check(fields, body.get("fields", {})).get("run", "")
    place = lab.shelf.find(name) if name else lab.shelf.places()[0]
    return await resume_run(lab, place.run)


async def resume_run(lab: Lab, run: RunFolder) -> Child:
    """Go on with a run."""
    recipe = run.config()["recipe"]
    child = await asyncio.to_thread(lab.trainings.resume, run, recipe)
    await _begun(lab, child, lambda: lab.trainings.trains(run))
    return child


async def study(lab: Lab, body: Mapping[str, Any]) -> Child:
    """Start a study, or go on with one: {"fields": {"study", …}}. Its results stand beside the runs."""
    fields = fields_of(StudyRequest)
    values = resolve(lab, fields, check(fields, body.get("fields", {})))
    name = values.get("name") or values["study"]
    words = [values["study"], *_words([field for field in fields if field.name != "study"], values)]
    home = lab.shelf.home
    return await asyncio.to_thread(lab.trainings.study, home, name, [*words, f"--to={home / 'results'}"])


async def _begun(lab: Lab, child: Child, trains: Any = None) -> None:
    """Wait until it trains. RunError with its last words where it has ended instead."""
    begun = trains or (child.path / "config.toml").exists
    for _ in range(round(BEGIN / LOOK)):
        await asyncio.sleep(LOOK)
        if begun():
            return
        if not child.alive:
            said, code = lab.trainings.problem(child.path), child.process.returncode
            if said or code:
                lab.trainings.forget(child)
                raise OptionError(said or f"the training has ended with exit code {code}")
            return


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _words(fields: Sequence[Field], values: Mapping[str, Any], even_usual: bool = False) -> list[str]:
    """The fields that were given, as the command takes them. even_usual: also those that are the recipe's defaults."""
    words: list[str] = []
    for field in fields:
        value = values.get(field.name)
        if value is None or value in ("", []) or (value == field.default and not even_usual):
            continue
        flag = "--from" if field.name == "from_run" else field.flag
        if isinstance(value, bool):
            words += [flag if not field.default else f"--no-{flag[2:]}"] * (value != field.default)
        elif field.many:
            words += [flag, *map(str, value)]
        else:
            # One word, so that a value can never be an option.
            words.append(f"{flag}={value}")
    return words


async def lines_of(child: Child) -> AsyncIterator[bytes]:
    """What a study says, line by line, until its process has ended."""
    file = child.words.with_suffix(".jsonl")
    with file.open("rb") as lines:
        rest = b""
        while True:
            ended = not child.alive
            content = await asyncio.to_thread(lines.read, LONGEST_LINE)
            *whole, rest = (rest + content).split(b"\n")
            for line in whole:
                yield line
            if ended and not content:
                return
            if not content:
                await asyncio.sleep(LOOK)
