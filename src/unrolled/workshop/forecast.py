"""`forecast`: the next values of a series, with intervals, by a run that was trained to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import tyro

from unrolled.errors import DataError, OptionError
from unrolled.figures import Band, Curves, Series, Table
from unrolled.workshop import disk
from unrolled.workshop import folder as folders
from unrolled.workshop.looking import Files, given_text, show
from unrolled.workshop.messages import Message, Note

if TYPE_CHECKING:
    from unrolled.data import series as grids
    from unrolled.models.forecaster import Forecaster
    from unrolled.recipes.forecasting import ForecastingOptions
    from unrolled.workshop.run import Run

#: Characters of standard input that are read.
LONGEST = 100_000_000
#: Paths that are drawn for a recursive forecast's intervals: enough for smooth ones.
PATHS = 2000
#: Windows of the past that the picture shows before the forecast.
SHOWN = 2


@dataclass(frozen=True)
class ForecastRequest(Files):
    """Say what comes next in a series, with intervals, with a run of forecast or temperature."""

    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")] = ""
    """A run of forecast or temperature: its name or folder. Empty: the newest run."""
    file: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="FILE|-")] = ""
    """A table that goes on as what was learnt from; - is standard input. Empty: what the run learnt from."""
    time: Annotated[str, tyro.conf.arg(metavar="COLUMN")] = ""
    """The file's column of times. Empty: the one that is called as in the training."""
    target: Annotated[str, tyro.conf.arg(metavar="COLUMN")] = ""
    """The file's column of values. Empty: the one that is called as in the training."""
    separator: str = ""
    """What stands between the file's cells, \\t for a tab. Empty: as in the training, or found out."""
    encoding: str = ""
    """How the file's bytes are to be read. Empty: as in the training."""
    steps: int = 0
    """How many steps ahead; 0: as many as the run was trained for. More takes a run of --way recursive."""
    seed: int = 0
    """Of the paths that are drawn for the intervals of a recursive forecast."""
    csv: Annotated[str, tyro.conf.arg(metavar="FILE")] = ""
    """Write the forecast to this file, as a table with commas: a row a step, its time, mean and intervals."""
    cell: str = ""
    """Allow this cell, package.module:Class, which the run names."""
    runs: str = ""
    """The folder of the runs; empty is UNROLLED_RUNS, else ./runs."""

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise OptionError(f"--steps {self.steps}: expected 0 (the run's own) or more")


class Ahead(NamedTuple):
    """A forecast from a series' end. times: one a step. low, high: level → one a step."""

    times: tuple[str, ...]
    mean: tuple[float, ...]
    low: dict[float, tuple[float, ...]]
    high: dict[float, tuple[float, ...]]


def forecast(request: ForecastRequest) -> Iterator[Message]:
    """What the series is, the forecast's picture, and the forecast as a table."""
    from unrolled.workshop.run import Run

    run = Run(folders.open_run(request.run, folders.runs_folder(request.runs)), request.cell)
    forecaster_of(run)
    series = read_series(run, request.file, request.time, request.target, request.separator, request.encoding)
    yield Note(series.summary)
    ahead = forecast_from_end(run, series, request.steps, request.seed)
    picture, table = figures_of(run, series, ahead)
    yield from show([picture, table], request)
    if request.csv:
        disk.write_whole(Path(request.csv), _as_csv(table))
        yield Note(f"{request.csv}: {table.title}, as a table")


def forecaster_of(run: Run) -> tuple[Forecaster, ForecastingOptions]:
    """The run's model and options. OptionError where it makes no forecasts from windows."""
    from unrolled.models.forecaster import Forecaster
    from unrolled.recipes.forecasting import ForecastingOptions

    if not (isinstance(run.model, Forecaster) and isinstance(run.options, ForecastingOptions)):
        raise run.unfit("forecasts no series", "forecast or temperature")
    return run.model, run.options


