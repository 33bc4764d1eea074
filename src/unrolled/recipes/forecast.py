"""`forecast`: the next values of any series: a table of one's own with a column of times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unrolled.errors import OptionError
from unrolled.recipes import forecast_figures, forecasting
from unrolled.recipes.recipe import Data, Recipe


@dataclass(frozen=True)
class ForecastOptions(forecasting.ForecastingOptions):
    """Options of forecast."""


def data(options: ForecastOptions, folder: Path, assets: Mapping[str, Any] | None) -> Data:
    if not options.data:
        raise OptionError(
            "forecast: --data names the series: a CSV, TSV or Parquet file with a column of times; "
            "`unrolled train temperature` has one of its own"
        )
    return forecasting.data(options, folder, "")


RECIPE = Recipe(
    summary="The next values of a series of your own, with intervals",
    source="the lecture: forecasts from windows",
    Options=ForecastOptions,
    data=data,
    model=forecasting.model,
    metric=forecast_figures.metric,
    settings=forecasting.settings,
    sample=forecast_figures.sample,
    used_by="forecast RUN",
    unit="the series' own",
    units=forecast_figures.UNITS,
)
