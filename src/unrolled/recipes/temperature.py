"""`temperature`: ten years of a city's coldest temperature of the day, the week ahead from the month before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unrolled.recipes import forecast_figures, forecasting
from unrolled.recipes.recipe import Data, Recipe


@dataclass(frozen=True)
class TemperatureOptions(forecasting.ForecastingOptions):
    """Options of temperature."""

    period: float = 365.25
    """Steps after which the series repeats itself more or less: a year of days."""


def data(options: TemperatureOptions, folder: Path, assets: Mapping[str, Any] | None) -> Data:
    return forecasting.data(options, folder, "daily-min-temperatures")


RECIPE = Recipe(
    summary="The coldest temperature of the next seven days in Melbourne, with intervals",
    source="the lecture: forecasts from windows; daily minimum temperatures, Melbourne, 1981 to 1990",
    Options=TemperatureOptions,
    data=data,
    model=forecasting.model,
    metric=forecast_figures.metric,
    settings=forecasting.settings,
    sample=forecast_figures.sample,
    used_by="forecast RUN",
    unit="°C",
    units=forecast_figures.UNITS,
)
