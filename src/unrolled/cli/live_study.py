"""A study, live in a terminal: the jobs at work, how far each is, and those that ended last."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from unrolled.cli.live import EVERY, duration
from unrolled.cli.main import STOPPED
from unrolled.cli.show import TextPrinter, console, printable
from unrolled.workshop.messages import JobBegan, JobEnded, JobProgress, StudyBegan, StudyStopped

#: Ended jobs that are shown, the last of them.
SHOWN = 8
_COLOURS = {"done": "green", "failed": "red", "stopped": "yellow"}


class Overview:
    """What the screen holds. `take` reads a message, `draw` makes the picture."""

    def __init__(self) -> None:
        self.began: StudyBegan | None = None
        self.progress: dict[str, JobProgress | None] = {}
        self.ended: list[JobEnded] = []

    def take(self, message: Any) -> None:
        match message:
            case StudyBegan():
                self.began = message
            case JobBegan():
                self.progress[message.job] = None
            # What a job said last may arrive after its end.
            case JobProgress() if message.job in self.progress:
                self.progress[message.job] = message
            case JobEnded():
                self.progress.pop(message.job, None)
                self.ended.append(message)

    def draw(self) -> Group:
        """The picture; one row a job, none longer than a line."""
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis")
        for one in self.ended[-SHOWN:]:
            figures = "  ".join(f"{name} {value:.4g}" for name, value in one.figures.items())
            table.add_row(
                printable(one.job),
                Text(one.state, style=_COLOURS[one.state]),
                duration(60 * one.minutes),
                printable(one.error or figures),
            )
        for job, progress in self.progress.items():
            steps, loss = "", ""
            if progress is not None:
                steps = f"{progress.step:,} / {progress.steps:,}" if progress.steps else f"{progress.step:,}"
                loss = f"loss {progress.loss:.4f}"
            table.add_row(printable(job), Text("at work", style="bold"), steps, loss)
        return Group(self._head(), table)

    def _head(self) -> Text:
        if self.began is None:
            return Text()
        failed = sum(one.state == "failed" for one in self.ended)
        done = self.began.done + sum(one.state == "done" for one in self.ended)
        said = f"  {done} of {self.began.jobs} jobs done" + (f", {failed} failed" if failed else "")
        return Text.assemble((self.began.study, "bold"), said, no_wrap=True, overflow="ellipsis")


def show_study(messages: Iterable[Any]) -> int:
    """Show a study as it goes, and at the end its answer, or how to go on."""
    screen = console()
    overview, text, code = Overview(), TextPrinter(), 0
    drawn = 0.0
    live = Live(console=screen, auto_refresh=False)
    with ExitStack() as until_done:
        for message in messages:
            if isinstance(message, (StudyBegan, JobBegan, JobProgress, JobEnded)):
                if not live.is_started:
                    until_done.enter_context(live)
                overview.take(message)
                now = time.monotonic()
                if now - drawn >= EVERY or not isinstance(message, JobProgress):
                    live.update(overview.draw(), refresh=True)
                    drawn = now
                continue
            until_done.close()
            if isinstance(message, StudyStopped):
                screen.print(f"stopped, with {message.done} of {message.jobs} jobs done; go on with:", style="yellow")
                screen.print(f"  {message.command}", highlight=False, markup=False)
                code = STOPPED
            else:
                text.show(message)
    return code
