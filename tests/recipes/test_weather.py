"""`weather`: figures by hand, what is asked where, and nothing known from the future."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from unrolled.batch import NOT_ASKED
from unrolled.errors import DataError
from unrolled.recipes import weather

from .stand_in import write_series


def options(folder: Path, **changes) -> weather.WeatherOptions:
    file = folder / "series.csv"
    given = {"data": str(file if file.exists() else write_series(file)), "target": "rain", "window": 12, "sizes": (4,)}
    return weather.WeatherOptions(**{**given, **changes})


def table(folder: Path) -> dict[int, float]:
    """Day → rain, of the days and cells that the file has."""
    rows = [line.split(",") for line in (folder / "series.csv").read_text().splitlines()[1:]]
    return {
        int((np.datetime64(day) - np.datetime64("2020-01-01")).astype(int)): float(rain)
        for day, _, rain in rows
        if rain
    }


def test_each_day_asks_for_the_next_and_only_where_it_was_measured(tmp_path: Path) -> None:
    data = weather.data(options(tmp_path), tmp_path, None)
    rain = table(tmp_path)
    first = min(rain)
    parts = {"valid": range(80, 119), "test": range(119, 159)}
    for name, places in parts.items():
        targets = data.held_out[name].batch.tensor("targets")[:, 0].tolist()
        asked = [t for t, value in enumerate(targets) if value != NOT_ASKED]
        # Place t stands for day first + t, and asks for the day after it.
        wanted = [t for t in range(places.start - 1, len(targets)) if first + t + 1 in rain]
        assert [t for t in asked if t >= places.start] == [t for t in wanted if t >= places.start]
        assert all(targets[t] == (rain[first + t + 1] > 0) for t in asked)
    assert data.assets["names"] == ["warmth", "rain"] and data.assets["inputs"] == 5


def test_the_figures_by_hand(tmp_path: Path) -> None:
    own = options(tmp_path)
    data = weather.data(own, tmp_path, None)
    model = weather.model(own, data.assets)
    with torch.no_grad():
        model.output.weight.zero_()
        model.output.bias.copy_(torch.tensor([0.0, math.log(3)]))
    part = data.held_out["test"]
    targets = part.batch.tensor("targets")[:, 0].numpy()
    came = targets[targets != NOT_ASKED]
    yes, n = int(came.sum()), len(came)
    figures = weather.metric(model, part)
    assert figures["loss"] == pytest.approx((yes * math.log(4 / 3) + (n - yes) * math.log(4)) / n, rel=1e-5)
    assert figures["accuracy"] == pytest.approx(100 * yes / n)
    assert figures["Brier score"] == pytest.approx((yes * 0.0625 + (n - yes) * 0.5625) / n, rel=1e-5)
    share = part.share
    assert figures["Brier score, how often in training"] == pytest.approx(
        (yes * (1 - share) ** 2 + (n - yes) * share**2) / n
    )
    assert figures["loss, how often in training"] == pytest.approx(
        -(yes * math.log(share) + (n - yes) * math.log(1 - share)) / n
    )
    assert figures["accuracy, always the more frequent"] == pytest.approx(100 * (yes if share > 0.5 else n - yes) / n)
    today = [bool(part.today[t]) == bool(targets[t]) for t in range(len(targets)) if targets[t] != NOT_ASKED]
    assert figures["accuracy, as today"] == pytest.approx(100 * np.mean(today))


def test_nothing_is_known_from_the_future(tmp_path: Path) -> None:
    own = options(tmp_path)
    rows = Path(own.data).read_text().splitlines()
    changed = tmp_path / "changed.csv"
    later = [f"{row.split(',')[0]},99,{i % 3}" for i, row in enumerate(rows[118:])]
    changed.write_text("\n".join([*rows[:118], *later]))
    one, other = (weather.data(replace(own, data=file), tmp_path, None) for file in (own.data, str(changed)))
    assert all(
        torch.equal(one.train.batch(n)[k], other.train.batch(n)[k]) for n in range(5) for k in ("inputs", "targets")
    )
    model = weather.model(own, one.assets).eval()
    seen = 112
    said = [model.predict(data.held_out["test"].batch)[:seen] for data in (one, other)]
    assert torch.equal(*said)


def test_mistakes_are_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"--target snow: .*no column of numbers called so; it has warmth, rain"):
        weather.data(options(tmp_path, target="snow"), tmp_path, None)
    with pytest.raises(DataError, match="159 steps are too few for windows of 90 and three parts"):
        weather.data(options(tmp_path, window=90), tmp_path, None)
