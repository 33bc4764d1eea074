"""How long a person waits after pressing Enter: whole processes, from their start to what is seen of them."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator, Sequence

from benchmarks.command import failed, installed_command
from unrolled.workshop.results import Figure

SUMMARY = "Seconds from the start of a process: `unrolled --help` whole, `unrolled sample tiny` to its first character"
#: Runs that count, after one that brings the files into memory.
RUNS = 10


def measure() -> Iterator[Figure]:
    command = installed_command()
    yield repeated("unrolled --help, whole", "< 0.3", until_end, [command, "--help"])
    yield repeated("unrolled sample tiny, first character", "< 2.5", until_first_byte, [command, "sample", "tiny"])


def repeated(name: str, target: str, timed: Callable[[Sequence[str]], float], command: Sequence[str]) -> Figure:
    """`timed(command)` RUNS times, after one that does not count; milliseconds are the last digit."""
    timed(command)
    return Figure(name, "s", tuple(round(timed(command), 3) for _ in range(RUNS)), target)


def until_end(command: Sequence[str]) -> float:
    """Seconds from the start of the process to its end."""
    began = time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    seconds = time.perf_counter() - began
    if done.returncode != 0:
        raise failed(command, done.stderr)
    return seconds


def until_first_byte(command: Sequence[str]) -> float:
    """Seconds from the start of the process to the first byte on its standard output; then it is ended."""
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0) as process:
        first = process.stdout.read(1)
        seconds = time.perf_counter() - began
        process.kill()
        if not first:
            raise failed(command, process.stderr.read().decode())
    return seconds
