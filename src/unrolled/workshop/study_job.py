"""One job of a study, in a process of its own: `python -m unrolled.workshop.study_job`, which only `study` starts.

The first line of standard input says which job; what comes on standard output is its progress, one JSON line at a
time. Standard input stays open while the study lives: when it ends, so does the job, and leaves the rest for later.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from unrolled.errors import OptionError, RunError
from unrolled.recipes import registry as recipes
from unrolled.recipes.recipe import Options
from unrolled.studies import registry as studies
from unrolled.studies.study import Job, Study
from unrolled.training import durable
from unrolled.training.events import Finished, Interrupted, Planned, Updated
from unrolled.workshop import session
from unrolled.workshop.evaluate import EvaluateRequest, evaluate
from unrolled.workshop.folder import RunFolder
from unrolled.workshop.options import to_plain, with_changes
from unrolled.workshop.study_folder import Circumstances, StudyFolder
from unrolled.workshop.train import ResumeRequest, TrainRequest, resume, train_events

#: Exit code of a job that was asked to stop, and has saved what it had.
STOPPED = 130
#: Seconds between two lines of progress, and for which a job waits for one of the same name that is just dying.
EVERY = 1.0
PATIENCE = 10.0


def main() -> int:
    """Work on the job that standard input names; gives the exit code."""
    said = json.loads(sys.stdin.buffer.readline())
    # Whatever else a job writes goes to standard error: standard output is for progress alone.
    progress = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    threading.Thread(target=_die_with_the_study, daemon=True).start()
    folder, job = StudyFolder(Path(said["folder"])), Job.from_dict(said["job"])
    with _alone(folder.working(job.name)):
        done = work(studies.find(said["study"]), folder, job, said["threads"], progress)
        if done is None:
            return STOPPED
        found, minutes, core_share = done
        # Kept under the job as the study has it, before it took over any options.
        folder.write(
            Job.from_dict(said["asked"]),
            found,
            Circumstances(round(minutes, 4), round(core_share, 4), said["threads"], said["commit"], said["machine"]),
        )
    return 0


def work(
    study: Study, folder: StudyFolder, job: Job, threads: int, progress: TextIO
) -> tuple[dict[str, Any], float, float] | None:
    """Do the job: what it found, its minutes, its share of its cores. None where it was stopped on the way."""
    from unrolled.training.metrics import CoreShare

    started, share = session.process_start(), CoreShare()
    if job.recipe:
        found = train(study, folder, job, threads, progress)
        return None if found is None else (found, found.pop("minutes"), found.pop("core_share"))
    if study.work is None:
        raise OptionError(f"job {job.name} names no recipe, and the study has no work for it: give it one of the two")
    found = study.work(job.options)
    return found, (time.monotonic() - started) / 60, share.share()


def train(study: Study, folder: StudyFolder, job: Job, threads: int, progress: TextIO) -> dict[str, Any] | None:
    """Train as `unrolled train` does, and measure; None where it was stopped on the way.

    What was begun goes on, bit for bit, where the budget is in steps or epochs. One in minutes begins anew, so that
    its minutes are what they say: those that its cores gave it.
    """
    run = RunFolder(folder.trainings / job.name)
    options = _options(job, threads)
    begun = _begun(run, options)
    if not (begun and run.weights_file.exists()):
        if begun and options.minutes is None:
            events = resume(ResumeRequest(str(run.path), cell=options.cell))
        else:
            shutil.rmtree(run.path, ignore_errors=True)
            request = TrainRequest(job.recipe, options, job.name, runs=str(folder.trainings))
            events = train_events(request, started=0.0, clock=lambda: core_time(threads))
        for event in _told(events, progress):
            if isinstance(event, Interrupted):
                return None
    figures = {part: _evaluated(run, part, options.cell) for part in job.parts}
    return {**figures, **_record(run, options), **_measured(study, run, options.cell)}


def core_time(threads: int) -> float:
    """Seconds that this process's cores have given it since it began, each of its `threads` counted as one core.

    A study's minutes are counted by it: how many other jobs a machine runs at the same time changes nothing then.
    """
    return time.process_time() / threads


def _options(job: Job, threads: int) -> Options:
    from unrolled.studies.equal import sized

    recipe = recipes.find(job.recipe)
    options = with_changes(recipe.Options(), {**job.options, "threads": threads})
    if job.parameters:
        # The sizes follow from what the model needs to know of the data, a vocabulary's size for example.
        options = sized(recipe, options, recipe.data(options, Path(), None).assets, job.parameters)
    return replace(options, threads=threads)


def _begun(run: RunFolder, options: Options) -> bool:
    """Whether the folder holds this training, and not one of a job that was another under the same name."""
    if not (run.path / "config.toml").exists():
        return False
    apart = {"threads", "data"}  # which change nothing that is compared, or are written out in full there
    recorded = run.config()["options"]
    return {k: v for k, v in recorded.items() if k not in apart} == {
        k: v for k, v in to_plain(options).items() if k not in apart
    }


def _told(events: Iterator[Any], progress: TextIO) -> Iterator[Any]:
    """The events; every so often, one of them is told to the study."""
    steps, last = None, 0.0
    for event in events:
        if isinstance(event, Planned):
            steps = event.steps
        if isinstance(event, Updated) and time.monotonic() - last >= EVERY:
            last = time.monotonic()
            progress.write(json.dumps({"step": event.step, "steps": steps, "loss": event.loss}) + "\n")
            progress.flush()
        yield event


def _evaluated(run: RunFolder, part: Any, cell: str) -> dict[str, float]:
    (evaluated,) = evaluate(EvaluateRequest(str(run.path), part, cell=cell))
    return evaluated.to_dict()["figures"]


def _record(run: RunFolder, options: Options) -> dict[str, Any]:
    """What the run's events say of it."""
    planned: dict[str, Any] = {}
    finished: dict[str, Any] = {}
    rates: list[float] = []
    for event in run.events():
        match event["event"]:
            case Planned.KIND:
                planned = event
            case Updated.KIND:
                rates.append(event["per_second"])
            case Finished.KIND:
                finished = event
    later = sorted(rates[len(rates) // 2 :])  # the first updates are still slow
    return {
        "options": to_plain(options),
        "parameters": planned["parameters"],
        "steps": finished["step"],
        "per_second": later[len(later) // 2],
        "unit": planned["unit"],
        "minutes": finished["minutes"],
        "core_share": finished["core_share"],
    }


def _measured(study: Study, run: RunFolder, cell: str) -> dict[str, Any]:
    if study.measure is None:
        return {}
    from unrolled.workshop.run import Run

    opened = Run(run, cell)
    return {"measured": study.measure(opened.model, opened.data)}


def _die_with_the_study() -> None:
    """Ends this process when the study's end of standard input is closed, however that came about."""
    # Not through sys.stdin, whose lock Python wants when a job ends by itself.
    while os.read(0, 1024):
        pass
    os._exit(STOPPED)


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Hold `place`. A job of the same name, left by a study that was killed a moment ago, is given time to die."""
    deadline = time.monotonic() + PATIENCE
    with ExitStack() as until_done:
        while True:
            try:
                until_done.enter_context(durable.locked(place))
                break
            except RunError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        yield


if __name__ == "__main__":
    sys.exit(main())
