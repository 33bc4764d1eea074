"""How forecasts from windows are measured, beside forecasts that need no model, and shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np

    from unrolled.data.windows import Windows
    from unrolled.models.forecaster import Forecaster
    from unrolled.models.forecasting import Forecast

#: Of figures that are not in the series' own unit.
UNITS = {
    **{f"MASE{behind}": "times" for behind in ("", ", persistence", ", seasonal naive", ", seasonal mean")},
    **{f"inside {level}%": "%" for level in (80, 95)},
}
#: Windows side by side where they are only measured.
BATCH = 64


@dataclass(frozen=True)
class HeldOutWindows:
    """A part of a series, and what its figures are measured by.

    windows: those of the part. period: m of the seasonal forecasts, 0 for none. mase: what MASE divides by; there is
    none where that is 0 or NaN, of a training part that repeats itself exactly, or is shorter than a period.
    train: the places of the training part.
    """

    windows: Windows
    period: int
    mase: float
    train: range


class Said(NamedTuple):
    """Windows whose first value ahead lies at `origins` (B,), and what is forecast for them, in the series' units."""

    origins: np.ndarray
    forecast: Forecast


def forecasts(model: Forecaster, windows: Windows, seed: int = 0, paths: int = 100) -> Iterator[Said]:
    """Of every window, by the model on its device and in its dtype. seed, paths: of a recursive forecast."""
    import numpy as np
    import torch

    from unrolled.models import forecasting
    from unrolled.training.window import undisturbed

    weight = next(model.parameters())
    with undisturbed(model):
        for first in range(0, len(windows.origins), BATCH):
            numbers = np.arange(first, min(first + BATCH, len(windows.origins)))
            fields = windows.gather(numbers)
            inputs, phases = (torch.as_tensor(fields[name]).to(weight) for name in ("inputs", "phases"))
            if model.horizon == windows.horizon:
                found = forecasting.direct(model, inputs)
            else:
                found = forecasting.recursive(model, inputs, phases, seed + first, paths)
            yield Said(windows.origins[numbers], forecasting.scaled(found, windows.scale.mean, windows.scale.spread))


def metric(model: Forecaster, part: HeldOutWindows) -> dict[str, float]:
    """CRPS, MASE and RMSE of the model and of forecasts that need none, over all steps ahead of all windows; and how
    much of what came lay inside the intervals."""
    import numpy as np

    from unrolled.data import forecast_scores as scores

    found: dict[str, list[np.ndarray]] = {}

    def add(name: str, values: np.ndarray, asked: np.ndarray) -> None:
        found.setdefault(name, []).append(values[asked])

    for origins, forecast in forecasts(model, part.windows):
        places = origins + np.arange(part.windows.horizon)[:, None]
        y, asked = part.windows.values[places], part.windows.observed[places]
        mean = forecast.mean.numpy()
        if forecast.sd is not None:
            add("CRPS", scores.gaussian_crps(y, mean, forecast.sd.numpy()), asked)
        elif forecast.paths is not None:
            add("CRPS", scores.sample_crps(y, forecast.paths.numpy()), asked)
        add("error", mean - y, asked)
        for level, low in forecast.low.items():
            inside = scores.covered(y, low.numpy(), forecast.high[level].numpy())
            add(f"inside {level:.0%}", 100 * inside, asked)
        for name, simple in simple_forecasts(part, origins).items():
            add(f"error, {name}", simple - y, asked)
    figures = {}
    for name, parts in found.items():
        values = np.concatenate(parts)
        if not name.startswith("error"):
            figures[name] = float(values.mean())
            continue
        behind = name.removeprefix("error")
        if behind:  # of a forecast without a spread, CRPS is the mean absolute error
            figures[f"CRPS{behind}"] = float(np.abs(values).mean())
        if part.mase > 0:
            figures[f"MASE{behind}"] = float(np.abs(values).mean() / part.mase)
        figures[f"RMSE{behind}"] = float(np.sqrt((values**2).mean()))
    return figures


def simple_forecasts(part: HeldOutWindows, origins: np.ndarray) -> dict[str, np.ndarray]:
    """Name → (K, B), what needs no model: the last value; the value one period (or as many as it takes) before; the
    mean of the training part at about that phase of the period."""
    import numpy as np

    values, K = part.windows.values, part.windows.horizon
    ahead = np.arange(K)[:, None]
    found = {"persistence": np.broadcast_to(values[origins - 1], (K, len(origins)))}
    if m := part.period:
        before = origins + ahead - m * (ahead // m + 1)
        if before.min() >= 0:
            found["seasonal naive"] = values[before]
        found["seasonal mean"] = _seasonal_means(part)[(origins + ahead) % m]
    return found


def _seasonal_means(part: HeldOutWindows) -> np.ndarray:
    """(m,), for each phase the mean of what the training part observed within a twenty-fourth of the period of it."""
    import numpy as np

    m, train = part.period, part.train
    places = np.arange(train.start, train.stop)
    kept = part.windows.observed[places]
    phase = places[kept] % m
    sums = np.bincount(phase, part.windows.values[places][kept], m)
    counts = np.bincount(phase, minlength=m)
    reach = np.arange(-(m // 24), m // 24 + 1)
    near = (np.arange(m)[:, None] + reach) % m
    total = counts[near].sum(1)
    overall = sums.sum() / counts.sum()
    return np.where(total > 0, sums[near].sum(1) / np.maximum(total, 1), overall)


def sample(model: Forecaster, assets: Mapping[str, Any], seed: int) -> str:
    """The end of the validation part: what is forecast there, and what came."""
    import numpy as np

    from unrolled.data.windows import Scale, Windows

    example = assets["example"]
    values = np.array(example["values"])
    windows = Windows(
        values,
        np.ones(len(values), bool),
        Scale(assets["mean"], assets["spread"]),
        model.window,
        len(example["times"]),
        assets["period"],
        np.array([model.window]),
        first=example["first"],
    )
    (said,) = forecasts(model, windows, seed)
    level = min(said.forecast.low)
    ends = (said.forecast.low[level][:, 0].tolist(), said.forecast.high[level][:, 0].tolist())
    lines = zip(
        example["times"], said.forecast.mean[:, 0].tolist(), *ends, values[model.window :].tolist(), strict=True
    )
    return "\n".join(
        f"{time}   forecast {mean:.4g} ({low:.4g} to {high:.4g} with {level:.0%})   came {came:.4g}"
        for time, mean, low, high, came in lines
    )
