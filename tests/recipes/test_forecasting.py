"""The recipes that forecast from windows: figures by hand, nothing known from the future, mistakes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import unrolled
from unrolled.data import forecast_scores as scores
from unrolled.errors import DataError, OptionError
from unrolled.recipes import forecast, forecast_figures, forecasting, temperature
from unrolled.recipes.forecast_figures import simple_forecasts

from .stand_in import write_series


def options(folder: Path, **changes) -> forecast.ForecastOptions:
    file = folder / "series.csv"
    given = {"data": str(file if file.exists() else write_series(file)), "target": "warmth", "window": 12, "horizon": 3}
    return forecast.ForecastOptions(**{**given, "period": 10.0, "sizes": (4,), "batch_size": 8, **changes})


@pytest.mark.parametrize("way", ["direct", "recursive"])
def test_a_model_that_says_what_was_last_has_the_figures_of_persistence(tmp_path: Path, way: str) -> None:
    own = options(tmp_path, way=way)
    data = forecasting.data(own, tmp_path, "")
    part = data.held_out["test"]
    figures = forecast_figures.metric(forecasting.model(own, data.assets), part)
    assert figures["MASE"] == pytest.approx(figures["MASE, persistence"], rel=1e-5)
    assert figures["RMSE"] == pytest.approx(figures["RMSE, persistence"], rel=1e-5)
    assert next(iter(figures)) == "CRPS"
    assert figures["CRPS, persistence"] == pytest.approx(figures["MASE, persistence"] * part.mase)
    steps = 1 if way == "direct" else 3
    assert (np.diff(part.windows.origins) == steps).all() and part.windows.origins[0] == 128


def test_the_figures_by_hand(tmp_path: Path) -> None:
    """Every forecast and every score of the test part, from the table's own numbers."""
    data = forecasting.data(options(tmp_path), tmp_path, "")
    part = data.held_out["test"]
    values, observed = part.windows.values, part.windows.observed
    assert len(values) == 160 and (~observed).sum() == 5 and values[5] == values[4]
    model = forecasting.model(options(tmp_path), data.assets)
    with torch.no_grad():
        model.output.weight.zero_()
        # One training spread more than the last, give or take 0.5 of it.
        model.output.bias.copy_(torch.tensor([1.0] * 3 + [-0.4327521] * 3))
    spread = values[:112][observed[:112]].std()
    errors, crps, inside, naive, season = [], [], [], [], []
    for origin in range(128, 158):
        for place in range(origin, origin + 3):
            if observed[place]:
                said, came = values[origin - 1] + spread, values[place]
                errors.append(said - came)
                crps.append(float(scores.gaussian_crps(np.array(came), np.array(said), np.array(spread * 0.5))))
                inside.append(abs(said - came) <= 1.2815516 * spread * 0.5)
                naive.append(values[place - 10] - came)
                phase = [values[t] for t in range(112) if observed[t] and t % 10 == place % 10]
                season.append(np.mean(phase) - came)
    figures = forecast_figures.metric(model, part)
    both = [abs(values[t] - values[t - 10]) for t in range(10, 112) if observed[t] and observed[t - 10]]
    mase = np.mean(both)
    assert figures["RMSE"] == pytest.approx(np.sqrt(np.mean(np.square(errors))), rel=1e-4)
    assert figures["MASE"] == pytest.approx(np.mean(np.abs(errors)) / mase, rel=1e-4)
    assert figures["CRPS"] == pytest.approx(np.mean(crps), rel=1e-3)
    assert figures["inside 80%"] == pytest.approx(100 * np.mean(inside), abs=1.2)
    assert figures["MASE, seasonal naive"] == pytest.approx(np.mean(np.abs(naive)) / mase)
    assert figures["CRPS, seasonal mean"] == pytest.approx(np.mean(np.abs(season)))


def test_a_seasonal_forecast_farther_than_a_period_goes_back_as_far(tmp_path: Path) -> None:
    part = forecasting.data(options(tmp_path, horizon=12, period=5.0), tmp_path, "").held_out["valid"]
    found = simple_forecasts(part, np.array([112]))["seasonal naive"][:, 0]
    assert found.tolist() == [
        *part.windows.values[107:112],
        *part.windows.values[107:112],
        *part.windows.values[107:109],
    ]


