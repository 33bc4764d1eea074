"""The runner of the benchmarks, on suites and commands that take no time."""

from __future__ import annotations

import os
import stat
import sys
import time
from pathlib import Path

import pytest

from benchmarks import __main__ as runner
from benchmarks import command as commands
from benchmarks import suite as suites
from benchmarks.suites import lab, large_text, start
from unrolled.errors import OptionError, UserError
from unrolled.workshop.page import page
from unrolled.workshop.results import Figure, Result, read_result

QUICK = Figure("quick", "s", (0.1, 0.4, 0.2, 0.1), "< 0.3")
SLOW = Figure("slow", "s", (0.5,), "< 0.3")


def python(code: str) -> list[str]:
    return [sys.executable, "-S", "-c", code]


def test_every_suite_can_be_found_and_says_what_it_is() -> None:
    assert "start" in suites.names()
    for name in suites.names():
        assert suites.find(name).summary
    with pytest.raises(OptionError, match="Did you mean 'start'"):
        suites.find("strat")


def test_a_suite_leaves_its_result_and_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = runner.run(suites.Suite("quick-one", "What it is.", lambda: iter([QUICK])), tmp_path)
    assert code == 0
    result = read_result(tmp_path / "quick-one.toml")
    assert (result.kind, result.name, result.figures) == ("suite", "quick-one", (QUICK,))
    assert result.command == "python -m benchmarks quick-one"
    assert (tmp_path / "quick-one.md").read_text() == page(result, "What it is.")
    assert capsys.readouterr().out == "quick: median 0.15 s (0.1 to 0.4); goal < 0.3: met\n"


def test_a_missed_goal_is_kept_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert runner.run(suites.Suite("one", "", lambda: iter([QUICK, SLOW])), tmp_path) == 1
    assert [figure.met for figure in read_result(tmp_path / "one.toml").figures] == [True, False]
    assert capsys.readouterr().err == "benchmarks: goals that are not met: slow\n"


def test_the_table_has_a_row_for_each_figure() -> None:
    result = Result("suite", "start", "python -m benchmarks start", (QUICK, SLOW), commit="abc", date="d", machine="m")
    lines = page(result, "What it is.").splitlines()
    assert lines[6:8] == [
        "| quick | s | 0.15 | 0.1 | 0.4 | 0.2 | 0.1225 | 4 | < 0.3 | yes |",
        "| slow | s | 0.5 | 0.5 | 0.5 | 0.5 | 0 | 1 | < 0.3 | no |",
    ]
    assert lines[-1] == "`python -m benchmarks start`, commit abc, d, on m."


def test_a_whole_process_is_timed_to_its_end_and_to_its_first_byte() -> None:
    slow_end = python("import time; print('x', flush=True); time.sleep(0.5)")
    assert start.until_end(slow_end) >= 0.5
    assert start.until_first_byte(slow_end) < 0.5
    late = python("import time; time.sleep(0.3); print('x', flush=True); time.sleep(60)")
    assert 0.3 <= start.until_first_byte(late) < 10


