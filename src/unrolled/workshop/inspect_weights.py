"""`inspect weights`: every parameter of a small network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import tyro

from unrolled.workshop import folder as folders
from unrolled.workshop.looking import Files, Reader, show
from unrolled.workshop.messages import Message


@dataclass(frozen=True)
class WeightsRequest(Files):
    """Show every weight of a small network, a table for each matrix."""

    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")] = ""
    """A run's name or folder, as small as one of hello, or `hello`, which is part of the package."""
    cell: str = ""
    """Allow this cell, package.module:Class, which the run names."""
    runs: str = ""
    """The folder of the runs; empty is UNROLLED_RUNS, else ./runs."""


def inspect_weights(request: WeightsRequest) -> Iterator[Message]:
    """U, W, b, V, c: the letters of the equations."""
    from unrolled.diagnostics.numbers import weight_tables
    from unrolled.workshop.inspect import small
    from unrolled.workshop.run import Run

    run = Run(folders.open_run(request.run, folders.runs_folder(request.runs), bundled=True), request.cell)
    yield from show(weight_tables(small(Reader(run))), request)
