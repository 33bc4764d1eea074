"""What the recipes share that forecast a series from windows of it: options, data, model, and how it is measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from unrolled.errors import DataError
from unrolled.recipes import answers, forecast_figures, language
from unrolled.recipes.recipe import CellName, Data, Sizes, require
from unrolled.training.settings import Budget, Settings

if TYPE_CHECKING:
    import numpy as np

    from unrolled.data.series import Series
    from unrolled.data.tables import Table
    from unrolled.data.windows import Windows
    from unrolled.models.forecaster import Forecaster


@dataclass(frozen=True)
class SeriesOptions(answers.AnswerOptions):
    """How a series is read. The data is a table with a column of times: CSV, TSV or Parquet."""

    time: Annotated[str, tyro.conf.arg(metavar="COLUMN")] = ""
    """The column of times. Empty: the one that is called so, or the first that holds dates."""
    separator: str = ""
    """What stands between cells, \\t for a tab. Empty finds it out."""
    encoding: str = "utf-8"
    """How the bytes of the data are to be read."""


@dataclass(frozen=True)
class ForecastingOptions(SeriesOptions):
    """Options of all that forecast. The data is a table with a column of times: CSV, TSV or Parquet."""

    target: Annotated[str, tyro.conf.arg(metavar="COLUMN")] = ""
    """The column to forecast. Empty: the only one of numbers."""
    window: int = 30
    """Values that a forecast is made from, the last ones."""
    horizon: int = 7
    """Steps ahead that are forecast."""
    way: Literal["direct", "recursive"] = "direct"
    """direct: each step ahead has an output. recursive: one step is learnt, and further ones follow from it."""
    network: Literal["rnn", "mlp", "cnn"] = "rnn"
    """What reads the window: a recurrent stack, or to compare with a perceptron or convolutions over it."""
    order: Literal["time", "shuffled"] = "time"
    """shuffled: the values of each window in an order of their own, a control: does order matter at all?"""
    period: float = 0.0
    """Steps after which the series repeats itself more or less; 0: what its step suggests (7 days, 24 hours, …)."""
    split: tuple[float, float, float] = (0.7, 0.1, 0.2)
    """Shares of the series to train on, to validate on and to test on, in the order of time."""
    cell: CellName = "gru"
    sizes: Sizes = (32,)
    batch_size: int = 64
    rate: float = 2e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.window >= 2, "window", self.window, "2 or more")
        require(self.horizon >= 1, "horizon", self.horizon, "1 or more")
        require(self.period == 0 or self.period >= 2, "period", self.period, "0 (by the step) or 2 or more")
        check_split(self.split)
        require(
            self.order == "time" or self.way == "direct",
            "order",
            self.order,
            "time with --way recursive, which goes on from the last value",
        )


def check_split(split: tuple[float, float, float]) -> None:
    """OptionError unless these are three shares of one whole."""
    shares = " ".join(f"{share:g}" for share in split)
    fits = min(split) > 0 and abs(sum(split) - 1) < 1e-6
    require(fits, "split", shares, "three shares above 0 that make 1")


def data(options: ForecastingOptions, folder: Path, default: str) -> Data:
    """The series that `--data` names, or `default`; its windows in three parts, one behind the other in time."""
    from unrolled.data import windows as cutting
    from unrolled.data.examples import Shuffled
    from unrolled.data.forecast_scores import seasonal_scale
    from unrolled.data.series import guess_time

    table = read_one(options.data, default, folder, options)
    series = series_of(table, options.time, options.target)
    period = options.period or usual_period(series)
    values, observed = series.values[:, 0], series.observed[:, 0]
    parts = cutting.cut(len(values), options.split)
    horizon = 1 if options.way == "recursive" else options.horizon
    starts = cutting.checked_origins(series.names[0], parts, options.window, options.horizon)
    train = parts["train"]
    if not observed[train.start : train.stop].any():
        raise DataError(f"{series.names[0]}: nothing was observed in the training part: give another series or --split")
    # From the training part alone, and from what was observed: no later value touches what the model sees.
    scale = cutting.Scale.of(values[train.start : train.stop][observed[train.start : train.stop]])
    shuffled = options.order == "shuffled"

    def windows(origins: np.ndarray, ahead: int) -> Windows:
        return cutting.Windows(values, observed, scale, options.window, ahead, period, origins, shuffled)

    learnt = windows(cutting.origins(train, options.window, horizon), horizon)
    seasonal = round(period)
    mase = seasonal_scale(values[train.start : train.stop], observed[train.start : train.stop], max(1, seasonal))
    # A recursive forecast draws many paths: its windows are measured one behind the other, not one a step.
    stride = options.horizon if options.way == "recursive" else 1
    return Data(
        train=Shuffled(learnt.gather, len(learnt.origins), options.batch_size, options.seed, "values"),
        held_out={
            part: forecast_figures.HeldOutWindows(
                windows(starts[part][::stride], options.horizon), seasonal, mase, train
            )
            for part in ("valid", "test")
        },
        assets={
            "mean": scale.mean,
            "spread": scale.spread,
            "period": period,
            "data": options.data or default,
            "time": options.time or guess_time(table),
            "target": series.names[0],
            "start": series.start,
            "step": list(series.step),
            "example": _example(series, int(starts["valid"][-1]), options.window, options.horizon),
        },
        summary=(
            f"{series.summary}; {len(train):,} to train on, {len(parts['valid']):,} to validate, "
            f"{len(parts['test']):,} to test"
        ),
        digest=series.digest,
    )


def _example(series: Series, origin: int, window: int, horizon: int) -> dict[str, Any]:
    """A window and what came, as plain data: for samples."""
    return {
        "values": series.values[origin - window : origin + horizon, 0].tolist(),
        "first": origin - window,
        "times": [series.time(place) for place in range(origin, origin + horizon)],
    }


def read_one(data: str, default: str, folder: Path, options: SeriesOptions) -> Table:
    """The one table that `data` means, or where it is empty `default`, read as the options say."""
    from unrolled.data.tables import read_table

    found = language.text_files(data, default, folder)
    if len(found) != 1:
        raise DataError(f"{data}: {len(found)} files, where one table was expected: name one of them")
    return read_table(found[0], options.encoding, options.separator)


def series_of(table: Table, time: str, target: str) -> Series:
    """The series of a table: the columns that are named, or the only ones that there are, which its summary says."""
    from dataclasses import replace

    from unrolled.data.series import guess_time, number_columns, read_series

    guessed = [what for what, name in (("times", time), ("values", target)) if not name]
    time = time or guess_time(table)
    if not target:
        others = [name for name in table.columns if name != time]
        # Where there is but one, it is meant; reading it says which of its cells is no number.
        candidates = others if len(others) == 1 else number_columns(table, time)
        if len(candidates) != 1:
            found = (
                f"{len(candidates)} columns of numbers beside {time} ({', '.join(candidates)})"
                if candidates
                else f"no column beside {time} holds numbers throughout ({', '.join(others) or 'there is none'})"
            )
            raise DataError(f"{table.name}: {found}: name the one to forecast with --target")
        target = candidates[0]
    found = read_series(table, time, (target,))
    if not guessed:
        return found
    which = "both columns" if len(guessed) == 2 else f"the column of {guessed[0]}"
    return replace(found, summary=f"{found.summary}; {which} guessed")


def usual_period(series: Series) -> float:
    """What such series usually repeat after, by their step; 0 where that is not known."""
    from unrolled.data.series import USUAL_PERIODS

    return float(USUAL_PERIODS.get(series.step.unit, 0)) if series.step.count == 1 else 0.0


def model(options: ForecastingOptions, assets: Mapping[str, Any]) -> Forecaster:
    """A forecaster of these options."""
    from unrolled.cells import registry
    from unrolled.data.windows import FEATURES
    from unrolled.models.forecaster import Forecaster

    return Forecaster(
        registry.find(options.cell),
        FEATURES,
        options.window,
        options.sizes,
        1 if options.way == "recursive" else options.horizon,
        network=options.network,
        dropout=options.dropout,
        kernel=options.kernel,
    )


def settings(options: ForecastingOptions) -> Settings:
    """Settings of the options."""
    return answers.settings(options, Budget(steps=1000))