def test_the_first_run_does_not_count(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    code = (
        f"import os, time; first = not os.path.exists({str(marks)!r}); "
        f"open({str(marks)!r}, 'a').write('x'); time.sleep(first)"
    )
    figure = start.repeated("name", "< 1", start.until_end, python(code))
    assert len(figure.values) == start.RUNS
    assert max(figure.values) < 1
    assert len(marks.read_text()) == start.RUNS + 1


@pytest.mark.parametrize("timed", [start.until_end, start.until_first_byte])
def test_a_command_that_fails_is_no_figure(timed: object) -> None:
    with pytest.raises(UserError, match="nothing was measured: out of order"):
        timed(python("import sys; sys.exit('out of order')"))  # type: ignore[operator]


def test_the_command_measured_is_the_installed_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(UserError, match="scripts/setup"):
        commands.installed_command()
    command = tmp_path / "unrolled"
    command.write_text("")
    command.chmod(stat.S_IRWXU)
    assert commands.installed_command() == str(command)


TRAINING = """
import json, os, time
def say(**event): print(json.dumps(event), flush=True)
time.sleep(0.2)
say(event="began")
held = bytearray(os.urandom(1)) * (64 << 20)
time.sleep(0.2)
del held
for speed in (1, 1, 1, 40, 10, 20): say(event="updated", per_second=speed)
say(event=os.environ["LAST"])
"""
linux = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells anonymous memory apart")


@linux
def test_a_training_is_watched_from_outside() -> None:
    found = large_text.watched(python(TRAINING), {"LAST": "finished"})
    assert 0.2 <= found.until_began < 5
    assert found.per_second == 20  # the median of the second half
    assert 64 <= found.anonymous < 100


@linux
def test_a_training_that_fails_is_no_figure() -> None:
    with pytest.raises(UserError, match="nothing was measured: KeyError: 'LAST'"):
        large_text.watched(python(TRAINING), {})


@linux
def test_large_text_compares_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    def train(text: Path, folder: Path, steps: int) -> large_text.Training:
        assert text.parent == folder
        blocks = text.stat().st_size // large_text.BLOCK
        order.append("small" if blocks == 1 else "large")
        return large_text.Training(1.0 + blocks, 1000.0 / blocks, 100.0 * blocks + steps)

    monkeypatch.setattr(large_text, "BLOCKS", 2)
    monkeypatch.setattr(large_text, "train", train)
    found = {figure.name: (figure.values, figure.met) for figure in large_text.measure()}
    assert found == {
        "encoding the large text, above the small one": ((1.0,), None),
        "anonymous memory while encoding, above the small text's": ((100.0,), True),
        "anonymous memory in training, above the small text's": ((100.0,) * 4, True),
        "characters a second, as a share of the small text's": ((0.5,) * 4, False),
    }
    assert order[2:6] == ["small", "large", "large", "small"]
    assert len(order) == 2 + 2 * large_text.PAIRS


def test_the_text_is_of_the_size_asked_for() -> None:
    text = large_text.python_text(large_text.BLOCK)
    assert len(text) == large_text.BLOCK
    assert text.isascii()
    assert b"def __init__(self" in text
    with pytest.raises(UserError, match="are needed"):
        large_text.python_text(1 << 40)


@linux
def test_the_lab_is_measured_beside_trainings_with_and_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []

    def train(folder: Path, name: str, watched: bool) -> tuple[float, float]:
        order.append(name)
        return 100.0 - watched - int(name[-1:].replace("t", "0")), 1.5 * watched

    monkeypatch.setattr(lab, "train", train)
    monkeypatch.setattr(lab, "long_run", lambda like, run: None)
    for name, seconds in (("until_first_page", 0.5), ("until_history", 2.0)):
        monkeypatch.setattr(lab, name, lambda folder, seconds=seconds: seconds)
    found = [(figure.values, figure.met) for figure in lab.measure()]
    ratios = [round((99 - pair) / (100 - pair), 3) for pair in range(lab.PAIRS)]
    assert found[:4] == [
        ((0.5,) * lab.RUNS, True),
        ((2.0,) * lab.RUNS, False),
        ((1.5,) * lab.PAIRS, True),
        (tuple(ratios), None),
    ]
    # Every pair says the same, and not that they are equal: that is no noise.
    assert found[5][1] is False
    assert order[1:5] == ["watched-0", "alone-0", "alone-1", "watched-1"]


@linux
def test_what_a_process_has_used_is_what_it_says_itself() -> None:
    before = time.process_time()
    while time.process_time() - before < 0.1:
        pass
    assert lab.cpu_seconds(os.getpid()) == pytest.approx(time.process_time(), abs=0.15)


def test_decoding_is_counted_in_symbols_that_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.suites import decode

    monkeypatch.setattr(decode, "RUNS", 2)
    monkeypatch.setattr(decode, "POINTS", ((1, 1), (3, 2)))
    for name, size in (("V", 20), ("E", 8), ("H", 8), ("WRITTEN", 4)):
        monkeypatch.setattr(decode, name, size)
    clock = iter([0.0, 9.0, 10.0, 12.0, 20.0, 22.0] * 2)
    monkeypatch.setattr(decode.time, "perf_counter", lambda: next(clock))
    found = {figure.name: figure.values for figure in decode.measure()}
    assert found == {"1 sentence, greedy": (2, 2), "3 sentences, beam 2": (6, 6)}
