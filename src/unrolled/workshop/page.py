"""A result as a page for people, beside the TOML that programs read."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from unrolled.figures import Table
from unrolled.workshop.renderings.words import cell
from unrolled.workshop.results import Figure, Result

COLUMNS = ("what", "unit", "median", "least", "most", "mean", "spread", "n", "goal for the mean", "met")


def page(result: Result, summary: str, body: Sequence[str] = ()) -> str:
    """The result in Markdown: what it is, the blocks of `body`, every figure, and where it comes from."""
    rows = [_row(figure) for figure in result.figures]
    origin = f"`{result.command}`, commit {result.commit}, {result.date}, on {result.machine}."
    blocks = [f"# {result.name}", summary, *body, markdown(COLUMNS, rows), origin]
    return "\n\n".join(blocks) + "\n"


def table(figure: Table) -> str:
    """A table that a study or a diagnostic made, under its title."""
    rows = [[cell(value) for value in row] for row in figure.rows]
    return f"**{figure.title}**\n\n{markdown(figure.columns, rows)}"


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows of words under their columns."""
    lines = [columns, ("---",) * len(columns), *rows]
    return "\n".join(f"| {' | '.join(word.replace('|', '&#124;') for word in line)} |" for line in lines)


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
