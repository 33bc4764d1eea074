"""Runs as a browser hears of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from unrolled.web.history import History, open_plain
from unrolled.web.shelf import Place
from unrolled.web.state import Lab
from unrolled.web.tails import Tail
from unrolled.web.trainings import Child
from unrolled.workshop.folder import RunFolder

#: Points of a small curve; samples of a run, and characters of each.
SMALL = 60
MOST_SAMPLES = 200
LONGEST_SAMPLE = 20_000
#: Seconds in which one list reads logs that are not known yet; what is left is read for the next.
READING = 0.5


def tail_of(lab: Lab, place: Place) -> Tail:
    """The one reader of the run's log."""
    return lab.tails.of(place.run.events_file, state_of(lab, place.run))


def state_of(lab: Lab, run: RunFolder) -> Callable[[History], str]:
    """How the run is, by its log and by who holds its folder."""

    def state(history: History) -> str:
        if lab.trainings.holder(run) is not None:
            return "running"
        if history.finished is not None or (history.step == 0 and run.weights_file.exists()):
            return "finished"
        return "stopped"

    return state


async def list_all(lab: Lab) -> list[dict[str, Any]]:
    """Every run, the newest first; those that are about to begin before them."""
    until = time.monotonic() + READING
    places = await asyncio.to_thread(lab.shelf.places)
    # All in one go beside the loop: a list is asked for every other second.
    facts = await asyncio.to_thread(lambda: [lab.facts.of(place.run) for place in places])
    found = [await _described(lab, place, one, until) for place, one in zip(places, facts, strict=True)]
    known = {place.run.path for place in places}
    begun = [_not_begun(child, lab) for path, child in lab.trainings.children.items() if path not in known]
    return [one for one in begun[::-1] if one is not None] + found


def _not_begun(child: Child, lab: Lab) -> dict[str, Any] | None:
    """A training that has no folder yet, or that failed before it had one."""
    problem = lab.trainings.problem(child.path)
    if not child.recipe or (not child.alive and not problem):
        return None
    name = child.path.name
    state = "starting" if child.alive else "damaged"
    return {**_empty(name, name, 1), "recipe": child.recipe, "state": state, "problem": "" if child.alive else problem}


def _empty(name: str, title: str, folder: int) -> dict[str, Any]:
    return {
        "name": name,
        "title": title,
        "folder": folder,
        "bundled": False,
        "recipe": "",
        "created": "",
        "state": "unread",
        "problem": "",
        "step": 0,
        "steps": None,
        "loss": None,
        "unit": "",
        "per_second": None,
        "seconds_left": None,
        "minutes": None,
        "validated": {},
        "evaluated": {},
        "writes": False,
        "weights": False,
        "curve": {"step": [], "loss": []},
    }


async def describe(lab: Lab, place: Place, until: float) -> dict[str, Any]:
    """One run at a glance."""
    return await _described(lab, place, await asyncio.to_thread(lab.facts.of, place.run), until)


async def _described(lab: Lab, place: Place, facts: dict[str, Any], until: float) -> dict[str, Any]:
    run, tail = place.run, tail_of(lab, place)
    said = {**_empty(place.name, place.title, place.folder), "bundled": place.bundled, **facts}
    if said["state"] == "damaged" or not await tail.catch_up(until):
        return said
    history = tail.history
    last, finished = history.last, history.finished
    problem = "" if tail.state in ("running", "finished") else lab.trainings.problem(run.path) or history.damaged
    return {
        **said,
        "state": tail.state,
        "problem": problem,
        "step": history.step,
        "steps": history.steps,
        "loss": last.get("loss"),
        "per_second": last.get("per_second"),
        "seconds_left": last.get("seconds_left") if tail.state == "running" else None,
        "minutes": finished.get("minutes") if finished else None,
        "validated": history.best,
        "curve": history.curve.small(SMALL),
    }


def samples(run: RunFolder) -> list[dict[str, Any]]:
    """What it wrote on its way, oldest first: MOST_SAMPLES of them at most, evenly, the last among them."""
    files = sorted(run.samples.glob("step-*.txt"))
    every = -(-len(files) // MOST_SAMPLES) or 1
    found = []
    for file in files[::-1][::every][::-1]:
        step = file.stem.removeprefix("step-")
        if step.isdecimal() and (text := _plain_text(file)) is not None:
            found.append({"step": int(step), "text": text})
    return found


def _plain_text(file: Path) -> str | None:
    """The file's beginning; None where it is a link or a pipe, which no run writes."""
    descriptor = open_plain(file)
    if descriptor is None:
        return None
    with open(descriptor, "rb") as opened:
        return opened.read(4 * LONGEST_SAMPLE).decode("utf-8", "replace")[:LONGEST_SAMPLE]
