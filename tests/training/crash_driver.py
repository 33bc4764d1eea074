"""Trains the tiny model in processes that are killed on purpose.

    python crash_driver.py            reads jobs, one JSON a line, and forks a process (or several) for each: torch is
                                      imported once; answers with one JSON a line when they are gone
    torchrun … crash_driver.py JOB    is one of the job's processes itself

A job: {"folder": …, "resume": bool, "steps": …, "pace": seconds a batch, "dropout": …, "processes": …,
        "kill_after": seconds, or "fault": {"call": "write|fsync|replace", "number": n, "when": "before|halfway|after"},
        "spoil": {batch number: factor of the loss}, "stop_at": …}
Answers: {"codes": exit codes, negative for a signal, "digest": of the final weights, "losses": […], "seconds": …}.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tiny_training import Tiny, TinySource, digest, loss_times, run, settings

from unrolled.batch import Batch
from unrolled.training.settings import Budget


@dataclass(frozen=True)
class Paced(TinySource):
    """Slow enough that a kill at a random moment hits something."""

    pace: float = 0.0

    def batch(self, number: int) -> Batch:
        time.sleep(self.pace)
        return super().batch(number)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def put_in(fault: dict) -> None:
    """Die before, halfway through, or after the n-th call of os.write, os.fsync or os.replace."""
    real: Callable = getattr(os, fault["call"])
    calls = [0]

    def call(*arguments: object) -> object:
        calls[0] += 1
        if calls[0] != fault["number"]:
            return real(*arguments)
        if fault["when"] == "halfway":
            descriptor, content = arguments
            real(descriptor, bytes(content)[: len(content) // 2])  # type: ignore[arg-type,call-overload]
        elif fault["when"] == "after":
            real(*arguments)
        return die()

    setattr(os, fault["call"], call)


def work(job: dict) -> None:
    """One process of a job; the first writes `answer.json` beside the folder."""
    if "fault" in job and os.environ.get("RANK", "0") == "0":
        put_in(job["fault"])
    source = Paced(
        batch_size=job.get("rows", 4),
        pace=job.get("pace", 0.0),
        spoil={int(number): loss_times(factor) for number, factor in job.get("spoil", {}).items()},
    )
    folder = Path(job["folder"])
    events, model = run(
        folder,
        Tiny(dropout=job.get("dropout", 0.2)),
        source,
        settings(budget=Budget(steps=job.get("steps", 24)), optimiser=job.get("optimiser", "adamw")),
        resume=job.get("resume", False),
        stop_at=job.get("stop_at"),
    )
    if os.environ.get("RANK", "0") == "0":
        losses = [event.loss for event in events if event.KIND == "updated"]
        answer = {"digest": digest(model), "losses": losses, "kinds": [event.KIND for event in events]}
        folder.with_suffix(".answer").write_text(json.dumps(answer))


def fork(job: dict, environment: dict[str, str]) -> int:
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.environ.update(environment)
        work(job)
        code = 0
    except Exception:  # noqa: BLE001 - whatever it is, this process ends here, and says why
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def do(job: dict) -> dict:
    """Fork the job's processes, kill them when it says so, wait for them."""
    answer = Path(job["folder"]).with_suffix(".answer")
    answer.unlink(missing_ok=True)
    count = job.get("processes", 1)
    together = {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    environments = [together | {"RANK": str(rank)} if count > 1 else {} for rank in range(count)]
    began = time.monotonic()
    children = [fork(job, environment) for environment in environments]
    if "kill_after" in job:
        time.sleep(job["kill_after"])
        for child in children:
            os.kill(child, signal.SIGKILL)  # not waited for yet, so still ours if it is gone
    codes = []
    for child in children:
        codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        if codes[0] == -signal.SIGKILL:  # what torchrun does: when one is gone, all go
            for other in children[len(codes) :]:
                os.kill(other, signal.SIGKILL)
    found = json.loads(answer.read_text()) if answer.exists() else {}
    return {"codes": codes, "seconds": time.monotonic() - began, **found}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        work(json.loads(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as scratch:
            run(Path(scratch), asked=settings(budget=Budget(steps=1)))  # torch imports much on its first update
        for line in sys.stdin:
            sys.stdout.write(json.dumps(do(json.loads(line))) + "\n")
            sys.stdout.flush()
