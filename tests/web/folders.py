"""Run folders for the lab's tests: two small runs that were really trained, and others made from them."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import unrolled
from unrolled.recipes import language

from ..recipes.stand_in import write_text

STEPS = 24
OPTIONS: dict[str, Any] = {
    "sizes": (16,),
    "embedding": 8,
    "batch_size": 4,
    "window": 16,
    "split": (0.8, 0.1, 0.1),
    "dtype": "float32",
    "threads": 1,
    "steps": STEPS,
}
#: What would run if any of it were taken for more than text.
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"
HOSTILE_NAME = "<img src=x onerror=alert(3)>"


def make_runs(place: Path) -> Path:
    """The folder of the runs: `first` (LSTM), `second` (GRU, another rate), one with a hostile name and sample."""
    text = write_text(place / "book.txt")
    runs = place / "runs"
    length, language.SAMPLE_LENGTH = language.SAMPLE_LENGTH, 60
    try:
        unrolled.train(text, name="first", runs=str(runs), cell="lstm", **OPTIONS)
        unrolled.train(text, name="second", runs=str(runs), cell="gru", rate=0.002, **OPTIONS)
    finally:
        language.SAMPLE_LENGTH = length
    hostile = runs / HOSTILE_NAME
    shutil.copytree(runs / "first", hostile)
    for sample in (hostile / "samples").iterdir():
        sample.write_text(HOSTILE, encoding="utf-8")
    # Runs are listed by the time of this file.
    for age, name in enumerate(("first", "second", HOSTILE_NAME)):
        os.utime(runs / name / "config.toml", (1_700_000_000 - age, 1_700_000_000 - age))
    return runs


def events(run: Path) -> list[dict[str, Any]]:
    """What a run has said."""
    return [json.loads(line) for line in (run / "events.jsonl").read_text(encoding="utf-8").splitlines()]


def updated(step: int, loss: float, norm: float = 0.5) -> dict[str, Any]:
    """One update, as a run writes it."""
    return {
        "event": "updated",
        "step": step,
        "loss": loss,
        "gradient_norm": norm,
        "rate": 0.004,
        "epoch": 0.1,
        "per_second": 1000.0,
        "seconds_left": 60.0,
        "at": 1_700_000_000.0 + step,
    }


def planned(steps: int) -> dict[str, Any]:
    """The budget."""
    said = {"steps": steps, "epochs": 1.0, "unit": "characters", "per_second": 1000.0, "parameters": 10, "processes": 1}
    return {"event": "planned", "step": 0, **said, "at": 1_700_000_000.0}


def write(run: Path, *said: dict[str, Any]) -> None:
    """Append to what a run has said, as training does."""
    with (run / "events.jsonl").open("a", encoding="utf-8") as out:
        out.write("".join(json.dumps(event) + "\n" for event in said))


def unfinished(runs: Path, name: str, *said: dict[str, Any]) -> Path:
    """A run that is under way: a copy of `first` without its end, that has said this."""
    run = runs / name
    shutil.copytree(runs / "first", run)
    (run / "events.jsonl").unlink()
    (run / "model.safetensors").unlink()
    for sample in (run / "samples").iterdir():
        sample.unlink()
    write(run, *said)
    os.utime(run / "config.toml", (1_600_000_000, 1_600_000_000))
    return run


@contextmanager
def training(run: Path) -> Iterator[None]:
    """While this lasts, this process holds the lock that says that the run trains."""
    with (run / "checkpoints" / ".lock").open("w") as lock:
        lock.write(str(os.getpid()))
        lock.flush()
        yield
    (run / "checkpoints" / ".lock").unlink()


def decay(steps: int) -> list[dict[str, Any]]:
    """A long training: the loss falls from 4 to 1."""
    return [planned(steps), *(updated(step, 1 + 3 * math.exp(-5 * step / steps)) for step in range(1, steps + 1))]
