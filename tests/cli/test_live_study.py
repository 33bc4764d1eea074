"""What a terminal shows of a study."""

from __future__ import annotations

import io

from rich.console import Console

from unrolled.cli.live_study import SHOWN, Overview, show_study
from unrolled.cli.main import STOPPED
from unrolled.workshop.messages import JobBegan, JobEnded, JobProgress, Note, StudyBegan, StudyStopped


def seen(overview: Overview, width: int = 100) -> str:
    screen = Console(file=io.StringIO(), width=width)
    screen.print(overview.draw())
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


def test_jobs_at_work_and_those_that_ended_have_a_line_each() -> None:
    overview = Overview()
    for message in (
        StudyBegan("toy", "runs/studies/toy", 9, 4),
        JobBegan("a"),
        JobBegan("b"),
        JobBegan("c"),
        JobProgress("a", 1500, None, 0.5),
        JobProgress("b", 7, 2000, 0.25),
        JobEnded("c", "failed", 1.5, {}, "ValueError: \x1b[2Jno"),
        JobProgress("c", 1, 2, 3.0),  # said before it ended, heard after
        JobEnded("b", "done", 0.5, {"loss": 0.125}),
    ):
        overview.take(message)
    lines = [line.split() for line in seen(overview).splitlines()]
    assert lines == [
        ["toy", "5", "of", "9", "jobs", "done,", "1", "failed"],
        ["c", "failed", "1", "min", "30", "s", "ValueError:", "␛[2Jno"],
        ["b", "done", "30", "s", "loss", "0.125"],
        ["a", "at", "work", "1,500", "loss", "0.5000"],
    ]
    narrow = seen(overview, width=40).splitlines()
    assert len(narrow) == 4 and max(map(len, narrow)) <= 40


def test_only_the_last_that_ended_are_shown() -> None:
    overview = Overview()
    overview.take(StudyBegan("toy", "", 50, 0))
    for number in range(20):
        overview.take(JobEnded(f"job-{number}", "done", 0.0, {}))
    lines = seen(overview).splitlines()
    assert lines[0].split()[1:4] == ["20", "of", "50"]
    assert [line.split()[0] for line in lines[1:]] == [f"job-{number}" for number in range(20 - SHOWN, 20)]


def test_a_study_that_was_stopped_says_how_to_go_on(capsys) -> None:
    messages = [StudyBegan("toy", "", 2, 0), JobBegan("a"), JobEnded("a", "stopped", 0.1, {})]
    code = show_study([*messages, StudyStopped(0, 2, "unrolled study toy --jobs 2")])
    out = capsys.readouterr().out
    assert code == STOPPED and "stopped, with 0 of 2 jobs done; go on with:\n  unrolled study toy --jobs 2\n" in out
    assert show_study([*messages, Note("the answer")]) == 0
    assert capsys.readouterr().out.endswith("the answer\n")
