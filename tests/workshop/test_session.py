"""What a training leaves behind as it goes, and the environment that it runs in."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from unrolled.errors import OptionError
from unrolled.recipes.recipe import Options
from unrolled.training.events import Skipped
from unrolled.workshop import session
from unrolled.workshop.folder import RunFolder


@dataclass
class Entry:
    file: str
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass
class Saved:
    """As much of Checkpoints as the log asks for."""

    lines: list[Entry]

    def entries(self) -> list[Entry]:
        return self.lines


def test_the_log_goes_on_from_the_checkpoint_that_training_goes_on_from(tmp_path: Path) -> None:
    log = session.EventLog(RunFolder(tmp_path))
    assert log.position() == {"events": 0}
    log.write(Skipped(1, "ä"))
    first = log.position()
    kept = log.file.read_bytes()
    log.write(Skipped(2, "b"))
    second = log.position()
    log.write(Skipped(3, "c"))
    saved: Any = Saved([Entry("step-1", first), Entry("step-2", second)])
    log.cut("step-1", saved)
    assert log.file.read_bytes() == kept
    # A file that is shorter than that stays as it is.
    log.cut("step-2", saved)
    assert log.file.read_bytes() == kept
    assert [event["reason"] for event in RunFolder(tmp_path).events()] == ["ä"]


def test_where_the_log_stood_is_on_the_disk_before_a_checkpoint_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = session.EventLog(RunFolder(tmp_path))
    log.write(Skipped(1, "a"))
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
    log.position()
    assert synced == [log.file.stat().st_ino]


def test_threads_are_shared_with_the_neighbours_and_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    monkeypatch.setattr(session, "cores", lambda: 6)
    with session.team_for(Options()) as team:
        assert torch.get_num_threads() == 6 and team.first
    assert torch.get_num_threads() == before
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    with session.team_for(Options()):
        assert torch.get_num_threads() == 1
    with session.team_for(Options(threads=3)):
        assert torch.get_num_threads() == 3
    with pytest.raises(OptionError, match="expected cpu"), session.team_for(Options(device="abacus")):
        pass
    assert torch.get_num_threads() == before


def test_signals_are_handled_while_training_and_not_after() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with session.stop_on_signals() as stop:
        assert not stop()
        signal.raise_signal(signal.SIGTERM)
        assert stop()
        # From here a Ctrl-C does not wait.
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_minutes_count_from_the_start_of_the_process() -> None:
    code = (
        "import time; from unrolled.workshop.session import process_start; time.sleep(0.5);"
        "print(time.monotonic() - process_start(), time.monotonic())"
    )
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    age, now = map(float, done.stdout.split())
    # The kernel counts the start in hundredths of a second.
    assert age > 0.5 and now - age == pytest.approx(began, abs=0.3)
