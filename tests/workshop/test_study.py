"""Studies: killed at any moment they go on, jobs that fail cost the others nothing, and the result says it all."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from unrolled.errors import OptionError, RunError, TrainingError
from unrolled.recipes import registry as recipes
from unrolled.studies import registry
from unrolled.studies.study import Extent, Job
from unrolled.workshop import study as studies
from unrolled.workshop import study_job
from unrolled.workshop.folder import RunFolder
from unrolled.workshop.messages import JobEnded, StudyBegan, StudyStopped
from unrolled.workshop.options import to_plain, with_changes
from unrolled.workshop.results import read_result
from unrolled.workshop.study_folder import Circumstances, StudyFolder

KILLS = int(os.environ.get("UNROLLED_STUDY_KILLS", "3"))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the toy study in it, in which the test stands."""
    shutil.copy(Path(__file__).with_name("toy_study.py"), tmp_path / "toy_study.py")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    yield tmp_path
    sys.modules.pop("toy_study", None)


def start(*words: str) -> subprocess.Popen[bytes]:
    code = "import sys\nfrom unrolled.cli.main import main\nsys.exit(main())"
    return subprocess.Popen(
        [sys.executable, "-c", code, "--json", "study", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def said(process: subprocess.Popen[bytes]) -> tuple[int, list[dict], str]:
    out, error = process.communicate(timeout=180)
    return process.returncode, [json.loads(line) for line in out.splitlines()], error.decode()


def figures(file: Path) -> dict[str, tuple[float, ...]]:
    return {figure.name: figure.values for figure in read_result(file).figures}


def found(name: str) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in Path("runs/studies", name, "found").glob("*.json")}


def test_killed_at_any_moment_it_goes_on_and_every_job_counts_once(here: Path) -> None:
    began = time.monotonic()
    code, lines, error = said(start("toy_study:STUDY", "--name", "whole", "--jobs", "2", "--to", "results"))
    seconds = time.monotonic() - began
    assert code == 0, error
    assert [line["state"] for line in lines if line["event"] == "job-ended"] == ["done"] * 3

    draw = random.Random(3)
    kept: dict[str, bytes] = {}
    for _ in range(KILLS):
        process = start("toy_study:STUDY", "--name", "killed", "--jobs", "2", "--to", "results")
        time.sleep(draw.uniform(0.2, 0.9) * seconds)
        process.kill()
        process.communicate()
        # What is finished stays as it is; a job may still be finishing, its study having gone.
        assert kept.items() <= found("killed").items()
        kept = found("killed")
    code, lines, error = said(start("toy_study:STUDY", "--name", "killed", "--jobs", "2", "--to", "results"))
    assert code == 0, error
    assert kept.items() <= found("killed").items()
    assert sum(line["event"] == "job-began" for line in lines) == 3 - lines[0]["done"] <= 3 - len(kept)

    assert figures(Path("results/killed.toml")) == figures(Path("results/whole.toml"))
    assert figures(Path("results/whole.toml"))["square"] == (1.0, 4.0)
    whole, killed = (Path("runs/studies", name, "trainings/training/model.safetensors") for name in ("whole", "killed"))
    assert whole.read_bytes() == killed.read_bytes()
    # A third time there is nothing to do, and the same result.
    code, lines, _ = said(start("toy_study:STUDY", "--name", "killed", "--to", "results"))
    assert code == 0 and lines[0]["done"] == 3 and not any(line["event"].startswith("job") for line in lines)


def test_a_kill_takes_the_jobs_with_it(here: Path) -> None:
    process = start("toy_study:SLOW")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["event"] == "study-began"
    assert json.loads(process.stdout.readline())["event"] == "job-began"
    lock = Path("runs/studies/toy-study/working/slow/.lock")
    deadline = time.monotonic() + 60
    while not (lock.exists() and lock.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    job = int(lock.read_text())
    process.kill()
    process.communicate()
    while Path(f"/proc/{job}").exists() and "Z" not in Path(f"/proc/{job}/stat").read_text().split()[2]:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_ctrl_c_says_how_to_go_on(here: Path) -> None:
    process = start("toy_study:SLOW", "--name", "mine")
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(2)]
    process.send_signal(signal.SIGINT)
    code, rest, error = said(process)
    assert code == 130 and "Traceback" not in error
    assert json.loads(lines[1]) == {"event": "job-began", "job": "slow"}
    assert [line.get("state") for line in rest] == ["stopped", None]
    assert rest[-1] == {
        "event": "study-stopped",
        "done": 0,
        "jobs": 1,
        "command": "unrolled study toy_study:SLOW --name mine",
    }


def run(study: str, **options) -> list:
    return list(studies.study(studies.StudyRequest(f"toy_study:{study}", to="results", **options)))


def test_a_job_that_fails_is_recorded_and_the_others_go_on(here: Path) -> None:
    messages = run("STUDY", seeds=(7, 3), jobs=2)
    ended = {m.job: m for m in messages if isinstance(m, JobEnded)}
    assert {name: one.state for name, one in ended.items()} == {
        "square-7": "failed",
        "square-3": "done",
        "training": "done",
    }
    assert ended["square-7"].error == "ValueError: seven is too many"
    assert "Traceback" in Path("runs/studies/toy-study/failed/square-7.txt").read_text()
    assert ended["square-3"].figures == {"square": 9}
    assert figures(Path("results/toy-study.toml"))["square"] == (9.0,)
    page = Path("results/toy-study.md").read_text()
    for part in (
        "# toy-study\n\nA toy\n\nDo squares grow?\n\nSource: nowhere.\n\n2 jobs answered.\n",
        "| x | square |\n| --- | --- |\n| 3 | 9 |",
        "![squares](toy-study-curve.svg)",
        "Failed: square-7: ValueError: seven is too many",
        "none: 1 of 1 values were not finite, and are left out.",
        "| square | units | 9 | 9 | 9 | 9 | 0 | 1 | > 2 | yes |",
    ):
        assert part in page
    assert Path("results/toy-study-curve.svg").read_text().startswith("<svg")
    result = read_result(Path("results/toy-study.toml"))
    assert result.kind == "study" and result.seeds == (3, 5)
    assert result.command == "unrolled study toy_study:STUDY --jobs 2 --seeds 7 3 --to results"
    record = json.loads(Path("runs/studies/toy-study/found/training.json").read_text())["found"]
    assert record["measured"] == {"letters": "helo"} and record["parameters"] == 40 and record["steps"] == 200
    assert record["test"] == record["valid"] and record["per_second"] > 0
    # AskedError again, only what failed is tried again.
    again = run("STUDY", seeds=(7, 3))
    assert next(m for m in again if isinstance(m, StudyBegan)).done == 2
    assert [m.job for m in again if isinstance(m, JobEnded)] == ["square-7"]


def test_where_all_fail_it_says_so(here: Path) -> None:
    module = pytest.importorskip("toy_study")
    one = module.Study("One", "nowhere", "?", lambda extent: [Job("seven", {}, {"x": 7})], module.answer, module.work)
    module.ONE = one
    with open("toy_study.py", "a", encoding="utf-8") as source:
        source.write('ONE = Study("One", "nowhere", "?", lambda e: [Job("seven", {}, {"x": 7})], answer, work)\n')
    with pytest.raises(TrainingError, match=r"every job failed, the first, seven, with: ValueError: seven is too many"):
        run("ONE")


def test_options_are_taken_from_the_best_of_the_jobs_before(here: Path) -> None:
    chosen = registry.find("toy_study:CHOOSING")
    tries = chosen.jobs(Extent((0,)))[:2]
    folder = StudyFolder(here / "runs" / "studies" / "toy-study")
    folder.begin("toy-study", None)
    for job, loss in zip(tries, (0.5, 0.4), strict=True):
        found = {"valid": {"loss": loss, "other": -loss}, "options": job.options}
        folder.write(job, found, Circumstances(0.1, 1.0, 1, "c", "m"))
    messages = run("CHOOSING", jobs=2)
    states = {m.job: (m.state, m.error) for m in messages if isinstance(m, JobEnded)}
    assert states == {
        "bad": ("failed", "ValueError: seven is too many"),
        "orphan": ("failed", "all 1 jobs that it takes options from have failed"),
        "last": ("done", ""),
    }
    assert figures(Path("results/toy-study.toml")) == {"try-0.001": (0.001,), "try-0.2": (0.2,), "last": (0.2,)}


def test_stopping_asks_every_job_and_keeps_none_at_work(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from contextlib import contextmanager

    from unrolled.workshop import session

    @contextmanager
    def soon():
        asked = iter([False] * 4)
        yield lambda: next(asked, True)

    monkeypatch.setattr(session, "stop_on_signals", soon)
    messages = run("SLOW")
    assert [m.state for m in messages if isinstance(m, JobEnded)] == ["stopped"]
    assert isinstance(messages[-1], StudyStopped) and not Path("results").exists()


def test_what_cannot_be_is_refused(here: Path) -> None:
    for options, message in (
        ({"jobs": 0}, "--jobs 0"),
        ({"seeds": (1, 1)}, "--seeds"),
        ({"minutes": 1.0}, "trains nothing"),
    ):
        with pytest.raises(OptionError, match=message):
            run("STUDY", **options)
    with pytest.raises(RunError, match="run name"):
        run("STUDY", name="../up")
    for name, message in (
        ("toy_study:answer", "must be"),
        ("no_such:STUDY", "not found"),
        ("gradient-flo", "Did you mean"),
    ):
        with pytest.raises(OptionError, match=message):
            registry.find(name)


def test_a_study_begun_with_other_minutes_is_not_mixed_with_these(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path / "s")
    folder.begin("recurrences", 2.0)
    folder.begin("recurrences", 2.0)
    with pytest.raises(RunError, match=r"minutes 2\.0"):
        folder.begin("recurrences", 1.0)
    with pytest.raises(RunError, match="begun as study recurrences"):
        folder.begin("resnet-lesion", 2.0)


def test_what_a_job_found_counts_for_that_job_alone(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path / "s")
    folder.begin("toy", None)
    job = Job("a", {"seed": 1}, {"x": 1, "sizes": (3,)}, best_of=("b",), takes=("rate",))
    assert folder.read(job) is None
    folder.write(job, {"y": 2.5}, Circumstances(1.0, 0.9, 1, "c", "m"))
    read = folder.read(job)
    assert read is not None and read.outcome.found == {"y": 2.5} and read.circumstances.core_share == 0.9
    assert folder.read(Job("a", {"seed": 1}, {"x": 2})) is None
    (folder.path / "found" / "a.json").write_text("{")
    with pytest.raises(RunError, match="done again"):
        folder.read(job)


@pytest.mark.parametrize(("budget", "expected"), [({"steps": 3}, "resumed"), ({"minutes": 3.0}, "anew")])
def test_what_was_begun_goes_on_unless_its_budget_is_in_minutes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, budget: dict, expected: str
) -> None:
    class AskedError(Exception):
        pass

    def asked(how: str):
        def ask(request, **more):
            raise AskedError(how)

        return ask

    monkeypatch.setattr(study_job, "resume", asked("resumed"))
    monkeypatch.setattr(study_job, "train_events", asked("anew"))
    study, folder = registry.find("resnet-lesion"), StudyFolder(tmp_path)
    job = Job("a", {}, budget, recipe="hello")
    with pytest.raises(AskedError, match="anew"):
        study_job.train(study, folder, job, 1, sys.stdout)
    config = {"recipe": "hello", "versions": {}, "data": {"summary": "", "digest": ""}}
    for options, wanted in ((job.options, expected), ({**job.options, "hidden": 9}, "anew")):
        run = RunFolder(folder.trainings / "a")
        run.path.mkdir(parents=True)
        recipe = recipes.find("hello")
        run.write_config({**config, "options": to_plain(with_changes(recipe.Options(), {**options, "threads": 2}))})
        with pytest.raises(AskedError, match=wanted):
            study_job.train(study, folder, job, 1, sys.stdout)
        shutil.rmtree(run.path, ignore_errors=True)


def test_a_job_comes_back_from_plain_data() -> None:
    job = Job("a", {"seed": 1}, {"x": 1}, "hello", 100, ("valid",), ("b", "c"), ("rate",))
    assert Job.from_dict(json.loads(json.dumps(job.to_dict()))) == job


@pytest.mark.parametrize("name", registry.names())
def test_every_study_is_sound(name: str) -> None:
    study = registry.find(name)
    jobs = study.jobs(Extent(study.seeds, study.minutes))
    studies._check(jobs)
    assert jobs and all(bool(job.recipe) or study.work for job in jobs)


def test_minutes_of_a_job_are_those_that_its_cores_gave_it() -> None:
    """Waiting is not counted; work is, and of two threads each counts as one core."""
    before = study_job.core_time(1)
    time.sleep(0.3)
    assert study_job.core_time(1) - before < 0.2
    while time.process_time() < before + 0.4:
        sum(range(1000))
    assert study_job.core_time(1) >= before + 0.4
    assert study_job.core_time(2) == pytest.approx(study_job.core_time(1) / 2, rel=0.05)
