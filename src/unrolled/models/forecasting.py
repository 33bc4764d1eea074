"""From a forecaster to forecasts in the series' own units: means, intervals, samples, directly or step by step."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from unrolled.models.forecaster import Forecaster

#: Central shares of a forecast's intervals.
LEVELS = (0.8, 0.95)


class Forecast(NamedTuple):
    """mean: (K, B). low, high: level → (K, B). sd: (K, B) where forecasts are normal, else None. paths: (M, K, B), else
    None."""

    mean: Tensor
    low: dict[float, Tensor]
    high: dict[float, Tensor]
    sd: Tensor | None = None
    paths: Tensor | None = None


def direct(model: Forecaster, inputs: Tensor) -> Forecast:
    """All K = `model.horizon` steps at once. In float64 on the CPU, as is a recursive one."""
    mean, sd = (one.double().cpu() for one in model.ahead(inputs))
    ends = {level: sd * 2**0.5 * torch.erfinv(torch.tensor(level, dtype=torch.float64)) for level in LEVELS}
    return Forecast(mean, {k: mean - e for k, e in ends.items()}, {k: mean + e for k, e in ends.items()}, sd)


def recursive(model: Forecaster, inputs: Tensor, phases: Tensor, seed: int, paths: int) -> Forecast:
    """As many steps as there are phases, one after the other. The mean is the path of means; intervals are those of
    `paths` drawn paths.

    seed: of what is drawn.
    """
    K, B = phases.shape[:2]
    generator = torch.Generator(inputs.device).manual_seed(seed)
    noise = torch.randn(K, paths * B, generator=generator, device=inputs.device, dtype=torch.float64)
    drawn = model.recursive(inputs.repeat(1, paths, 1), phases.repeat(1, paths, 1), noise.to(inputs.dtype))
    every = drawn.double().cpu().reshape(K, paths, B).transpose(0, 1)
    low = {level: every.quantile((1 - level) / 2, 0) for level in LEVELS}
    high = {level: every.quantile((1 + level) / 2, 0) for level in LEVELS}
    return Forecast(model.recursive(inputs, phases).double().cpu(), low, high, None, every)


def scaled(forecast: Forecast, mean: float, spread: float) -> Forecast:
    """A forecast of (value − mean)/spread as one of the value."""

    def back(values: Tensor) -> Tensor:
        return values * spread + mean

    low, high = ({level: back(v) for level, v in ends.items()} for ends in (forecast.low, forecast.high))
    sd, paths = forecast.sd, forecast.paths
    return Forecast(
        back(forecast.mean), low, high, None if sd is None else sd * spread, None if paths is None else back(paths)
    )
