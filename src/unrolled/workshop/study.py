"""`study` and `studies`: a question answered by many jobs, which may be stopped at any moment."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from unrolled.errors import OptionError, TrainingError
from unrolled.figures import Table
from unrolled.recipes.recipe import require
from unrolled.studies import registry
from unrolled.studies.study import Answer, Extent, Job, Study
from unrolled.workshop import disk
from unrolled.workshop import folder as folders
from unrolled.workshop.messages import Message, Next, Note, Shown, StudyBegan, StudyStopped
from unrolled.workshop.report import LEAST_CORE_SHARE
from unrolled.workshop.study_folder import Found, StudyFolder

if TYPE_CHECKING:
    from unrolled.workshop.results import Result

#: Below the folder of the runs.
STUDIES = "studies"


@dataclass(frozen=True)
class StudiesRequest:
    """List the studies."""


@dataclass(frozen=True)
class StudyRequest:
    """Answer a question by many runs; stopped, it goes on from there when it is asked again."""

    study: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="STUDY")]
    """A study's name, or your own as package.module:NAME."""
    jobs: int = 1
    """How many jobs at a time; they share the cores evenly."""
    seeds: tuple[int, ...] = ()
    """Each gives a set of runs. None given: the study's own."""
    minutes: Annotated[float | None, tyro.conf.arg(metavar="N")] = None
    """Budget of each training, counted by what its cores give it. Empty: the study's own."""
    name: Annotated[str, tyro.conf.arg(metavar="NAME")] = ""
    """What its folder and its result are called; empty is the study's name."""
    to: str = "docs/results"
    """The folder of the results."""
    runs: str = ""
    """The folder of the runs; empty is UNROLLED_RUNS, else ./runs."""


def studies(request: StudiesRequest) -> Iterator[Message]:
    """A table of all studies."""
    rows = []
    for name, one in registry.all_studies().items():
        jobs = one.jobs(Extent(one.seeds, one.minutes))
        each = "—" if one.minutes is None else f"{one.minutes:g} minutes"
        rows.append((name, one.summary, len(jobs), each))
    columns = ("study", "what it asks", "jobs", "each training")
    yield Shown(Table("answer one: unrolled study STUDY", columns, tuple(rows)))


