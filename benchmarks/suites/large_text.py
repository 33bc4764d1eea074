"""Training on a text larger than the memory it may use: beside the same training on one thousandth of it."""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sysconfig
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.command import failed, installed_command
from unrolled.errors import UserError
from unrolled.workshop.results import Figure

SUMMARY = "Training on 1 GiB of text beside 1 MiB of it: anonymous memory, characters a second, and encoding apart"
#: The small text, in bytes, and how many of it are the large one: both have the same characters, so the same model.
BLOCK = 1 << 20
BLOCKS = 1024
STEPS = 120
#: Pairs of trainings, small and large, in the order A B B A.
PAIRS = 4
#: Seconds between two looks at a process's memory.
EVERY = 0.01


@dataclass(frozen=True)
class Training:
    """What was seen of one training from outside.

    until_began: seconds from the start of the process until its data was ready. per_second: characters, the median over
    the second half of the updates. anonymous: the most memory that is no file's, in MiB.
    """

    until_began: float
    per_second: float
    anonymous: float


def measure() -> Iterator[Figure]:
    if not Path("/proc/self/status").exists():
        raise UserError("anonymous memory is told apart on Linux alone: run this suite there")
    with tempfile.TemporaryDirectory(prefix="unrolled-large-text-") as name:
        folder = Path(name)
        block = python_text(BLOCK)
        small, large = folder / "small.txt", folder / "large.txt"
        small.write_bytes(block)
        with large.open("wb") as file:
            for _ in range(BLOCKS):
                file.write(block)
        # The first training on a text encodes it; those that follow find it encoded.
        first_small, first_large = train(small, folder, 2), train(large, folder, 2)
        encoding = round(first_large.until_began - first_small.until_began, 1)
        yield Figure("encoding the large text, above the small one", "s", (encoding,))
        above = round(first_large.anonymous - first_small.anonymous, 1)
        yield Figure("anonymous memory while encoding, above the small text's", "MiB", (above,), "< 1024")
        smalls, larges = [], []
        for pair in range(PAIRS):
            for text, found in ((small, smalls), (large, larges))[:: 1 if pair % 2 == 0 else -1]:
                found.append(train(text, folder, STEPS))
    pairs = list(zip(larges, smalls, strict=True))
    memory = tuple(round(big.anonymous - little.anonymous, 1) for big, little in pairs)
    yield Figure("anonymous memory in training, above the small text's", "MiB", memory, "< 1024")
    speed = tuple(round(big.per_second / little.per_second, 3) for big, little in pairs)
    yield Figure("characters a second, as a share of the small text's", "ratio", speed, ">= 0.9")


def python_text(size: int) -> bytes:
    """`size` bytes of ASCII from Python's own library."""
    found = bytearray()
    for file in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        found += file.read_text(encoding="utf-8").encode("ascii", "ignore")
        if len(found) >= size:
            return bytes(found[:size])
    raise UserError(f"Python's library has {len(found):,} bytes at its top, and {size:,} are needed")


def train(text: Path, folder: Path, steps: int) -> Training:
    """Train on `text`, with runs and cache in `folder`; all of it, as validation takes longer the longer a text is."""
    command = [installed_command(), "train", "char-lm", "--data", str(text), "--split", "1", "0", "0"]
    command += ["--steps", str(steps), "--runs", str(folder / "runs")]
    return watched(command, {"UNROLLED_CACHE": str(folder / "cache")})


def watched(command: Sequence[str], environment: Mapping[str, str]) -> Training:
    """Run a training to its end, with these variables added to the environment, and watch it."""
    began = time.perf_counter()
    until_began, speeds = 0.0, []
    with (
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=said, text=True, env={**os.environ, **environment}
        ) as process,
    ):
        highest = Highest(process.pid)
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "began":
                until_began = time.perf_counter() - began
            elif event["event"] == "updated":
                speeds.append(event["per_second"])
        code = process.wait()
        highest.stop()
        if code != 0 or not speeds:
            said.seek(0)
            raise failed(command, said.read())
    return Training(until_began, statistics.median(speeds[len(speeds) // 2 :]), highest.mebibytes)


class Highest:
    """Watches the anonymous memory of a process, from another thread, until `stop`."""

    def __init__(self, process: int) -> None:
        self.mebibytes = 0.0
        self._status = Path(f"/proc/{process}/status")
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stopped.wait(EVERY):
            try:
                status = self._status.read_text()
            except (FileNotFoundError, ProcessLookupError):
                return  # it has ended, and was waited for
            # One that has ended, but was not yet waited for, has no memory to tell of.
            if told := re.search(r"RssAnon:\s+(\d+) kB", status):
                self.mebibytes = max(self.mebibytes, int(told[1]) / 1024)

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()
