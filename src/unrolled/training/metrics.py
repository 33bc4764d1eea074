"""How fast it goes, and what share of its cores the run really had."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


class Throughput:
    """Units and updates a second, over about the last `window` seconds."""

    def __init__(self, window: float = 5.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.window = window
        self.clock = clock
        self._pauses = 0.0
        self._marks: deque[tuple[float, float, int]] = deque([(clock(), 0.0, 0)])

    def update(self, units: float) -> None:
        """An update of so many units has just been done."""
        now = self.clock() - self._pauses
        _, before, updates = self._marks[-1]
        self._marks.append((now, before + units, updates + 1))
        while len(self._marks) > 2 and now - self._marks[1][0] > self.window:
            self._marks.popleft()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """What is done within it (a validation, a checkpoint) does not count."""
        began = self.clock()
        try:
            yield
        finally:
            self._pauses += self.clock() - began

    def per_second(self) -> float:
        """Units a second; 0 before anything was measured."""
        (first, before, _), (last, after, _) = self._marks[0], self._marks[-1]
        return (after - before) / (last - first) if last > first else 0.0

    def seconds_per_update(self) -> float:
        (first, _, before), (last, _, after) = self._marks[0], self._marks[-1]
        return (last - first) / (after - before) if after > before else 0.0


class CoreShare:
    """The share of its cores that this process really had since the object was made, from 0 to 1.

    Where the kernel says how long threads that could run had to wait for a core (`/proc/self/task/*/schedstat`: time
    on a core, time waiting), it is time run ÷ (time run + time waited). What a hypervisor took away (`steal` in
    `/proc/stat`) is no waiting that the kernel sees, and lowers it by the machine's stolen ÷ (busy + stolen).
    A run that sleeps or has few threads is not blamed for it: only time that was wanted and not given counts.
    Elsewhere: processor time ÷ (time × threads), which is too low for a run that sleeps, and never too high.
    """

    def __init__(self) -> None:
        self._clock = time.monotonic()
        self._processor = time.process_time()
        self._waits = _waits()
        self._machine = _machine()

    def share(self) -> float:
        waits, machine = _waits(), _machine()
        if waits is None or self._waits is None:
            import torch  # here, since what needs no torch measures itself too

            wanted = (time.monotonic() - self._clock) * min(torch.get_num_threads(), os.cpu_count() or 1)
            return min(1.0, (time.process_time() - self._processor) / wanted) if wanted > 0 else 1.0
        # Threads that have ended take their figures with them: what is left may have gone down.
        run, wait = (max(0, now - before) for now, before in zip(waits, self._waits, strict=True))
        had = run / (run + wait) if run + wait else 1.0
        if machine is None or self._machine is None:
            return had
        busy, stolen = (now - before for now, before in zip(machine, self._machine, strict=True))
        return had * (busy / (busy + stolen) if busy + stolen > 0 else 1.0)


def _waits() -> tuple[int, int] | None:
    """(nanoseconds on a core, nanoseconds waiting for one) of all threads of this process."""
    run = wait = 0
    try:
        for task in Path("/proc/self/task").iterdir():
            try:
                on, off, _ = (task / "schedstat").read_text().split()
            except (FileNotFoundError, ProcessLookupError):
                continue  # the thread has ended since it was listed
            run, wait = run + int(on), wait + int(off)
    except OSError:
        return None
    return (run, wait) if run else None


def _machine() -> tuple[int, int] | None:
    """(ticks the machine was busy, ticks stolen from it)."""
    try:
        user, nice, system, _idle, _iowait, irq, softirq, stolen = map(
            int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
        )
    except (OSError, ValueError):
        return None
    return user + nice + system + irq + softirq, stolen
