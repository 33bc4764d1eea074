"""Training, live in a terminal: figures, a loss curve that grows, and a sample that changes as the model learns."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from unrolled.cli.show import STOPPED, TextPrinter
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
#: Lines of the sample that are shown while it changes.
SAMPLE_LINES = 12


class Dashboard:
    """What the screen holds. `take` reads an event, `draw` makes the picture."""

    def __init__(self) -> None:
        self.began: Began | None = None
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
            case Began():
                self.began = event
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

    def draw(self) -> Group:
        parts: list[Any] = []
        if self.began:
            parts.append(
                Text.assemble((self.began.run, "bold"), f"  {self.began.recipe}  ", (self.began.summary, "dim"))
            )
        parts.append(self._table())
        if self.losses:
            parts.append(Text.assemble("loss ", (sparkline(self.losses, CURVE_WIDTH), "cyan")))
        parts += [Text(warning, style="yellow") for warning in self.warnings[-3:]]
        if self.sampled:
            lines = self.sampled.text.splitlines()[:SAMPLE_LINES]
            title = f"what it writes at step {self.sampled.step}"
            parts.append(Panel(Text("\n".join(lines)), title=title, title_align="left", border_style="dim"))
        return Group(*parts)

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 3))
        updated, planned = self.updated, self.planned
        unit = planned.unit if planned else "items"
        steps = f"{updated.step:,}" if updated else "0"
        if planned:
            steps += f" / {planned.steps:,}"
        left = "timing …" if updated is None or planned is None else duration(updated.seconds_left)
        table.add_row("step", steps, "time left", left)
        if updated:
            table.add_row("loss", f"{self.smoothed:.4f}", f"{unit} a second", f"{updated.per_second:,.0f}")
            table.add_row("rate", f"{updated.rate:.2e}", "gradient norm", f"{updated.gradient_norm:.3f}")
        if self.validated:
            for name, value in self.validated.figures.items():
                best = f"best {self.best.figures[name]:.4f}" if self.best else ""
                table.add_row(name, f"{value:.4f}", "", best)
        return table


def show_live(events: Iterable[Any]) -> int:
    """Show training as it goes, and at the end the sample, where the run is, and what to try next."""
    console = Console()
    dashboard = Dashboard()
    closing: list[Any] = []
    code = 0
    drawn = 0.0
    with Live(console=console, auto_refresh=False) as live:
        for event in events:
            dashboard.take(event)
            if isinstance(event, Interrupted):
                code = STOPPED
            if not isinstance(event, (Began, Event)) or isinstance(event, (Interrupted, Finished)):
                closing.append(event)
            now = time.monotonic()
            if now - drawn >= EVERY or closing:
                live.update(dashboard.draw(), refresh=True)
                drawn = now
    text = TextPrinter()
    for event in closing:
        match event:
            case Finished():
                console.print(f"done in {event.minutes:.1f} minutes", style="green")
            case Interrupted():
                console.print(f"stopped at step {event.step}; everything is saved", style="yellow")
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
