"""Training, live in a terminal: figures, a loss curve that grows, and a sample that changes as the model learns."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from unrolled.cli.main import STOPPED
from unrolled.cli.show import TextPrinter, console, printable, says_how_to_go_on
from unrolled.training.events import (
    Event,
    Finished,
    Interrupted,
    Planned,
    Resumed,
    RolledBack,
    Sampled,
    Skipped,
    Updated,
    Validated,
)
from unrolled.workshop.messages import Began
from unrolled.workshop.renderings.terminal import sparkline

#: Seconds between two drawings: what is drawn takes time from what is learnt.
EVERY = 0.25
CURVE_WIDTH = 60
#: Rows of the sample that are shown while it changes, where the screen is high enough; below the least, none.
SAMPLE_ROWS, LEAST_ROWS = 12, 3
WIDEST = 100
#: Cells of a figure: numbers that grow must not push what stands beside them.
FIGURE_WIDTH = 15


class Dashboard:
    """What the screen holds. `take` reads an event, `draw` makes the picture."""

    def __init__(self) -> None:
        self.planned: Planned | None = None
        self.updated: Updated | None = None
        self.validated: Validated | None = None
        self.best: Validated | None = None
        self.sampled: Sampled | None = None
        self.losses: list[float] = []
        self.smoothed: float | None = None
        self.warnings: list[str] = []

    def take(self, event: Any) -> None:
        match event:
            case Planned():
                self.planned = event
            case Updated():
                self.updated = event
                self.smoothed = event.loss if self.smoothed is None else 0.95 * self.smoothed + 0.05 * event.loss
                self.losses.append(self.smoothed)
            case Validated():
                self.validated = event
                if event.best:
                    self.best = event
            case Sampled():
                self.sampled = event
            case RolledBack():
                self.warnings.append(f"{event.reason}: back to step {event.to_step}, rate × {event.rate_factor:g}")
            case Skipped():
                self.warnings.append(f"step {event.step}: {event.reason}")
            case Resumed():
                self.warnings.append(f"going on from {event.checkpoint}, step {event.step}")

    def draw(self, width: int, height: int) -> Group:
        """The picture for a screen of this size; the sample is as high however long it is, so that nothing jumps."""
        table = self._table()
        curve = sparkline(self.losses, CURVE_WIDTH)
        parts: list[Any] = [table, Text.assemble(("training loss  ", "dim"), (curve, "cyan"), no_wrap=True)]
        warnings = self.warnings[-3:]
        parts += [Text(warning, style="yellow", no_wrap=True, overflow="ellipsis") for warning in warnings]
        # Besides these: the panel's frame, and the row in which the cursor stands.
        rows = min(SAMPLE_ROWS, height - (table.row_count + len(warnings) + 1) - 3)
        if self.sampled and rows >= LEAST_ROWS:
            # One column less than there is: what a person types is echoed there, and must not begin a new row.
            across = min(width - 1, WIDEST)
            title = f"what it writes at step {self.sampled.step:,}"
            sample = Text(printable(self.sampled.text))
            parts.append(
                Panel(sample, title=title, title_align="left", border_style="dim", width=across, height=rows + 2)
            )
        return Group(*parts)

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for number in range(2):
            table.add_column(style="dim", no_wrap=True)
            table.add_column(justify="right", no_wrap=True, min_width=FIGURE_WIDTH - 3 * number)
        updated, planned = self.updated, self.planned
        unit = planned.unit if planned else "items"
        steps = f"{updated.step:,}" if updated else "0"
        if planned:
            steps += f" / {planned.steps:,}"
        left = "timing …" if updated is None or planned is None else duration(updated.seconds_left)
        table.add_row("step", steps, "time left", left)
        if updated:
            table.add_row("training loss", f"{self.smoothed:.4f}", f"{unit} a second", f"{updated.per_second:,.0f}")
            table.add_row("rate", f"{updated.rate:.2e}", "gradient norm", f"{updated.gradient_norm:.3f}")
        if self.validated:
            for name, value in self.validated.figures.items():
                best = f"{self.best.figures[name]:.4f}" if self.best else "—"
                table.add_row(name, f"{value:.4f}", "best", best)
        return table


def show_live(events: Iterable[Any]) -> int:
    """Show training as it goes, and at the end the sample, where the run is, and what to try next."""
    screen = console()
    dashboard = Dashboard()
    closing: list[Any] = []
    drawn = 0.0
    live = Live(console=screen, auto_refresh=False)
    with says_how_to_go_on() as told, ExitStack() as until_done:
        for event in events:
            told(event)
            if isinstance(event, Began):
                # Above what is drawn again and again, and whole: it says what was read, and what was guessed.
                screen.print(
                    Text.assemble((event.run, "bold"), f"  {event.recipe}  ", (printable(event.summary), "dim"))
                )
                continue
            # Not before there is something to show: an error at the start stands alone.
            if not live.is_started:
                until_done.enter_context(live)
            dashboard.take(event)
            if not isinstance(event, Event) or isinstance(event, (Interrupted, Finished)):
                closing.append(event)
                continue
            now = time.monotonic()
            if now - drawn >= EVERY:
                live.update(dashboard.draw(screen.width, screen.height), refresh=True)
                drawn = now
        # The sample comes whole below.
        dashboard.sampled = None
        live.update(dashboard.draw(screen.width, screen.height), refresh=True)
    return _close(closing, screen)


def _close(closing: Iterable[Any], screen: Console) -> int:
    text, code = TextPrinter(), 0
    for event in closing:
        match event:
            case Finished():
                screen.print(f"done in {duration(60 * event.minutes)}\n", style="green", highlight=False)
            case Interrupted():
                screen.print(f"stopped at step {event.step:,}; everything is saved\n", style="yellow", highlight=False)
                code = STOPPED
            case _:
                text.show(event)
    return code


def duration(seconds: float) -> str:
    """ "1 h 05 min", "3 min 20 s", "12 s"."""
    whole = max(0, round(seconds))
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
