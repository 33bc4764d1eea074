"""The protocol by which two sides are compared: on sides that take a known time of a clock that else stands still."""

from __future__ import annotations

import math
import sys
from functools import partial
from pathlib import Path

import pytest
import torch

from benchmarks import __main__ as runner
from benchmarks import protocol, suite, told
from benchmarks.contest import Agreement, Contest, Goal, Point, agreement, distance
from benchmarks.timing import Ratio, compare, peak_memory, percentiles
from unrolled.errors import KernelError, OptionError
from unrolled.figures import Curves, Table
from unrolled.kernels import native_core
from unrolled.workshop.results import Figure, read_result


class Clock:
    """Goes on only where a side takes its time, so that another program on the machine changes nothing."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


CLOCK = Clock()


def wait(seconds: float) -> None:
    CLOCK.now += seconds


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.timing.time", CLOCK)


def contest(H: int, most: float = 1e-6) -> Contest:
    """Ours takes H ten-thousandths of a second; of two ways of the rival the faster one takes H² of them, or so."""
    ways = {"slow": partial(wait, 4e-4 * H * H), "quick": partial(wait, 1e-4 * H * H)}
    agreements = [Agreement("the output", 1e-7, 2e-7, most)]
    return Contest(partial(wait, 1e-4 * H), {"them": ways}, lambda: agreements, flops=1e6, bytes=1e6, latency=H == 2)


def points(*sizes: int) -> list[Point]:
    return [Point("lstm", {"H": H, "B": 1}, partial(contest, H)) for H in sizes]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.timing.WARM_SECONDS", 0.01)
    monkeypatch.setattr("benchmarks.timing.CALLS", 20)
    monkeypatch.setattr("benchmarks.calibration.SECONDS", 0.01)
    monkeypatch.setattr("benchmarks.calibration.WORKING_SETS", (16,))
    monkeypatch.setattr("benchmarks.calibration.PRODUCT", 64)


def test_a_ratio_is_how_many_times_as_fast_the_first_side_is() -> None:
    ratio = compare(partial(wait, 2e-4), partial(wait, 6e-4), 0.1)
    assert len(ratio.blocks) >= 5
    assert (ratio.median, ratio.ours, ratio.theirs) == pytest.approx((3, 2e-4, 6e-4))


def test_a_machine_that_slows_down_meanwhile_changes_no_ratio() -> None:
    began = CLOCK.now

    def slowing(seconds: float) -> None:
        wait(seconds * (1 + (CLOCK.now - began) * 10))

    ratio = compare(partial(slowing, 1e-4), partial(slowing, 2e-4), 0.1)
    assert ratio.ours > 1.3e-4
    assert ratio.median == pytest.approx(2, rel=0.01)


def test_each_block_goes_there_and_back_and_what_comes_before_a_call_is_not_timed() -> None:
    order: list[str] = []

    def before() -> None:
        order.append("-")
        wait(0.01)

    def side(name: str) -> None:
        order.append(name)
        wait(0.001)

    ratio = compare(partial(side, "A"), partial(side, "B"), 0.01, before)
    assert "".join(order) == "-A-B" + "-A-B-B-A" * 5
    assert (ratio.ours, ratio.theirs) == pytest.approx((0.001, 0.001))


def test_a_team_that_still_looks_for_work_slows_nobody_down_after_a_rest() -> None:
    """Each side takes a thousandth of a second, and ten while the other's threads, awake for five, hold the core."""
    awake = {"a": -1.0, "b": -1.0}

    def side(own: str, other: str) -> None:
        wait(1e-2 if CLOCK.now < awake[other] else 1e-3)
        awake[own] = CLOCK.now + 5e-3

    ours, theirs = partial(side, "a", "b"), partial(side, "b", "a")
    rested = compare(ours, theirs, 0.5, rest=True)
    assert rested.ours == pytest.approx(1e-3) and rested.theirs == pytest.approx(1e-3)
    assert compare(ours, theirs, 0.5).ours > 2e-3


def test_quartiles_and_interval_are_of_the_blocks() -> None:
    ratio = Ratio((1.0, 2.0, 3.0, 4.0, 5.0), 1.0, 3.0)
    assert (ratio.median, ratio.quartiles) == (3.0, (2.0, 4.0))
    low, high = ratio.interval
    assert (low, high) == ratio.interval
    assert 1.0 <= low < 3.0 < high <= 5.0
    assert Ratio((2.0,) * 5, 1.0, 2.0).interval == (2.0, 2.0)


def test_the_tail_is_the_ninety_ninth_percentile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.timing.CALLS", 200)
    calls = iter([0.001] * 190 + [0.01] * 10)
    middle, tail = percentiles(lambda: wait(next(calls)))
    assert (middle, tail) == pytest.approx((0.001, 0.01))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells the highest mark of one call")
def test_the_memory_of_one_call_is_what_it_held_at_most() -> None:
    found = peak_memory(lambda: torch.ones(16 << 20).sum())
    assert found is None or 60 < found < 80  # None where a container forbids it


