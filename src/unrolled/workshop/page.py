"""A result as a table for people, beside the TOML that programs read."""

from __future__ import annotations

import statistics

from unrolled.workshop.results import Figure, Result

COLUMNS = ("what", "unit", "median", "least", "most", "mean", "spread", "n", "goal for the mean", "met")


def table(result: Result, summary: str) -> str:
    """The result as a Markdown page."""
    rows = [COLUMNS, ("---",) * len(COLUMNS), *map(_row, result.figures)]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    origin = f"`{result.command}`, commit {result.commit}, {result.date}, on {result.machine}."
    return "\n".join([f"# {result.name}", "", summary, "", *lines, "", origin, ""])


def _row(figure: Figure) -> tuple[str, ...]:
    values = figure.values
    numbers = (statistics.median(values), min(values), max(values), figure.mean, figure.spread)
    met = {None: "", True: "yes", False: "no"}[figure.met]
    return (
        figure.name,
        figure.unit,
        *(f"{number:.4g}" for number in numbers),
        str(len(values)),
        figure.target,
        met,
    )
