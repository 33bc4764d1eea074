"""Trainings and studies in processes of their own, which outlive the lab: started as a person would start them.

What such a process says on its way stands in the run's folder, where everybody can watch it; what it said last when it
failed is kept beside the runs, in `.lab/NAME.txt`.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from unrolled.errors import RunError, UserError
from unrolled.workshop import disk
from unrolled.workshop import folder as folders
from unrolled.workshop.folder import RunFolder

#: Where, below the folder of the runs, the last words of trainings are kept; and how many characters of them are read.
WORDS = ".lab"
LONGEST = 2000
#: How the command begins what it says when it fails.
OURS = "unrolled: "
#: Trainings that may run at a time, started here.
MOST = 4
#: What each process has open, where the system tells.
PROCESSES = Path("/proc")
#: Of those that failed before they had a folder, so many are remembered.
REMEMBERED = 20


class TooManyTrainingsError(UserError):
    """No more trainings now."""


@dataclass
class Child:
    """A process that was started here. path: the run's folder. words: the file of its last words."""

    path: Path
    recipe: str
    words: Path
    process: subprocess.Popen[bytes]
    began: float = field(default_factory=time.time)

    @property
    def alive(self) -> bool:
        return self.process.poll() is None


class Trainings:
    """Those that were started here, and whoever else trains in a run's folder."""

    def __init__(self) -> None:
        self.children: dict[Path, Child] = {}
        self._starting = threading.Lock()

    def start(self, home: Path, recipe: str, name: str, suggestion: str, words: Sequence[str]) -> Child:
        """`unrolled train RECIPE WORDS`, as the run `name` or one like `suggestion`. RunError where that is taken."""
        with self._starting:
            taken = {path.name for path in (home.iterdir() if home.is_dir() else ())} | {
                child.path.name for child in self.children.values() if child.alive and child.path.parent == home
            }
            base, number = folders.check_name(name) if name else folders.plain_name(suggestion), 1
            while (chosen := base if number == 1 else f"{base}-{number}") in taken:
                if name:
                    raise RunError(f"a run called {name} exists: choose another name, or go on with it")
                number += 1
            return self._begin(home / chosen, recipe, ["train", recipe, *words, f"--name={chosen}", f"--runs={home}"])

    def resume(self, run: RunFolder, recipe: str) -> Child:
        """`unrolled resume RUN`. RunError where it trains already, or is finished."""
        with self._starting:
            if self.holder(run) or self.starting(run.path):
                raise RunError(f"{run.name}: it is training already")
            if run.weights_file.exists():
                raise RunError(f"{run.name}: finished, its budget is used up; a new run can start from its weights")
            return self._begin(run.path, recipe, ["resume", str(run.path)])

    def study(self, home: Path, name: str, words: Sequence[str]) -> Child:
        """`unrolled study WORDS`; what it says goes into a file, line by line."""
        with self._starting:
            return self._begin(home / "studies" / name, "", ["study", *words, f"--runs={home}"], keep=True)

    def _begin(self, path: Path, recipe: str, words: Sequence[str], keep: bool = False) -> Child:
        if sum(child.alive for child in self.children.values()) >= MOST:
            raise TooManyTrainingsError(f"{MOST} trainings run already: wait until one is done, or stop one")
        said = last_words(path)
        try:
            said.parent.mkdir(parents=True, exist_ok=True)
            with (
                said.open("wb") as complaints,
                (said.with_suffix(".jsonl") if keep else Path(os.devnull)).open("wb") as out,
            ):
                process = subprocess.Popen(
                    [sys.executable, "-m", "unrolled", *words],
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=complaints,
                    # Neither Ctrl-C in the lab's terminal nor its end reaches it.
                    start_new_session=True,
                )
        except OSError as error:
            raise disk.unwritable(error, said) from error
        child = Child(path, recipe, said, process)
        self.children[path] = child
        for old in [key for key, one in self.children.items() if not one.alive][:-REMEMBERED]:
            del self.children[old]
        return child

    def starting(self, path: Path) -> bool:
        """Whether a process that was started here is at work in this folder, or about to be."""
        child = self.children.get(path)
        return child is not None and child.alive

    def holder(self, run: RunFolder) -> int | None:
        """The process that trains in the run's folder, whoever started it; None where none does."""
        child = self.children.get(run.path)
        if child is not None and child.alive:
            return child.process.pid
        return holder(run.checkpoints / ".lock")

    def trains(self, run: RunFolder) -> bool:
        """Whether a process has taken the run's folder, and so trains or is about to."""
        return holder(run.checkpoints / ".lock") is not None

    def stop(self, run: RunFolder) -> None:
        """Ask it to save and end, as Ctrl-C does. RunError where nothing trains there."""
        pid = self.holder(run)
        if pid is None:
            raise RunError(f"{run.name}: nothing trains in it now")
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            return
        except PermissionError as error:
            raise RunError(f"{run.name}: it is trained by another user's process, {pid}") from error

    def problem(self, path: Path) -> str:
        """What the last training of the run said when it failed; empty where it did not."""
        try:
            text = last_words(path).read_text(encoding="utf-8", errors="replace")[-LONGEST:]
        except OSError:
            return ""
        last = (text.strip().splitlines() or [""])[-1]
        # Anything else is a library's warning.
        failed = last.startswith(OURS) or "Traceback (most recent call last)" in text
        return last.removeprefix(OURS) if failed else ""

    def forget(self, child: Child) -> None:
        """Its failure has been told to whoever asked for it."""
        self.children.pop(child.path, None)
        child.words.unlink(missing_ok=True)


def last_words(path: Path) -> Path:
    """The file in which the last words of a training in `path` are kept."""
    return path.parent / WORDS / f"{path.name}.txt"


def holder(lock: Path) -> int | None:
    """The process that holds a lock, by the number in it and by what that process has open; it is not tried.

    Trying a lock takes it for a moment, in which a training that starts would be refused.
    """
    try:
        pid = int(lock.read_bytes()[:32])
        if pid <= 1:
            return None
        os.kill(pid, 0)
        if PROCESSES.exists():
            # A folder that was copied from elsewhere holds the number of some process of that machine.
            opened = (PROCESSES / str(pid) / "fd").iterdir()
            return pid if any(link.exists() and os.path.samefile(link, lock) for link in opened) else None
        return pid if _is_locked(lock) else None
    except (OSError, ValueError, OverflowError):
        return None


def _is_locked(lock: Path) -> bool:
    """Whether anybody holds it, found out by trying, where the system does not tell what a process has open."""
    with lock.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
