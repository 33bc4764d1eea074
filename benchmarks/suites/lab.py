"""The lab beside a training: what its server takes while somebody watches, what that costs the training, and how soon a
long run is there.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.command import failed, installed_command
from unrolled.workshop.results import Figure

SUMMARY = "The lab: seconds to its first page, its share of a core while it feeds one client, and a training beside it"
#: Starts of the lab, and openings of the long run, that count.
RUNS = 5
#: Events of the long run.
EVENTS = 100_000
#: Pairs of trainings, watched and unwatched, in the order A B B A, and updates of each.
PAIRS = 6
STEPS = 400
#: Small, so that there are many events a second: what the lab passes on, it passes on often.
TRAINING = ["--sizes", "128", "--batch-size", "32", "--window", "32", "--threads", "1", "--dtype", "float32"]


def measure() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="unrolled-lab-") as name:
        folder = Path(name)
        runs = folder / "runs"
        runs.mkdir()
        first = [until_first_page(folder) for _ in range(RUNS + 1)][1:]
        yield Figure("from the start of the process to the first page and its list of runs", "s", rounded(first), "< 2")
        # One that does not count brings files and caches in, and gives the long run its configuration.
        train(folder, "first", watched=False)
        long_run(runs / "first", runs / "long")
        opened = [until_history(folder) for _ in range(RUNS)]
        yield Figure(f"opening a run of {EVENTS:,} events, its curves whole", "s", rounded(opened), "< 1")
        watched, alone, shares = [], [], []
        for pair in range(PAIRS):
            for watch in (True, False)[:: 1 if pair % 2 == 0 else -1]:
                rate, share = train(folder, f"{'watched' if watch else 'alone'}-{pair}", watch)
                (watched if watch else alone).append(rate)
                shares += [share] if watch else []
        ratios = [one / other for one, other in zip(watched, alone, strict=True)]
        yield Figure("the server's share of one core while it feeds one client", "%", rounded(shares), "< 2")
        yield Figure("updates a second, watched, as a share of those unwatched", "ratio", rounded(ratios))
        low, _, high = statistics.quantiles(ratios, n=4)
        yield Figure("the same, distance between its quartiles", "ratio", rounded([high - low]))
        off = abs(statistics.median(ratios) - 1)
        # "Equal within the noise shown": the median is no further from 1 than the quartiles are apart.
        yield Figure("how far the median is from 1, in such distances", "ratio", rounded([off / (high - low)]), "<= 1")


def rounded(values: list[float]) -> tuple[float, ...]:
    return tuple(round(value, 3) for value in values)


@contextmanager
def opened_lab(folder: Path) -> Iterator[tuple[str, str, int]]:
    """A lab over the folder's runs: (host, token, process)."""
    command = [installed_command(), "--json", "lab", str(folder / "runs"), "--no-open"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment(folder)) as process:
        try:
            line = process.stdout.readline()
            if not line:
                raise failed(command, "it ended before it could be opened")
            address = urlsplit(json.loads(line)["address"])
            yield address.netloc, address.query.partition("=")[2], process.pid
        finally:
            process.terminate()


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "UNROLLED_CACHE": str(folder / "cache")}


def ask(host: str, token: str, path: str) -> http.client.HTTPResponse:
    """One answer, whose body is still to be read."""
    connection = http.client.HTTPConnection(host, timeout=60)
    connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
    return connection.getresponse()


def until_first_page(folder: Path) -> float:
    """Seconds from the start of `unrolled lab` until a browser has the page and the list of runs."""
    began = time.perf_counter()
    with opened_lab(folder) as (host, token, _):
        for path in ("/", "/static/lab.js", "/api/lab", "/api/runs"):
            with ask(host, token, path) as answer:
                answer.read()
        return time.perf_counter() - began


def long_run(like: Path, run: Path) -> None:
    """A run of EVENTS updates with the configuration of another."""
    shutil.copytree(like, run)
    update = next(event for event in map(json.loads, (like / "events.jsonl").open()) if event["event"] == "updated")
    with (run / "events.jsonl").open("w") as log:
        for step in range(1, EVENTS + 1):
            log.write(json.dumps({**update, "step": step, "loss": 2 + 3 / step}) + "\n")


def until_history(folder: Path) -> float:
    """Seconds from asking a lab that has just been started for the long run until its curves are there."""
    with opened_lab(folder) as (host, token, _):
        # The process that loads torch is not what is measured.
        ask(host, token, "/api/names").read()
        began = time.perf_counter()
        with ask(host, token, "/api/runs/long/events") as answer:
            while not answer.readline().startswith(b"data: "):
                pass
        return time.perf_counter() - began


def train(folder: Path, name: str, watched: bool) -> tuple[float, float]:
    """(updates a second over the second half, the server's share of one core in %) of a training with a lab open beside
    it, which somebody who draws nothing watches, or nobody.
    """
    command = [installed_command(), "train", "char-lm", "--name", name, "--runs", str(folder / "runs")]
    command += [*TRAINING, "--steps", str(STEPS)]
    if not watched:
        return updates_per_second(command, folder), 0.0
    with opened_lab(folder) as (host, token, server):
        ask(host, token, "/api/names").read()
        stopped = threading.Event()
        log = folder / "runs" / name / "events.jsonl"
        watcher = threading.Thread(target=watch, args=(host, token, name, log, stopped))
        watcher.start()
        began, used = time.perf_counter(), cpu_seconds(server)
        try:
            rate = updates_per_second(command, folder)
            share = 100 * (cpu_seconds(server) - used) / (time.perf_counter() - began)
        finally:
            stopped.set()
            watcher.join()
    return rate, share


def watch(host: str, token: str, name: str, log: Path, stopped: threading.Event) -> None:
    """Read what the lab says of a run, as soon as there is one, and throw it away."""
    while not log.exists():
        if stopped.wait(0.05):
            return
    with ask(host, token, f"/api/runs/{name}/events") as answer:
        while answer.readline() and not stopped.is_set():
            pass


def updates_per_second(command: list[str], folder: Path) -> float:
    """Run a training to its end; the rate by the times at which its second half was written down."""
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment(folder))
    if done.returncode != 0:
        raise failed(command, done.stderr)
    folder_of_run = Path(next(json.loads(line)["folder"] for line in done.stdout.splitlines()))
    events = map(json.loads, (folder_of_run / "events.jsonl").open())
    times = [event["at"] for event in events if event["event"] == "updated"]
    half = times[len(times) // 2 :]
    return (len(half) - 1) / (half[-1] - half[0])


def cpu_seconds(process: int) -> float:
    """That a process has used so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
