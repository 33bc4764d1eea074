"""The command as a process: signals, a terminal, several processes."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from unrolled.recipes import char_lm

from .command import SMALL, Command

ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
LONG = [*SMALL[:-1], "120"]
#: Makes every update but the first take twenty seconds, so that a second Ctrl-C finds it in the middle of one.
SLOW = (
    "import itertools, sys, time; import unrolled.training.gradients as g; clip, calls = g.clip, itertools.count()\n"
    "g.clip = lambda *a: (time.sleep(20 if next(calls) else 0), clip(*a))[1]\n"
    "from unrolled.cli.main import main; sys.exit(main())"
)


def started(command: Command, *words: object, code: str = "") -> subprocess.Popen:
    start = [sys.executable, "-c", code] if code else [sys.executable, "-m", "unrolled"]
    return subprocess.Popen(
        [*start, *map(str, words)],
        cwd=command.folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def until(process: subprocess.Popen, kind: str, count: int = 1) -> None:
    """Read events until so many of this kind have come."""
    assert process.stdout is not None
    for line in process.stdout:
        count -= json.loads(line)["event"] == kind
        if count == 0:
            return
    pytest.fail(f"it ended before: {process.stderr and process.stderr.read()}")


def test_ctrl_c_saves_and_the_run_goes_on_to_the_same_weights(command: Command) -> None:
    whole = command("train", command.text(), *LONG, "--name", "whole")
    assert whole.code == 0
    with started(command, "train", "book.txt", *LONG, "--name", "halted") as process:
        until(process, "updated", 5)
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (130, "")
    events = [json.loads(line) for line in out.splitlines()]
    halted = next(event for event in events if event["event"] == "interrupted")
    assert 5 <= halted["step"] < 120
    assert events[-1]["commands"][0] == "unrolled resume halted"
    assert command("resume", "halted").code == 0
    weights = [(command.runs / name / "model.safetensors").read_bytes() for name in ("whole", "halted")]
    assert weights[0] == weights[1]


def test_a_second_ctrl_c_stops_at_once_and_says_how_to_go_on(command: Command) -> None:
    with started(command, "train", command.text(), *LONG, "--name", "halted", code=SLOW) as process:
        until(process, "updated")
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        sent = time.monotonic()
        _, error = process.communicate(timeout=60)
    assert time.monotonic() - sent < 12  # and not the rest of the 20 seconds that the update takes
    assert process.returncode == 130
    assert "stopped at once" in error and "unrolled resume" in error and "Traceback" not in error
    # What it had learnt since the last checkpoint is learnt again.
    assert command("resume", "halted").code == 0


def test_ctrl_c_before_anything_was_learnt_leaves_nothing(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def data(*_: object) -> None:
        # Tests that a shell runs in the background inherit that it is ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(char_lm, "RECIPE", replace(char_lm.RECIPE, data=data))
    said = command("train", command.text(), *SMALL)
    assert (said.code, said.error) == (130, "unrolled: stopped\n")
    assert not list(command.runs.iterdir())


def in_a_terminal(command: Command, columns: int, *words: object) -> tuple[int, str]:
    """Exit code and everything that the terminal was sent."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TERM": "xterm-256color"}
    environment.pop("COLUMNS", None)
    environment.pop("NO_COLOR", None)
    with subprocess.Popen(
        [sys.executable, "-m", "unrolled", *map(str, words)],
        cwd=command.folder,
        env=environment,
        stdin=follower,
        stdout=follower,
        stderr=follower,
    ) as process:
        os.close(follower)
        said = b""
        while True:
            if select.select([leader], [], [], 120)[0]:
                try:
                    chunk = os.read(leader, 1 << 16)
                except OSError:  # how Linux says that the other end is closed
                    break
                said += chunk
                if not chunk:
                    break
    os.close(leader)
    return process.returncode, said.decode()


def test_the_live_view(command: Command) -> None:
    columns = 80
    code, said = in_a_terminal(command, columns, "train", command.text(), *LONG, "--name", "seen")
    assert code == 0
    plain = ANSI.sub("", said)
    for part in ("time left", "characters a second", "gradient norm", "state carried", "what it writes at step", "▁"):
        assert part in plain, part
    assert not any('"event"' in line for line in plain.splitlines())
    drawn, end = plain.split("done in")
    assert max(len(line) for line in re.split(r"[\r\n]+", drawn)) <= columns
    assert f"The run is in {command.runs / 'seen'}" in end
    assert end.count("unrolled ") == 3 and "unrolled sample seen" in end


def test_nothing_a_model_writes_acts_on_the_terminal(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    text = command.folder / "hostile.txt"
    text.write_text("\x1b[2Jred \x07" * 800)
    assert command("train", text, *SMALL).code == 0
    assert "\x1b" in command("sample", "hostile", "--length", "300").out
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    said = command("sample", "hostile", "--length", "300").out
    assert "\x1b" not in said and "\x07" not in said and "␛" in said


def torchrun(command: Command, *words: object, timeout: int = 240) -> tuple[int, list[dict[str, Any]], str]:
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "unrolled"]
        + [str(word) for word in words],
        check=False,
        cwd=command.folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def losses(run: Path) -> list[float]:
    events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    return [event["loss"] for event in events if event["event"] == "updated"]


def test_two_processes_learn_as_one(command: Command) -> None:
    """One run folder, the losses of one process to rounding, and a resume that ends as the uninterrupted run does."""
    alone = command.trained("alone", "--dropout", "0.2")
    words = ["train", "book.txt", *SMALL, "--dropout", "0.2"]
    code, events, error = torchrun(command, *words, "--name", "together")
    assert code == 0, error
    assert sorted(path.name for path in command.runs.iterdir()) == ["alone", "together"]
    together = command.runs / "together"
    assert losses(together) == pytest.approx(losses(alone), rel=1e-4)
    assert [event["processes"] for event in events if event["event"] == "planned"] == [2]
    weights = (together / "model.safetensors").read_bytes()
    # As a kill after the last checkpoint leaves it.
    (together / "model.safetensors").unlink()
    code, events, error = torchrun(command, "resume", "together")
    assert code == 0, error
    assert any(event["event"] == "resumed" for event in events)
    assert (together / "model.safetensors").read_bytes() == weights
    assert command("sample", "together", "--length", "5").code == 0


@pytest.mark.slow
def test_a_mistake_among_two_processes_ends_both(command: Command) -> None:
    code, events, error = torchrun(command, "train", "nowhere.txt", "--name", "x")
    assert code != 0 and events == [] and "nowhere.txt" in error
    assert not command.runs.exists()
