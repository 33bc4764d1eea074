"""`unrolled point`: the answer, its picture, and mistakes."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path

import numpy as np
import pytest

import unrolled
from unrolled.cli.main import main
from unrolled.errors import DataError, OptionError
from unrolled.workshop.point import picture, pointed
from unrolled.workshop.run import Run

POINTS = np.array([[0, 0], [40, 2], [38, 31], [3, 29], [20, 15], [22, 12]], float)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    for recipe in ("convex-hull", "salesman", "delaunay"):
        unrolled.train(recipe, name=recipe, steps=1, points=(5, 6), sizes=(8,), threads=1, runs=str(folder))
    few = {"steps": 1, "points": (5, 5), "sizes": (8,), "threads": 1, "runs": str(folder)}
    unrolled.train("convex-hull", name="without", output="vocabulary", **few)
    few["points"] = (5, 6)
    unrolled.train("salesman", name="in-order", order="left-to-right", **few)
    unrolled.train("adding", name="adding", steps=1, length=10, sizes=(4,), threads=1, runs=str(folder))
    return folder


def load(runs: Path, name: str) -> Run:
    return unrolled.load(runs / name)


@pytest.mark.parametrize(("name", "closed"), [("convex-hull", 1), ("salesman", 1), ("delaunay", None)])
def test_every_answer_is_one_and_its_lines_are_closed(runs: Path, name: str, closed: int | None) -> None:
    run = load(runs, name)
    numbers = pointed(run, POINTS)
    assert set(numbers) <= set(range(1, 7)) and len(numbers) >= 3
    # No answer depends on where the points lie and how large they are drawn.
    assert pointed(run, POINTS / 8 + 1024) == numbers
    (line,), (every,) = (figure := picture(POINTS, numbers, run)).lines, figure.series
    assert list(zip(every.x, every.y, strict=True)) == [tuple(point) for point in POINTS.tolist()]
    parts = np.split(np.array([line.x, line.y]).T, np.flatnonzero(np.isnan(line.x)))
    assert len(parts) == (closed or len(numbers) // 3)
    for part in parts:
        corners = part[~np.isnan(part[:, 0])]
        assert (corners[0] == corners[-1]).all()


def test_a_run_that_learnt_points_in_order_is_given_them_so_and_answers_by_their_own_numbers(runs: Path) -> None:
    run = load(runs, "in-order")
    numbers = pointed(run, POINTS)
    assert sorted(numbers) == [1, 2, 3, 4, 5, 6] and numbers[0] == 1
    order = [3, 0, 5, 1, 4, 2]
    assert pointed(run, POINTS[order]) == tuple(order.index(number - 1) + 1 for number in numbers)


def test_the_command_says_and_draws_it(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("x,y\n" + "\n".join(f"{x},{y}" for x, y in POINTS.tolist()))
    svg = tmp_path / "tour.svg"
    assert main(["point", "salesman", str(file), "--runs", str(runs), "--svg", str(svg)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("tour: 1 ") and "Tour of 6 points, by salesman" in out and "<svg" in svg.read_text()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"0 0\n1 0\n1 1\n0 1\n.4 .5\n")))
    assert main(["--json", "point", "convex-hull", "-", "--runs", str(runs)]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["event"] == "pointed" and first["shown"] == "convex hull" and len(first["numbers"]) >= 3
    assert second["figure"]["figure"] == "points"


def test_without_a_file_points_are_drawn(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = []
    for seed in ("3", "3", "4"):
        assert main(["--json", "point", "salesman", "--count", "7", "--seed", seed, "--runs", str(runs)]) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1] != said[2]
    assert len(json.loads(said[0].splitlines()[1])["figure"]["series"][0]["x"]) == 7
    assert main(["point", "salesman", "--count", "2", "--runs", str(runs)]) == 2
    assert "--count 2: expected 3 or more" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("adding", "0 0\n1 0\n0 1\n", "a model of the recipe adding points at nothing; take a run of convex-hull"),
        ("without", "0 0\n1 0\n0 1\n1 1\n.5 .5\n.2 .3\n", "without pointers it answers for 5 points at most; 6 came"),
        ("salesman", "0 0\n1 0\n", "mine.csv: 2 points; expected from 3"),
        ("salesman", None, "mine.csv"),
    ],
)
def test_mistakes_in_one_line(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: str | None, said: str
) -> None:
    file = tmp_path / "mine.csv"
    if content is not None:
        file.write_text(content)
    assert main(["point", name, str(file), "--runs", str(runs)]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


def test_from_python(runs: Path) -> None:
    run = load(runs, "convex-hull")
    assert run.point(POINTS.tolist()) == pointed(run, POINTS)
    for points, said in (
        ([[0, 0], [1, 0]], "the points: 2 points; expected from 3"),
        ([[0, 0, 1]] * 4, r"pairs of finite numbers were expected, \(N, 2\); \(4, 3\) came"),
        ([[0, 0], [1, np.nan], [0, 1]], "pairs of finite numbers"),
        ([[0, 0], [1]], "pairs of numbers were expected"),
    ):
        with pytest.raises(DataError, match=said):
            run.point(points)
    with pytest.raises(OptionError, match="points at nothing"):
        load(runs, "adding").point(POINTS)


def test_an_answer_comes_at_once(runs: Path) -> None:
    run = load(runs, "salesman")
    points = np.random.default_rng(0).random((20, 2))
    pointed(run, points)
    taken = []
    for _ in range(5):
        began = time.process_time()
        pointed(run, points)
        taken.append(time.process_time() - began)
    assert min(taken) < 0.1


def test_points_can_be_given_as_they_are(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = "\n".join(f"{x} {y}" for x, y in POINTS.tolist())
    assert main(["point", "convex-hull", content, "--runs", str(runs)]) == 0
    numbers = pointed(load(runs, "convex-hull"), POINTS)
    assert capsys.readouterr().out.startswith(f"convex hull: {' '.join(map(str, numbers))}")
    assert main(["point", "convex-hull", "1 2\n3", "--runs", str(runs)]) == 2
    assert "the points, line 2: expected the two numbers" in capsys.readouterr().err
