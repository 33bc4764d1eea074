"""The jobs of a study, several at a time, each in a process of its own: one that crashes or leaks costs the others
nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from unrolled.studies.study import Job, best
from unrolled.workshop.messages import JobBegan, JobEnded, JobProgress, Message
from unrolled.workshop.study_folder import Found, StudyFolder

#: Seconds that jobs which are asked to stop have for saving what they hold, and between two looks at the clock.
PATIENCE = 60.0
LOOK = 0.1
#: Characters of a job's last line that its record keeps.
LONGEST_ERROR = 500


@dataclass
class Worker:
    """A job at work. job: as it was handed out; asked: as the study has it."""

    asked: Job
    job: Job
    process: subprocess.Popen[bytes]
    began: float
    listener: threading.Thread


class Crew:
    """Hands out jobs and takes in what they found.

    study: as it is called on the command line. size: how many at a time. threads: for each.
    commit, machine: what each job is told to write down as its own.
    """

    def __init__(
        self, study: str, folder: StudyFolder, size: int, threads: int, commit: Callable[[], str], machine: str
    ) -> None:
        self.study, self.folder, self.size, self.threads = study, folder, size, threads
        self.commit, self.machine = commit, machine
        self.found: dict[str, Found] = {}
        self.failed: dict[str, str] = {}
        self.workers: list[Worker] = []
        self._said: queue.SimpleQueue[JobProgress] = queue.SimpleQueue()

    def run(self, jobs: list[Job], stop: Callable[[], bool]) -> Iterator[Message]:
        """Every job that is not in `found` yet; ends early, with none at work, when `stop` says so."""
        waiting = [job for job in jobs if job.name not in self.found]
        try:
            while (waiting or self.workers) and not stop():
                while len(self.workers) < self.size and (job := self._next(waiting)) is not None:
                    waiting.remove(job)
                    yield self._hand_out(job)
                yield from self._progress()
                yield from self._take_in()
            yield from self._ask_to_stop()
        finally:
            for worker in self.workers:
                worker.process.kill()
                worker.process.wait()
                self._close(worker)

    def _next(self, waiting: list[Job]) -> Job | None:
        """The first job whose choices have been made."""
        return next((j for j in waiting if all(n in self.found or n in self.failed for n in j.best_of)), None)

    def _hand_out(self, asked: Job) -> Message:
        job = asked
        if asked.best_of:
            outcomes = [self.found[name].outcome for name in asked.best_of if name in self.found]
            if not outcomes:
                return self._fail(asked, 0.0, f"all {len(asked.best_of)} jobs that it takes options from have failed")
            chosen = best(outcomes).found["options"]
            job = replace(asked, options={**asked.options, **{name: chosen[name] for name in asked.takes}})
        # Threads are set for every library before it is loaded; Ctrl-C is for this process alone, which then asks.
        threads = str(self.threads)
        with self.folder.failure(job.name).open("wb") as complaints:
            process = subprocess.Popen(
                [sys.executable, "-m", "unrolled.workshop.study_job"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                env={**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads},
                start_new_session=True,
            )
        listener = threading.Thread(target=self._listen, args=(job.name, process), daemon=True)
        listener.start()
        worker = Worker(asked, job, process, time.monotonic(), listener)
        self.workers.append(worker)
        self._tell(worker)
        return JobBegan(job.name)

    def _tell(self, worker: Worker) -> None:
        said = {
            "study": self.study,
            "folder": str(self.folder.path),
            "job": worker.job.to_dict(),
            "asked": worker.asked.to_dict(),
            "threads": self.threads,
            "commit": self.commit(),
            "machine": self.machine,
        }
        assert worker.process.stdin is not None
        # Where it has died already, its exit code will tell.
        with contextlib.suppress(BrokenPipeError):
            # Stays open: the job ends when it is closed, even by a kill of this process.
            worker.process.stdin.write(json.dumps(said).encode() + b"\n")
            worker.process.stdin.flush()

    def _listen(self, name: str, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                # A line that a kill cut off says nothing.
                if line.endswith(b"\n"):
                    self._said.put(JobProgress(name, **json.loads(line)))

    def _progress(self) -> Iterator[Message]:
        """What the jobs have said by now; waits a moment where they have said nothing."""
        try:
            yield self._said.get(timeout=LOOK)
            while True:
                yield self._said.get_nowait()
        except queue.Empty:
            return

    def _take_in(self) -> Iterator[Message]:
        """The jobs whose processes have ended."""
        for worker in list(self.workers):
            code = worker.process.poll()
            if code is None:
                continue
            self.workers.remove(worker)
            self._close(worker)
            minutes = (time.monotonic() - worker.began) / 60
            found = self.folder.read(worker.asked)
            # What is whole counts, however the process ended after it.
            if found is not None:
                self.found[worker.asked.name] = found
                self.folder.failure(worker.asked.name).unlink(missing_ok=True)
                yield JobEnded(worker.asked.name, "done", minutes, _numbers(found.outcome.found))
            else:
                yield self._fail(worker.asked, minutes, self._complaint(worker, code))

    def _fail(self, job: Job, minutes: float, error: str) -> JobEnded:
        self.failed[job.name] = error
        return JobEnded(job.name, "failed", minutes, {}, error)

    def _complaint(self, worker: Worker, code: int) -> str:
        """The last line that the job wrote to standard error, and how it ended."""
        text = self.folder.failure(worker.asked.name).read_text(encoding="utf-8", errors="replace")
        lines = text.strip().splitlines()
        if code < 0:
            return f"ended by {signal.Signals(-code).name}" + (f": {lines[-1][:LONGEST_ERROR]}" if lines else "")
        return lines[-1][:LONGEST_ERROR] if lines else f"ended with exit code {code} and no word"

    def _ask_to_stop(self) -> Iterator[Message]:
        """A training saves what it has and ends; what is not over in time is ended."""
        for worker in self.workers:
            worker.process.terminate()
        deadline = time.monotonic() + PATIENCE
        for worker in list(self.workers):
            try:
                worker.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
            self.workers.remove(worker)
            self._close(worker)
            minutes = (time.monotonic() - worker.began) / 60
            # It may just have finished.
            if (found := self.folder.read(worker.asked)) is not None:
                self.found[worker.asked.name] = found
            self.folder.failure(worker.asked.name).unlink(missing_ok=True)
            yield JobEnded(worker.asked.name, "stopped" if found is None else "done", minutes, {})

    def _close(self, worker: Worker) -> None:
        worker.listener.join()
        # Where something was still in it, for a job that has gone.
        with contextlib.suppress(BrokenPipeError):
            assert worker.process.stdin is not None
            worker.process.stdin.close()


def _numbers(found: Mapping[str, Any]) -> dict[str, float]:
    """The figures that a person wants to see at once: of the last part that was measured, or whatever is a number."""
    parts = [found[part] for part in ("test", "valid") if isinstance(found.get(part), Mapping)]
    shown = parts[0] if parts else found
    return {name: value for name, value in shown.items() if isinstance(value, (int, float))}