def read_series(
    run: Run, file: str, time: str = "", target: str = "", separator: str = "", encoding: str = ""
) -> grids.Series:
    """The series of a file, of standard input or, where it is empty, the run's own.

    time, target: what its columns are called; separator, encoding: how it is written; empty, as what was learnt from.
    """
    from unrolled.data import series as grids
    from unrolled.data.tables import parse_table
    from unrolled.recipes.forecasting import read_one, series_of

    options = forecaster_of(run)[1]
    options = replace(options, separator=separator or options.separator, encoding=encoding or options.encoding)
    if file == "-":
        table = parse_table(given_text("-", LONGEST, options.encoding), "standard input", options.separator)
    else:
        table = read_one(file, run.assets["data"], run.folder.path, options)
    series = series_of(table, time or run.assets["time"], target or run.assets["target"])
    if list(series.step) != run.assets["step"]:
        raise DataError(
            f"{table.name}: one value {series.step}, where {run.name} learnt from one "
            f"{grids.Step(*run.assets['step'])}: bring the series to that step, or train a run on this one"
        )
    return series


def forecast_from_end(run: Run, series: grids.Series, steps: int, seed: int) -> Ahead:
    """What the run says of the next `steps` values (0: its own horizon). OptionError, DataError where it cannot."""
    import numpy as np

    from unrolled.data.windows import Scale, Windows
    from unrolled.recipes.forecast_figures import forecasts

    (model, options), assets = forecaster_of(run), run.assets
    steps = steps or options.horizon
    if options.way == "direct" and steps > options.horizon:
        raise OptionError(
            f"--steps {steps}: {run.name} was trained to forecast {options.horizon} steps at once; "
            "train with a longer --horizon, or with --way recursive"
        )
    values = series.values[:, 0]
    if len(values) < model.window:
        raise DataError(f"{series.summary}: too few: {run.name} forecasts from the last {model.window} values")
    # How many steps after the first value that was learnt from this series begins: what the phase counts from.
    first = round((series.start - assets["start"]) / series.step.width)
    ahead = max(steps, options.horizon) if options.way == "direct" else steps
    windows = Windows(
        np.concatenate([values, np.zeros(ahead)]),
        np.ones(len(values) + ahead, bool),
        Scale(assets["mean"], assets["spread"]),
        model.window,
        ahead,
        assets["period"],
        np.array([len(values)]),
        options.order == "shuffled",
        first,
    )
    (said,) = forecasts(model, windows, seed, PATHS)
    low, high = (
        {level: tuple(ends[:steps, 0].tolist()) for level, ends in every.items()}
        for every in (said.forecast.low, said.forecast.high)
    )
    times = tuple(series.time(len(values) + k) for k in range(steps))
    return Ahead(times, tuple(said.forecast.mean[:steps, 0].tolist()), low, high)


def figures_of(run: Run, series: grids.Series, ahead: Ahead) -> tuple[Curves, Table]:
    """The forecast as a line with its intervals behind the end of the series, and as a table."""
    name, steps = series.names[0], len(ahead.times)
    levels = sorted(ahead.low)
    columns = [side for level in levels for side in (f"low {level:.0%}", f"high {level:.0%}")]
    ends = [side for level in levels for side in (ahead.low[level], ahead.high[level])]
    rows = tuple(zip(ahead.times, ahead.mean, *ends, strict=True))
    table = Table(f"Forecast of {name}, by {run.name}", (run.assets["time"], name, *columns), rows)

    values = series.values[-SHOWN * forecaster_of(run)[0].window :, 0].tolist()
    last = values[-1]
    known = Series(name, tuple(range(1 - len(values), 1)), tuple(values))
    places = tuple(range(steps + 1))
    line = Series("forecast", places, (last, *ahead.mean))
    bands = tuple(
        Band(f"{level:.0%}", places, (last, *ahead.low[level]), (last, *ahead.high[level]), "forecast")
        for level in reversed(levels)
    )
    named = series.step.count == 1 and series.step.unit
    x_label = f"{f'{named}s' if named else f'steps, one {series.step},'} after {series.time(len(series.values) - 1)}"
    title = f"{name}, and what {run.name} says comes next"
    return Curves(title, (known, line), x_label, name, bands=bands), table


def _as_csv(table: Table) -> bytes:
    """The rows under their columns' names; numbers with as many digits as a float32 has."""
    from unrolled.data.tables import write_row

    rows = [[f"{cell:.9g}" if isinstance(cell, float) else str(cell) for cell in row] for row in table.rows]
    return "".join(f"{write_row(row)}\n" for row in [table.columns, *rows]).encode()
