"""Run folders as a training leaves them, written by hand: the log is what is looked at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CONFIG = """format = 1
recipe = "hello"
created = "2026-11-26T12:00:00Z"
command = ""
seed = 0

[options]
data = ""
cell = "elman"

[data]
summary = "a word"
digest = "0"

[versions]
unrolled = "0.1.0"
"""


def update(step: int, loss: float | None = None) -> dict[str, Any]:
    return {
        "event": "updated",
        "step": step,
        "loss": 1 / step if loss is None else loss,
        "gradient_norm": 2.0,
        "rate": 0.1,
        "epoch": float(step),
        "per_second": 10.0,
        "seconds_left": 5.0,
        "at": 1.0,
    }


def append(run: Path, *events: dict[str, Any]) -> None:
    with (run / "events.jsonl").open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(event) + "\n" for event in events)


def write_run(run: Path, updates: int, sample: str = "", finished: bool = True) -> Path:
    """A run of so many updates."""
    for part in ("checkpoints", "samples"):
        (run / part).mkdir(parents=True)
    (run / "config.toml").write_text(CONFIG, encoding="utf-8")
    planned = {"event": "planned", "step": 0, "steps": updates, "epochs": 1.0, "unit": "characters"}
    append(run, planned, *(update(step) for step in range(1, updates + 1)))
    append(run, {"event": "validated", "step": updates, "figures": {"loss": 0.5}, "best": True})
    if sample:
        append(run, {"event": "sampled", "step": updates, "text": sample})
        (run / "samples" / f"step-{updates:08d}.txt").write_text(sample, encoding="utf-8")
    if finished:
        append(run, {"event": "finished", "step": updates, "minutes": 0.1, "core_share": 1.0, "digest": "0"})
    return run
