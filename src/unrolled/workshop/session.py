"""One training in its run folder: what the loop says is written down as it comes, and handed on."""

from __future__ import annotations

import os
import shlex
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from unrolled.errors import OptionError
from unrolled.recipes.recipe import Data, Options, Recipe
from unrolled.training.events import Event, Finished, Interrupted, Resumed, Sampled
from unrolled.workshop import disk
from unrolled.workshop import folder as folders
from unrolled.workshop.folder import RunFolder
from unrolled.workshop.machine import cores
from unrolled.workshop.messages import Began, Message, Next, Note

if TYPE_CHECKING:
    from unrolled.models.model import Model
    from unrolled.training.checkpoint import Checkpoints
    from unrolled.training.processes import Team


@dataclass(frozen=True)
class Session:
    """All that one training needs."""

    folder: RunFolder
    recipe_name: str
    recipe: Recipe
    options: Options
    data: Data
    model: Model
    team: Team


@contextmanager
def team_for(options: Options) -> Iterator[Team]:
    """Threads and device as asked, and the processes that share the work."""
    import torch

    from unrolled.training import processes
    from unrolled.training.hardware import keep_freed_memory

    if options.device.startswith("cuda") and not torch.cuda.is_available():
        raise OptionError(f"--device {options.device}: torch finds no such accelerator here; leave --device out")
    try:
        device = torch.device(options.device)
    except RuntimeError as error:
        raise OptionError(f"--device {options.device}: expected cpu, cuda or cuda:1") from error
    keep_freed_memory()
    neighbours = _environment_number("LOCAL_WORLD_SIZE", 1)
    _environment_number("WORLD_SIZE", 1)
    _environment_number("RANK", 0)
    before = torch.get_num_threads()
    torch.set_num_threads(options.threads or max(1, cores() // neighbours))
    try:
        with processes.joined(device) as team:
            yield team
    finally:
        torch.set_num_threads(before)


def _environment_number(name: str, least: int) -> int:
    """A number that torchrun sets, or `least`; OptionError where something else set it to something else."""
    value = os.environ.get(name, str(least))
    if not value.isdecimal() or int(value) < least:
        raise OptionError(
            f"the environment variable {name} is {value!r}, and torchrun would make it a number from {least}; "
            "unset it, or start with torchrun"
        )
    return int(value)


def run(
    session: Session, started: float, resuming: bool, clock: Callable[[], float] = time.monotonic
) -> Iterator[Event | Message]:
    """Run the loop, write down what it says, and hand it on; at the end the weights, and what to try next.

    clock, started: what minutes are counted by, and from.
    """
    from unrolled.training.checkpoint import Checkpoints
    from unrolled.training.loop import train as loop

    folder, recipe, data = session.folder, session.recipe, session.data
    log = EventLog(folder)
    checkpoints = Checkpoints(folder.checkpoints, extra=log.position)
    validate, sample = _validation(session), _sampling(session)
    first = session.team.first
    last_sample = ""
    with stop_on_signals() as stop:
        if first:
            yield Began(folder.name, str(folder.path), session.recipe_name, data.summary)
        events = loop(
            session.model,
            data.train,
            recipe.settings(session.options),
            checkpoints=checkpoints,
            validate=validate,
            sample=sample,
            stop=stop,
            started=started,
            resume=resuming,
            team=session.team,
            clock=clock,
        )
        for event in events:
            if not first:
                continue
            if isinstance(event, Resumed):
                log.cut(event.checkpoint, checkpoints)
            log.write(event)
            if isinstance(event, Sampled):
                last_sample = event.text
                _keep_sample(folder, event)
            if isinstance(event, Finished):
                _write_final_weights(session, checkpoints)
            yield event
            if isinstance(event, (Finished, Interrupted)):
                yield from _closing(session, last_sample, isinstance(event, Finished))


def _validation(session: Session) -> Callable[[Model], dict[str, float]] | None:
    part = session.data.held_out.get("valid")
    return None if part is None else lambda model: session.recipe.metric(model, part)


def _sampling(session: Session) -> Callable[[Model, int], str] | None:
    draw = session.recipe.sample
    if draw is None:
        return None
    # The same seed each time, so that what changes between two samples is what was learnt.
    return lambda model, step: draw(model, session.data.assets, session.options.seed)


def _keep_sample(folder: RunFolder, event: Sampled) -> None:
    file = folder.samples / f"step-{event.step:08d}.txt"
    try:
        file.write_text(event.text, encoding="utf-8")
    except OSError as error:
        raise disk.unwritable(error, file) from error


def _write_final_weights(session: Session, checkpoints: Checkpoints) -> None:
    """model.safetensors: the weights that validated best, or the last where nothing was held out."""
    from unrolled.training.snapshot import load_weights
    from unrolled.workshop.weights import write_weights

    best = checkpoints.best()
    if best is not None:
        load_weights(session.model, checkpoints.load(best))
    write_weights(session.folder, session.model)


def _closing(session: Session, sample: str, finished: bool) -> Iterator[Message]:
    """The sample, where the run is, and commands to try."""
    folder = session.folder
    default = folder.path.parent == folders.runs_folder().resolve()
    run = folder.name if default else shlex.quote(str(folder.path))
    if sample:
        yield Note(sample.rstrip("\n") + "\n")
    yield Note(f"The run is in {folder.path}")
    # Code from elsewhere is run only where it is named again.
    cell = f" --cell {session.options.cell}" if ":" in session.options.cell else ""
    use = session.recipe.use(run)
    uses = (f"unrolled {use}{cell}",) if use else ()
    if not finished:
        yield Next((f"unrolled resume {run}{cell}", *uses, f"unrolled runs show {run}"))
        return
    show = f"unrolled runs show {run} --svg {folder.name}.svg"
    yield Next((*uses, f"unrolled evaluate {run}{cell}", show))


class EventLog:
    """events.jsonl of one run: each event is on its way to the disk when the next one begins."""

    def __init__(self, folder: RunFolder) -> None:
        self.file = folder.events_file

    def position(self) -> dict[str, int]:
        """How much has been written when a checkpoint is saved, and is on the disk for good: a resumed run's start."""
        if not self.file.exists():
            return {"events": 0}
        try:
            with self.file.open("rb") as written:
                os.fsync(written.fileno())
                return {"events": os.fstat(written.fileno()).st_size}
        except OSError as error:
            raise disk.unwritable(error, self.file) from error

    def cut(self, checkpoint: str, checkpoints: Checkpoints) -> None:
        """Forget what came after the checkpoint that training goes on from: it will happen again."""
        entry = next(entry for entry in checkpoints.entries() if entry.file == checkpoint)
        kept = int(entry.extra.get("events", 0))
        try:
            if self.file.exists() and self.file.stat().st_size > kept:
                os.truncate(self.file, kept)
        except OSError as error:
            raise disk.unwritable(error, self.file) from error

    def write(self, event: Event) -> None:
        disk.append_line(self.file, {**event.to_dict(), "at": round(time.time(), 3)})


@contextmanager
def stop_on_signals() -> Iterator[Callable[[], bool]]:
    """Gives a function that says whether Ctrl-C (or a polite kill) has asked to stop. A second Ctrl-C does not wait."""
    asked: list[int] = []

    def ask(number: int, frame: object) -> None:
        asked.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def process_start() -> float:
    """The moment at which this process started, on the clock of time.monotonic: the minutes are counted from it."""
    stat = Path("/proc/self/stat")
    if not stat.exists():
        return time.monotonic()
    ticks = int(stat.read_text().rpartition(")")[2].split()[19])
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return time.monotonic() - max(0.0, age)