def study(request: StudyRequest) -> Iterator[Message]:
    """Run the jobs that are not finished yet; then the table, the pictures and the result."""
    from unrolled.training import durable
    from unrolled.workshop.crew import Crew
    from unrolled.workshop.machine import cores
    from unrolled.workshop.results import machine_line, source_commit
    from unrolled.workshop.session import stop_on_signals

    found = registry.find(request.study)
    extent = _extent(found, request)
    name = folders.check_name(request.name or registry.plain_name(request.study))
    folder = StudyFolder((folders.runs_folder(request.runs) / STUDIES / name).resolve())
    jobs = list(found.jobs(extent))
    _check(jobs)
    folder.begin(registry.plain_name(request.study), extent.minutes)
    with durable.locked(folder.path):
        crew = Crew(request.study, folder, request.jobs, max(1, cores() // request.jobs), source_commit, machine_line())
        crew.found = {job.name: done for job in jobs if (done := folder.read(job)) is not None}
        yield StudyBegan(name, str(folder.path), len(jobs), len(crew.found))
        with stop_on_signals() as stop:
            yield from crew.run(jobs, stop)
        if len(crew.found) + len(crew.failed) < len(jobs):
            yield StudyStopped(len(crew.found), len(jobs), shlex.join(_words(request, found)))
            return
        if not crew.found:
            job, error = next(iter(crew.failed.items()))
            raise TrainingError(
                f"{name}: every job failed, the first, {job}, with: {error}; what each said stands in "
                f"{folder.path / 'failed'}"
            )
        finished = [crew.found[job.name] for job in jobs if job.name in crew.found]
        yield from _conclude(request, found, name, finished, crew.failed)


def _extent(study: Study, request: StudyRequest) -> Extent:
    require(request.jobs >= 1, "jobs", request.jobs, "1 or more")
    seeds = request.seeds or study.seeds
    if request.seeds and not study.seeds:
        raise OptionError(f"--seeds {request.seeds}: nothing in {request.study} is random; leave them out")
    require(
        len(set(seeds)) == len(seeds) and min(seeds, default=0) >= 0, "seeds", seeds, "different numbers, 0 or more"
    )
    if request.minutes is None:
        return Extent(seeds, study.minutes)
    require(request.minutes > 0, "minutes", request.minutes, "above 0")
    if study.minutes is None:
        raise OptionError(f"--minutes {request.minutes}: {request.study} trains nothing; leave it out")
    return Extent(seeds, request.minutes)


def _check(jobs: Sequence[Job]) -> None:
    """A study's own mistakes, before any time is spent."""
    seen: set[str] = set()
    for job in jobs:
        folders.check_name(job.name)
        if job.name in seen or not seen.issuperset(job.best_of):
            raise OptionError(f"job {job.name}: its name must be its own, and what it takes from must come before it")
        seen.add(job.name)


def _conclude(
    request: StudyRequest, study: Study, name: str, finished: Sequence[Found], failed: dict[str, str]
) -> Iterator[Message]:
    """Show the answer, and write its result, its page and its pictures."""
    from unrolled.workshop.page import page, table
    from unrolled.workshop.renderings.svg import to_svg
    from unrolled.workshop.results import write_result

    answer = study.answer([one.outcome for one in finished])
    result = _result(request, study, name, answer, finished)
    to = Path(request.to)
    write_result(to / f"{name}.toml", result)
    body = [study.question, f"Source: {study.source}.", *answer.words]
    for title, figure in answer.figures.items():
        yield Shown(figure)
        if isinstance(figure, Table):
            body.append(table(figure))
            continue
        picture = f"{name}-{title}.svg"
        disk.write_whole(to / picture, to_svg(figure).encode())
        body.append(f"![{figure.title}]({picture})")
    remarks = [f"Failed: {job}: {error}" for job, error in failed.items()]
    for what, quantity in answer.results.items():
        if odd := sum(not math.isfinite(value) for value in quantity.values):
            remarks.append(f"{what}: {odd} of {len(quantity.values)} values were not finite, and are left out.")
    if result.core_share is not None and result.core_share < LEAST_CORE_SHARE:
        remarks.append(
            f"Other programs ran at the same time: the least share of its cores that a job had was "
            f"{result.core_share:.0%}. A training's minutes are those that its cores gave it."
        )
    threads = sorted({one.circumstances.threads for one in finished})
    remarks.append(f"Jobs: {len(finished)}. Threads for each: {' or '.join(map(str, threads))}.")
    disk.write_whole(to / f"{name}.md", page(result, study.summary, [*body, *remarks]).encode())
    for word in answer.words:
        yield Note(word)
    for remark in remarks[:-1]:
        yield Note(remark)
    yield Note(f"{to / name}.toml and .md: written")
    trained = [one.outcome.job.name for one in finished if one.outcome.job.recipe]
    if trained:
        runs = shlex.quote(str(folders.runs_folder(request.runs) / STUDIES / name / "trainings" / trained[-1]))
        yield Next((f"unrolled runs show {runs}",))


def _result(request: StudyRequest, study: Study, name: str, answer: Answer, finished: Sequence[Found]) -> Result:
    from unrolled.workshop.results import Figure, Result, command_line

    circumstances = [one.circumstances for one in finished]
    seeds = {one.outcome.job.labels["seed"] for one in finished if "seed" in one.outcome.job.labels}
    return Result(
        kind="study",
        name=name,
        command=command_line(_words(request, study)),
        figures=tuple(
            Figure(what, quantity.unit, finite, quantity.target)
            for what, quantity in answer.results.items()
            if (finite := tuple(value for value in quantity.values if math.isfinite(value)))
        ),
        seeds=tuple(sorted(seeds)),
        minutes=round(max(one.minutes for one in circumstances), 2),
        core_share=round(min(one.core_share for one in circumstances), 3),
        # Sessions may have been days apart: what worked on the jobs is said of all of them.
        commit=", ".join(sorted({one.commit for one in circumstances})),
        machine="; and ".join(sorted({one.machine for one in circumstances})),
    )


def _words(request: StudyRequest, study: Study) -> list[str]:
    """The command that goes on with it, and gives it again."""
    words = ["unrolled", "study", request.study]
    if request.jobs != 1:
        words += ["--jobs", str(request.jobs)]
    if request.seeds and request.seeds != study.seeds:
        words += ["--seeds", *map(str, request.seeds)]
    if request.minutes is not None and request.minutes != study.minutes:
        words += ["--minutes", f"{request.minutes:g}"]
    for flag, value, usual in (("name", request.name, ""), ("to", request.to, StudyRequest.to)):
        if value != usual:
            words += [f"--{flag}", value]
    return words