def test_errors_are_relative_to_float64_and_twice_the_rivals_is_allowed() -> None:
    exact = torch.tensor([3.0, 4.0], dtype=torch.float64)
    assert distance(torch.tensor([3.0, 4.5]), exact) == pytest.approx(0.1)
    assert distance(torch.tensor([3 + 4.5j]), torch.tensor([3 + 4j], dtype=torch.complex128)) == pytest.approx(0.1)
    found = agreement("h", torch.tensor([3.0, 4.0]), torch.tensor([3.0, 4.05]), exact)
    assert (found.ours, found.theirs, found.most) == pytest.approx((0, 0.01, 0.02), abs=1e-6)
    assert agreement("h", exact.float(), exact.float(), exact).most == 1e-6
    narrow = exact.bfloat16()
    assert agreement("h", narrow, narrow * 1.1, exact).most == pytest.approx(1.5 * distance(narrow * 1.1, exact))


@pytest.mark.parametrize("ours", [3e-6, math.nan])
def test_where_the_sides_do_not_agree_nothing_is_timed(ours: float) -> None:
    with pytest.raises(KernelError, match=r"H 1, B 1: the output is off by .* nothing was timed"):
        protocol.check(points(1)[0], [Agreement("the output", ours, 1e-6, 2e-6)])


def test_the_points_that_are_measured_are_spread_evenly() -> None:
    every = points(*range(12))
    assert [point.places["H"] for point in protocol.Effort(points=3).chosen(every)] == [2, 6, 10]
    assert protocol.Effort().chosen(every) == every
    assert protocol.Effort(points=99).chosen(every) == every
    with pytest.raises(OptionError, match="seconds above 0"):
        protocol.Effort(seconds=0)


def test_a_suite_of_points_leaves_figures_goals_tables_and_pictures(
    quick: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    goals = (Goal("them", ">= 1"), Goal("them", ">= 100", "at H 4", lambda point: point.places["H"] == 4))
    effort = protocol.Effort(seconds=0.02)
    found = list(protocol.measure(points(1, 2, 4), goals, effort))
    quantities = {one.name: one for one in found if isinstance(one, Figure)}
    assert set(quantities["lstm, H 4, B 1: times as fast as them"].values) == {4.0}
    assert quantities["geometric mean over them"].values == (2.0,)
    assert quantities["geometric mean over them at H 4"].met is False
    assert quantities["sgemm, 1 thread"].unit == "GF/s"
    tables = [one for one in found if isinstance(one, Table)]
    every, latencies, slopes = tables
    first = dict(zip(every.columns, every.rows[0], strict=True))  # both sides take 1e-4 s for 10⁶ flops
    if native_core.is_built():
        peak = quantities["in registers, float32, 1 thread"].values[0] * 1e9
        assert first["ratio at the limit"] == pytest.approx(1e-4 * peak / 1e6, rel=0.01)
        assert first["of the registers' peak"] == f"{1e6 / 1e-4 / peak:.0%}"
    else:
        assert first["ratio at the limit"] is first["of the registers' peak"] is None
    assert [dict(zip(every.columns, row, strict=True))["its fastest way"] for row in every.rows] == ["quick"] * 3
    assert [row[0] for row in latencies.rows] == ["lstm, H 2, B 1"]
    (row,) = slopes.rows
    assert row[:2] == ("lstm, B 1, threads 1, over them", "H")
    assert row[2:4] == (1.0, 2.0)
    (curves,) = [one for one in found if isinstance(one, Curves)]
    assert (curves.x_log, curves.y_log, curves.series[0].x) == (True, True, (1, 2, 4))

    one = suite.Suite("one", "What.", lambda: iter(found), ("--seconds", "0.02"))
    assert runner.run(one, tmp_path) == 1
    result = read_result(tmp_path / "one.toml")
    assert result.command == "python -m benchmarks one --seconds 0.02"
    assert [figure.name for figure in result.figures] == list(quantities)
    page = (tmp_path / "one.md").read_text()
    assert f"![{curves.title}](one-1.svg)" in page
    assert "slope" in (tmp_path / "one-1.svg").read_text()
    assert "at H 4" in capsys.readouterr().err


def test_a_slope_is_that_of_a_power() -> None:
    x = (1.0, 2.0, 4.0, 8.0)
    assert told.slope((x, tuple(3 * value**1.5 for value in x)), 1) == pytest.approx(1.5)


def test_a_suite_of_its_own_may_ask_how_long_it_may_take() -> None:
    assert suite.find("learn", 5.0).options == ("--seconds", "5")
    assert suite.find("learn").options == ()


def test_only_suites_that_compare_take_seconds_and_points() -> None:
    assert suite.find("scan", 5.0, 3).options == ("--seconds", "5", "--points", "3")
    with pytest.raises(OptionError, match="takes no --seconds"):
        suite.find("start", 5.0)
