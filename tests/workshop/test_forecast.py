"""`unrolled forecast`: from a run's own series and from others, as a picture and a table; and mistakes."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest

import unrolled
from unrolled.cli.main import main
from unrolled.data import series
from unrolled.data.tables import read_table
from unrolled.errors import DataError, OptionError
from unrolled.figures import Curves, Table
from unrolled.workshop.forecast import figures_of, forecast_from_end, read_series

from ..recipes.stand_in import write_series


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    data = str(write_series(folder / "series.csv"))
    few = {"data": data, "target": "warmth", "window": 12, "period": 10.0, "sizes": (8,), "steps": 30, "threads": 1}
    for way in ("direct", "recursive"):
        unrolled.train("forecast", name=way, way=way, horizon=4, runs=str(folder), **few)
    unrolled.train("adding", name="adding", steps=1, length=10, sizes=(4,), threads=1, runs=str(folder))
    return folder


def test_a_forecast_goes_on_from_the_end_of_what_was_learnt_from(runs: Path) -> None:
    run = unrolled.load(runs / "direct")
    own = read_series(run, "")
    ahead = forecast_from_end(run, own, 0, 0)
    assert ahead.times == ("2020-06-09", "2020-06-10", "2020-06-11", "2020-06-12")
    for k in range(4):
        assert ahead.low[0.95][k] < ahead.low[0.8][k] < ahead.mean[k] < ahead.high[0.8][k] < ahead.high[0.95][k]
    # A shorter forecast is the beginning of the longer one.
    assert forecast_from_end(run, own, 2, 0).mean == ahead.mean[:2]
    curves, table = figures_of(run, own, ahead)
    assert isinstance(curves, Curves) and isinstance(table, Table)
    assert table.columns == ("day", "warmth", "low 80%", "high 80%", "low 95%", "high 95%")
    assert table.rows[1][:2] == ("2020-06-10", ahead.mean[1])
    assert [band.name for band in curves.bands] == ["95%", "80%"]
    known, line = curves.series
    assert known.x[-1] == line.x[0] == 0 and known.y[-1] == line.y[0] == own.values[-1, 0]
    assert line.y[1:] == ahead.mean and len(known.x) == 24


def test_a_recursive_run_forecasts_as_far_as_it_is_asked(runs: Path) -> None:
    run = unrolled.load(runs / "recursive")
    own = read_series(run, "")
    far, near = (forecast_from_end(run, own, steps, 3) for steps in (30, 5))
    assert len(far.times) == 30 and far.times[-1] == "2020-07-08"
    assert far.mean[:5] == pytest.approx(near.mean, rel=1e-5)


def test_another_file_is_read_by_the_names_that_were_learnt_and_in_the_same_phase(runs: Path, tmp_path: Path) -> None:
    """The end of the same series as a file of its own, from another day on: the forecast is the same."""
    run = unrolled.load(runs / "direct")
    rows = (runs / "series.csv").read_text().splitlines()
    later = tmp_path / "later.csv"
    later.write_text("\n".join(["day;note;warmth", *(f"{d};x;{w}" for d, w, _ in (r.split(",") for r in rows[-23:]))]))
    whole, part = (forecast_from_end(run, read_series(run, file), 0, 0) for file in ("", str(later)))
    assert part.times == whole.times
    assert part.mean == pytest.approx(whole.mean, rel=1e-5)
    shifted = tmp_path / "shifted.csv"
    shifted.write_text(
        "day,warmth\n" + "\n".join(f"{np.datetime64(r.split(',')[0]) + 3},{r.split(',')[1]}" for r in rows[-23:])
    )
    assert forecast_from_end(run, read_series(run, str(shifted)), 0, 0).mean != pytest.approx(whole.mean, rel=1e-4)


def test_the_command(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    svg = tmp_path / "ahead.svg"
    assert main(["forecast", "direct", "--runs", str(runs), "--svg", str(svg)]) == 0
    out = capsys.readouterr().out
    assert "160 values of warmth, one a day" in out and "2020-06-12" in out and "what direct says comes next" in out
    assert svg.read_text().count('fill-opacity="0.16"') == 2 and svg.with_stem("ahead-2").exists()
    # A byte-order mark before the first column's name, as spreadsheets write it, is no part of it.
    marked = "\ufeff".encode() + (runs / "series.csv").read_bytes()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(marked)))
    assert main(["--json", "forecast", "recursive", "-", "--steps", "9", "--runs", str(runs)]) == 0
    note, curves, table = map(json.loads, capsys.readouterr().out.splitlines())
    assert note["event"] == "note" and len(table["figure"]["rows"]) == 9
    assert [band["about"] for band in curves["figure"]["bands"]] == ["forecast", "forecast"]


def test_the_numbers_go_into_a_table_that_is_read_back_as_a_series(runs: Path, tmp_path: Path) -> None:
    file = tmp_path / "ahead.csv"
    assert main(["forecast", "direct", "--runs", str(runs), "--csv", str(file)]) == 0
    ahead = unrolled.load(runs / "direct").forecast()
    table = read_table(file)
    assert table.columns == ("day", "warmth", "low 80%", "high 80%", "low 95%", "high 95%")
    found = series.read_series(table, "day", ("warmth", "high 95%"))
    assert found.time(0) == ahead.times[0] and found.step == series.Step(1, "day")
    np.testing.assert_allclose(found.values.T, [ahead.mean, ahead.high[0.95]], rtol=1e-8)


def test_from_python(runs: Path, tmp_path: Path) -> None:
    run = unrolled.load(runs / "recursive")
    assert run.forecast(runs / "series.csv", steps=9, seed=2) == run.forecast(steps=9, seed=2)
    assert len(run.forecast().times) == 4
    # A file whose columns are called otherwise.
    other = tmp_path / "other.csv"
    other.write_text((runs / "series.csv").read_text().replace("day,warmth", "Tag,Grad"))
    with pytest.raises(DataError, match=r"--time day: other\.csv has no column of that name"):
        run.forecast(other)
    assert run.forecast(other, 3, time="Tag", target="Grad") == run.forecast(steps=3)
    # What an error names, a separator or an encoding, can be given here as well.
    other.write_bytes(other.read_text().replace("Grad", "Wärme").replace(",", "/").encode("latin-1"))
    words = ["--time", "Tag", "--target", "Wärme", "--encoding", "latin-1", "--separator", "/"]
    assert main(["forecast", "direct", str(other), *words, "--runs", str(runs)]) == 0
    with pytest.raises(OptionError, match="forecasts no series; take a run of forecast or temperature"):
        unrolled.load(runs / "adding").forecast()


@pytest.mark.parametrize(
    ("words", "content", "said"),
    [
        (
            ["direct", "--steps", "5"],
            None,
            "direct was trained to forecast 4 steps at once; train with a longer --horizon",
        ),
        (["direct", "--steps", "-1"], None, "--steps -1: expected 0 (the run's own) or more"),
        (["adding"], None, "a model of the recipe adding forecasts no series; take a run of forecast or temperature"),
        (["direct"], "day,cold\n2020-01-01,1\n2020-01-02,2\n", "--target warmth: mine.csv has no column of that name"),
        (["direct"], "day,warmth\n2020-01-01,1\n2020-01-02,2\n", "too few: direct forecasts from the last 12 values"),
        (
            ["direct"],
            "day,warmth\n2020-01-01,1\n2020-01-08,2\n",
            "mine.csv: one value a week, where direct learnt from one a day: bring the series to that step",
        ),
        (["direct"], "day,warmth\n2020-01-01,1\n2020-01-02,two\n", "mine.csv, line 3: 'two' in column warmth"),
    ],
)
def test_mistakes_in_one_line(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], content: str | None, said: str
) -> None:
    if content is not None:
        (tmp_path / "mine.csv").write_text(content)
        words = [*words, str(tmp_path / "mine.csv")]
    assert main(["forecast", *words, "--runs", str(runs)]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
