"""Killed at any moment and resumed, a training ends with the weights that it would have had."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from unrolled.training.checkpoint import Checkpoints

HERE = Path(__file__).parent
KILLED = -signal.SIGKILL
#: scripts/verify asks for 50 and 20.
MOMENTS = int(os.environ.get("UNROLLED_KILLS", "5"))
TORCHRUN_MOMENTS = int(os.environ.get("UNROLLED_TORCHRUN_KILLS", "20"))
PACE = {"steps": 60, "pace": 0.003}

Crash = Callable[..., dict]


@pytest.fixture(scope="module")
def straight(crash: Crash, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """The run that nothing happens to."""
    return crash(tmp_path_factory.mktemp("straight") / "a", **PACE)


@pytest.fixture(scope="module")
def short(crash: Crash, tmp_path_factory: pytest.TempPathFactory) -> dict:
    return crash(tmp_path_factory.mktemp("short") / "a")


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix == ".safetensors"}


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_killed_at_a_random_moment(crash: Crash, straight: dict, tmp_path: Path, moment: int) -> None:
    after = random.Random(moment).uniform(0, straight["seconds"])
    crash(tmp_path / "a", kill_after=after, **PACE)
    assert crash(tmp_path / "a", resume=True, **PACE)["digest"] == straight["digest"]


# Each checkpoint has two writes, four syncs (file, folder, manifest, folder) and two renames. The first checkpoint,
# of step 0, is one such story; a later one, which also removes an old file, is another.
FAULTS = [
    (call, before + n, when)
    for call, a_checkpoint, whens in (
        ("write", 2, ("before", "halfway", "after")),
        ("fsync", 4, ("before", "after")),
        ("replace", 2, ("before", "after")),
    )
    for before in (0, 3 * a_checkpoint)
    for n in range(1, a_checkpoint + 1)
    for when in whens
]


@pytest.mark.parametrize(("call", "number", "when"), FAULTS)
def test_killed_within_a_checkpoint(
    crash: Crash, short: dict, tmp_path: Path, call: str, number: int, when: str
) -> None:
    killed = crash(tmp_path / "a", fault={"call": call, "number": number, "when": when})
    assert killed["codes"] == [KILLED]
    resumed = crash(tmp_path / "a", resume=True)
    assert resumed["digest"] == short["digest"]
    # What the killed write left is gone: as many files as the manifest has lines.
    entries = json.loads((tmp_path / "a" / "manifest.json").read_text())["entries"]
    assert sorted(bytes_of(tmp_path / "a")) == sorted(entry["file"] for entry in entries)
    assert not list((tmp_path / "a").glob("*.unfinished"))


def test_killed_in_the_middle_of_a_rollback_story(crash: Crash, tmp_path: Path) -> None:
    """Batches 12 and 18 break the training; killed again and again, it tells the same story to the end."""
    story = {"spoil": {12: 1e4, 18: 1e38}, "steps": 30, "pace": 0.003}
    straight = crash(tmp_path / "straight", **story)
    assert straight["kinds"].count("rolled-back") == 2
    assert straight["kinds"].count("skipped") == 2
    chance = random.Random(0)
    for _ in range(6):
        crash(tmp_path / "a", resume=True, kill_after=chance.uniform(0.05, 0.15), **story)
    assert crash(tmp_path / "a", resume=True, **story)["digest"] == straight["digest"]
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "straight")


@pytest.mark.parametrize("stop_at", [13, 14, 16])
def test_stopped_in_the_middle_of_a_rollback_story(crash: Crash, tmp_path: Path, stop_at: int) -> None:
    """A checkpoint that a person's stopping left is no place to go back to."""
    story = {"spoil": {16: 1e4}, "steps": 24}
    straight = crash(tmp_path / "straight", **story)
    crash(tmp_path / "a", stop_at=stop_at, **story)
    assert crash(tmp_path / "a", resume=True, **story)["digest"] == straight["digest"]


def test_two_processes_killed_and_resumed(crash: Crash, tmp_path: Path) -> None:
    straight = crash(tmp_path / "straight", processes=2, **PACE)
    assert straight["codes"] == [0, 0]
    for moment in range(2):
        folder = tmp_path / f"a{moment}"
        after = random.Random(moment).uniform(0.2, straight["seconds"])
        crash(folder, kill_after=after, processes=2, **PACE)
        assert crash(folder, processes=2, resume=True, **PACE)["digest"] == straight["digest"]


def test_two_processes_stopped_and_resumed(crash: Crash, tmp_path: Path) -> None:
    """The checkpoint holds the state of all rows, as one process would have written it."""
    job = {"rows": 5, "steps": 12}
    straight = crash(tmp_path / "straight", processes=2, **job)
    crash(tmp_path / "a", processes=2, stop_at=7, **job)
    crash(tmp_path / "one", stop_at=7, **job)
    two, one = (Checkpoints(tmp_path / name).latest() for name in ("a", "one"))
    assert two is not None
    assert one is not None
    assert two.tensors["state/hidden"].shape == (5, 5)
    torch.testing.assert_close(two.tensors, one.tensors, rtol=1e-4, atol=1e-6)
    assert crash(tmp_path / "a", processes=2, resume=True, **job)["digest"] == straight["digest"]
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "straight")


def torchrun(folder: Path, kill_after: float | None = None, **job: object) -> dict:
    answer = folder.with_suffix(".answer")
    answer.unlink(missing_ok=True)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += [str(HERE / "crash_driver.py"), json.dumps({"folder": str(folder), **job})]
    # A session of its own, so that the whole of it can be killed at once, as a power cut would.
    process = subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, start_new_session=True
    )
    try:
        _, errors = process.communicate(timeout=kill_after or 120)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return {}
    assert process.returncode == 0, errors
    return json.loads(answer.read_text())


def test_torchrun_gives_the_losses_of_one_process(crash: Crash, tmp_path: Path) -> None:
    """Dropout, random resets and an uneven split of 5 rows; the state of both is in the one checkpoint."""
    job = {"rows": 5, "steps": 12}
    one = crash(tmp_path / "one", **job)
    two = torchrun(tmp_path / "two", **job)
    assert two["losses"] == pytest.approx(one["losses"], rel=1e-5)
    # And resumed by another number of processes: stopped by one, gone on with by two.
    crash(tmp_path / "moved", stop_at=7, **job)
    moved = crash(tmp_path / "moved", processes=2, resume=True, **job)
    assert moved["losses"] == pytest.approx(one["losses"][7:], rel=1e-5)


LONG = {"steps": 300, "pace": 0.01}


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """The run under torchrun that nothing happens to, and how long it took."""
    began = time.monotonic()
    straight = torchrun(tmp_path_factory.mktemp("long") / "a", **LONG)
    return straight | {"seconds": time.monotonic() - began}


@pytest.mark.slow
@pytest.mark.parametrize("moment", range(TORCHRUN_MOMENTS))
def test_torchrun_killed_at_a_random_moment(long: dict, tmp_path: Path, moment: int) -> None:
    after = random.Random(moment).uniform(0.3, 0.95) * long["seconds"]
    torchrun(tmp_path / "a", kill_after=after, **LONG)
    assert torchrun(tmp_path / "a", resume=True, **LONG)["digest"] == long["digest"]
