"""Processes that run the actions: models and torch stay out of the server, whose memory is flat, and whose loop never
waits for them.

An action that takes too long, or whose reader has gone and which does not stop, is ended with its process; another
takes its place. What one says is passed on in pieces as it comes, and a slow reader slows it down and fills nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from typing import Any

from unrolled.errors import UnrolledError
from unrolled.web import plain
from unrolled.web.streams import event

#: At work at a time, and waiting for their turn.
SIZE = 2
MOST_WAITING = 32
#: Seconds that an action may take, that one which was told to stop may take to do so, and that a process may to start.
LONGEST = 900.0
PATIENCE = 2.0
START = 120.0
#: Bytes that are passed on at a time.
PIECE = 1 << 16
_GONE = (
    f"the process that worked on this has ended, after {LONGEST / 60:.0f} minutes or for want of memory: ask for less"
)
_NO_START = (
    "no process that works on models can be started here: the lab's terminal says why; `unrolled doctor` may, too"
)


class BusyError(UnrolledError):
    """Too many are waiting already."""


class GoneError(UnrolledError):
    """A process has ended in the middle of an action."""


class Worker:
    """One process. names: of cells and kernels, as it knows them."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.names: dict[str, list[str]] = {}

    @classmethod
    async def start(cls) -> Worker:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "unrolled.web.worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=PIECE,
            # Ctrl-C is for the server alone, which then closes this one's input.
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        worker = cls(process)
        try:
            _, size = await asyncio.wait_for(worker.head(), START)
            worker.names = plain.decode(await worker.rest(size))
        except TimeoutError:
            worker.kill()
            raise GoneError(_NO_START) from None
        except GoneError:
            raise GoneError(_NO_START) from None
        except BaseException:
            worker.kill()
            raise
        return worker

    async def head(self) -> tuple[str, int]:
        """What comes next, and how many bytes; GoneError where the process has ended."""
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        if not line.endswith(b"\n"):
            raise GoneError(_GONE)
        head, size = line.split()
        return head.decode(), int(size)

    async def pieces(self, size: int) -> AsyncIterator[bytes]:
        """The next `size` bytes, as they come."""
        assert self.process.stdout is not None
        while size:
            piece = await self.process.stdout.read(min(size, PIECE))
            if not piece:
                raise GoneError(_GONE)
            size -= len(piece)
            yield piece

    async def rest(self, size: int) -> bytes:
        return b"".join([piece async for piece in self.pieces(size)])

    async def takes(self, job: dict[str, Any]) -> bool:
        """Give it a job; whether it has taken it."""
        try:
            await self.tell(job)
            return await self.head() == ("T", 0)
        except (OSError, GoneError):
            return False

    async def tell(self, said: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(plain.encode(said) + b"\n")
        await self.process.stdin.drain()

    async def stopped(self) -> bool:
        """Tell it to leave its action; whether it did."""
        try:
            await self.tell({"cancel": True})
            async with asyncio.timeout(PATIENCE):
                while True:
                    head, size = await self.head()
                    async for _ in self.pieces(size):
                        pass
                    if head in "DX":
                        return True
        except (TimeoutError, OSError, GoneError):
            return False

    def kill(self) -> None:
        """End it, whatever it does."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()


class Workers:
    """A few of them, started as they are needed, the first at once."""

    def __init__(self, size: int = SIZE) -> None:
        self._free = asyncio.Semaphore(size)
        self._idle: list[Worker] = []
        self._all: list[Worker] = []
        self._waiting = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._known: asyncio.Future[dict[str, list[str]]] | None = None

    def warm(self) -> None:
        """Begin one, so that the first action need not wait for torch."""
        self._known = asyncio.get_running_loop().create_future()
        self._later(self._warm())

    async def _warm(self) -> None:
        try:
            self._idle.append(await self._start())
        except GoneError as error:
            # Whoever asks for an action is told so; whoever only waits for names, here.
            if self._known is not None and not self._known.done():
                self._known.set_exception(error)
                self._known.exception()

    async def _start(self) -> Worker:
        worker = await Worker.start()
        self._all = [one for one in self._all if one.process.returncode is None]
        self._all.append(worker)
        if self._known is not None and not self._known.done():
            self._known.set_result(worker.names)
        return worker

    async def names(self) -> dict[str, list[str]]:
        """Of cells and kernels."""
        assert self._known is not None
        return await asyncio.wait_for(asyncio.shield(self._known), START)

    @property
    def cells(self) -> list[str]:
        """The names of the cells, as far as they are known by now."""
        known = self._known
        return known.result()["cells"] if known and known.done() and known.exception() is None else []

    def check(self) -> None:
        """BusyError where no more may wait."""
        if self._waiting >= MOST_WAITING:
            raise BusyError("too many look at models at once: try again in a moment")

    async def run(self, job: dict[str, Any]) -> AsyncIterator[bytes]:
        """What the action says, as server-sent events in pieces; the last is done or an error."""
        if self._free.locked():
            yield event({"event": "waiting"})
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        try:
            worker = await self._take(job)
        except GoneError as error:
            self._free.release()
            yield event({"event": "error", "kind": "GoneError", "message": str(error)})
            return
        except BaseException:
            self._free.release()
            raise
        end = asyncio.get_running_loop().call_later(LONGEST, worker.kill)
        said = _Said()
        try:
            async for piece in said.of(worker):
                yield piece
        except GoneError as error:
            # In the middle of an event nothing more can be said: the reader sees that the stream has broken off.
            if said.inside:
                raise
            yield event({"event": "error", "kind": "GoneError", "message": str(error)})
        finally:
            end.cancel()
            # Nothing may be waited for here, where this task may be being cancelled.
            self._later(self._give_back(worker, said.whole))

    async def _take(self, job: dict[str, Any]) -> Worker:
        """A worker that has taken the job. One that was idle may have died since: the next is asked."""
        while self._idle:
            worker = self._idle.pop()
            if await worker.takes(job):
                return worker
        worker = await self._start()
        if not await worker.takes(job):
            raise GoneError(_GONE)
        return worker

    async def _give_back(self, worker: Worker, whole: bool) -> None:
        try:
            if whole or await worker.stopped():
                self._idle.append(worker)
                return
            worker.kill()
            await worker.process.wait()
            if not self._idle:
                await self._warm()
        finally:
            self._free.release()

    def _later(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End them all: those that nobody holds now, and those at work as soon as the streams that hold them end."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for worker in self._all:
            worker.kill()
            await worker.process.wait()


class _Said:
    """What a worker says of one action. inside: in the middle of an event. whole: it has said all."""

    def __init__(self) -> None:
        self.inside = self.whole = False

    async def of(self, worker: Worker) -> AsyncIterator[bytes]:
        while not self.whole:
            head, size = await worker.head()
            if head == "D":
                self.whole = True
                yield event({"event": "done"})
                return
            self.inside = True
            yield b"data: "
            async for piece in worker.pieces(size):
                yield piece
            self.inside, self.whole = False, head == "X"
            yield b"\n\n"