@pytest.mark.parametrize("network", ["rnn", "mlp", "cnn"])
@pytest.mark.parametrize("way", ["direct", "recursive"])
def test_nothing_is_known_from_the_future(tmp_path: Path, network: str, way: str) -> None:
    """Values from a place on are exchanged for others: what was forecast before it, and all that is learnt, stays."""
    own = options(tmp_path, network=network, way=way)
    rows = Path(own.data).read_text().splitlines()
    changed = tmp_path / "changed.csv"
    # The training part ends before row 110, the validation part at place 128.
    head, tail = rows[:126], [row.split(",") for row in rows[126:]]
    order = np.random.default_rng(0).permutation(len(tail))
    later = [f"{row[0]},{float(tail[i][1]) + 50},{row[2]}" for row, i in zip(tail, order, strict=True)]
    changed.write_text("\n".join([*head, *later]))
    one, other = (forecasting.data(replace(own, data=file), tmp_path, "") for file in (own.data, str(changed)))
    first = [{k: v for k, v in data.assets.items() if k not in {"data", "example"}} for data in (one, other)]
    assert first[0] == first[1]
    assert all(
        torch.equal(one.train.batch(n)[k], other.train.batch(n)[k]) for n in range(9) for k in one.train.batch(0).fields
    )
    model = forecasting.model(own, one.assets)
    with torch.no_grad():
        model.output.weight.normal_(std=0.1)
    said = [
        [f.forecast.mean for f in forecast_figures.forecasts(model, data.held_out["valid"].windows)]
        for data in (one, other)
    ]
    assert all(torch.equal(a, b) for a, b in zip(*said, strict=True)) and len(said[0]) > 0
    assert one.held_out["valid"].mase == other.held_out["valid"].mase


def test_a_noiseless_series_is_learnt_and_forecast_far_ahead(tmp_path: Path) -> None:
    """A sine with a period of nine steps: three periods ahead, one step following from the other, and direct."""
    wave = np.sin(2 * np.pi * np.arange(700) / 9) * 4 + 20
    file = tmp_path / "wave.csv"
    file.write_text("time,x\n" + "\n".join(f"{t},{v:.9f}" for t, v in enumerate(wave)))
    few = {"data": str(file), "window": 18, "network": "mlp", "sizes": (32,), "steps": 300, "rate": 5e-3, "threads": 1}
    for way, horizon in (("direct", 9), ("recursive", 27)):
        run = unrolled.train("forecast", way=way, horizon=horizon, runs=str(tmp_path), **few)
        figures = run.evaluate("valid")
        assert figures["RMSE"] < 0.25, (way, figures)
        assert figures["RMSE, persistence"] > 3


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"window": 1}, "--window 1: expected 2 or more"),
        ({"horizon": 0}, "--horizon 0: expected 1 or more"),
        ({"period": 1.0}, r"--period 1.0: expected 0 \(by the step\) or 2 or more"),
        ({"split": (0.5, 0.5, 0.5)}, "--split 0.5 0.5 0.5: expected three shares above 0 that make 1"),
        ({"order": "shuffled", "way": "recursive"}, "--order shuffled: expected time with --way recursive"),
    ],
)
def test_mistakes_in_one_line(changes: dict, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        temperature.TemperatureOptions(**changes)


def test_what_cannot_be_read_or_forecast_is_said(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="forecast: --data names the series: a CSV, TSV or Parquet file"):
        forecast.data(forecast.ForecastOptions(), tmp_path, None)
    with pytest.raises(DataError, match=r"2 columns of numbers beside day \(warmth, rain\): name the one to forecast"):
        forecasting.data(options(tmp_path, target=""), tmp_path, "")
    with pytest.raises(DataError, match="warmth: 160 values are too few: the valid part has no window of 12 values"):
        forecasting.data(options(tmp_path, horizon=20), tmp_path, "")


@pytest.mark.parametrize(("rows", "period"), [(60, 52.0), (90, 5.0)])
def test_without_a_season_in_training_there_is_no_mase(tmp_path: Path, rows: int, period: float) -> None:
    """A training part shorter than a period, and one that repeats itself exactly: the other figures are numbers."""
    file = tmp_path / "short.csv"
    file.write_text("time,x\n" + "\n".join(f"{t},{t % 5}" for t in range(rows)))
    own = options(tmp_path, data=str(file), target="x", horizon=2, period=period)
    data = forecasting.data(own, tmp_path, "")
    figures = forecast_figures.metric(forecasting.model(own, data.assets), data.held_out["valid"])
    assert "RMSE, persistence" in figures and not any(name.startswith("MASE") for name in figures)
    assert np.isfinite([*figures.values()]).all()


def test_the_columns_that_were_guessed_are_said(tmp_path: Path) -> None:
    own = options(tmp_path)
    both = write_series(tmp_path / "one.csv", 90, ())
    for changes, end in (
        ({}, "; the column of times guessed"),
        ({"data": str(both), "target": ""}, "; both columns guessed"),
        ({"time": "day"}, ", times in day"),
    ):
        summary = forecasting.data(replace(own, **changes), tmp_path, "").summary
        said = summary.partition("; 63 to train on")[0].partition("; 112 to train on")[0]
        assert ", times in day" in said and end in said and ("guessed" in said) == ("guessed" in end), summary


def test_the_period_follows_from_the_step(tmp_path: Path) -> None:
    for step, period in (("D", 7), ("h", 24), ("m", 0)):
        times = np.datetime64("2024-01-01T00", "m") + np.arange(90) * np.timedelta64(1, step)
        file = tmp_path / f"{step}.csv"
        file.write_text("time,x\n" + "\n".join(f"{t},{i % 5}" for i, t in enumerate(times)))
        found = forecasting.data(options(tmp_path, data=str(file), target="", period=0.0), tmp_path, "")
        assert found.assets["period"] == period
        simple = simple_forecasts(found.held_out["test"], np.array([80]))
        assert ("seasonal naive" in simple) == (period > 0)
