"""A log as it grows: curves of bounded size that lose no spike, and a log that was cut, damaged, or is none."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

from unrolled.web.history import CHUNK, LIMIT, History
from unrolled.web.tails import MOST_UPDATES, thinned

from .folders import append, update


def read(history: History) -> list[dict[str, object]]:
    """All that has come since."""
    found = []
    while True:
        before = history.offset
        events, _ = history.advance()
        found += events
        if history.offset == before:
            return found


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return tmp_path


@pytest.mark.parametrize("count", [1, LIMIT, LIMIT + 1, 2 * LIMIT + 7, 9000])
def test_a_point_is_the_mean_of_its_updates_with_lowest_and_highest(run: Path, count: int) -> None:
    losses = np.random.default_rng(0).lognormal(size=count).round(6)
    append(run, *(update(step, loss) for step, loss in enumerate(losses.tolist(), 1)))
    history = History(run / "events.jsonl")
    assert len(read(history)) == count and history.step == count
    curve = history.curve.to_json()
    span = 2 ** math.ceil(math.log2(max(1.0, count / LIMIT)))
    parts = [losses[at : at + span] for at in range(0, count, span)]
    assert len(parts) <= LIMIT and curve["step"] == [min(at + span, count) for at in range(0, count, span)]
    assert curve["loss"] == pytest.approx([part.mean() for part in parts], rel=1e-5)
    assert curve["loss_low"] == pytest.approx([part.min() for part in parts], rel=1e-5)
    assert curve["loss_high"] == pytest.approx([part.max() for part in parts], rel=1e-5)
    assert len(history.curve.small(60)["step"]) <= 60
    assert history.curve.small(60)["step"][-1] > count * 0.97


def test_what_is_not_finite_is_left_out_of_the_mean(run: Path) -> None:
    append(run, update(1, math.nan), update(2, math.inf), update(3, 2.0))
    history = History(run / "events.jsonl")
    read(history)
    curve = history.curve.to_json()
    assert curve["loss"][2] == 2.0 and all(math.isnan(value) for value in (*curve["loss"][:2], curve["loss_high"][0]))


def test_it_is_read_as_it_grows_line_by_line(run: Path) -> None:
    history = History(run / "events.jsonl")
    assert read(history) == [] and history.id == "0-00000000"
    append(run, update(1))
    assert [one["step"] for one in read(history)] == [1]
    line = json.dumps(update(2)).encode()
    with (run / "events.jsonl").open("ab") as file:
        file.write(line[:30])
        file.flush()
        assert read(history) == []
        file.write(line[30:] + b"\n")
    assert [one["step"] for one in read(history)] == [2]
    append(run, {"event": "validated", "step": 2, "figures": {"loss": 0.25}, "best": True})
    append(run, {"event": "rolled-back", "step": 2, "to_step": 0, "reason": "NaN", "rate_factor": 0.5})
    append(run, {"event": "saved", "step": 2, "name": "x", "digest": "y"})
    read(history)
    assert history.best == {"loss": 0.25} and [mark["event"] for mark in history.marks] == ["rolled-back"]


@pytest.mark.parametrize("shorter", [True, False])
def test_a_log_that_was_cut_is_begun_anew(run: Path, shorter: bool) -> None:
    """A run that was killed and is resumed forgets what came after its checkpoint, and writes other events there."""
    append(run, *(update(step) for step in range(1, 6)))
    history = History(run / "events.jsonl")
    read(history)
    size = (run / "events.jsonl").stat().st_size
    os.truncate(run / "events.jsonl", size // 2)
    with (run / "events.jsonl").open("rb") as file:
        whole = file.read().rpartition(b"\n")[0] + b"\n"
    (run / "events.jsonl").write_bytes(whole)
    append(run, *(update(step, 7.0) for step in range(3, 4 if shorter else 60)))
    _, anew = history.advance()
    assert anew
    read(history)
    assert history.curve.to_json()["loss"][2] == 7.0 and history.curve.to_json()["step"][:3] == [1, 2, 3]


def test_a_reader_goes_on_from_where_it_was(run: Path) -> None:
    append(run, *(update(step) for step in range(1, 6)))
    history = History(run / "events.jsonl")
    read(history)
    offset, _, check = history.id.partition("-")
    append(run, update(6))
    later = History(run / "events.jsonl")
    assert later.goes_on_from(int(offset), check)
    assert [one["step"] for one in read(later)] == [6]
    for wrong in ((int(offset), "00000000"), (int(offset) - 1, check), (10**9, check), (10**30, check)):
        assert not History(run / "events.jsonl").goes_on_from(*wrong)


@pytest.mark.parametrize(
    "line",
    [b"{", b"[]", b"null", b'{"event": 3}', b'{"event": "updated"}', b"\xff\xfe", b'{"event": "updated", "step": "1"}'],
)
def test_a_line_that_no_run_writes_is_passed_over(run: Path, line: bytes) -> None:
    append(run, update(1))
    with (run / "events.jsonl").open("ab") as file:
        file.write(line + b"\n")
    append(run, update(2))
    assert [one["step"] for one in read(History(run / "events.jsonl"))] == [1, 2]


def test_a_line_without_an_end_is_not_held(run: Path) -> None:
    (run / "events.jsonl").write_bytes(b"x" * (4 * CHUNK))
    history = History(run / "events.jsonl")
    for _ in range(10):
        history.advance()
    assert history.damaged and len(history._rest) <= CHUNK


def test_a_pipe_or_a_link_is_not_read(run: Path) -> None:
    (run / "secret").write_text(json.dumps(update(1)) + "\n")
    (run / "events.jsonl").symlink_to(run / "secret")
    assert read(History(run / "events.jsonl")) == []
    (run / "events.jsonl").unlink()
    os.mkfifo(run / "events.jsonl")
    assert read(History(run / "events.jsonl")) == []


def test_where_many_updates_come_at_once_some_are_passed_on() -> None:
    sample = {"event": "sampled", "step": 2, "text": "x"}
    events = [update(1), sample, *(update(step) for step in range(2, 1000))]
    kept = thinned(events)
    assert sample in kept and kept[-1]["step"] == 999 and len(kept) <= MOST_UPDATES + 1
    assert thinned(events[:50]) == events[:50]
