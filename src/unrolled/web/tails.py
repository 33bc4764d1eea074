"""Runs watched as they train: one reader of each log for all who watch, and each of these with a bounded queue."""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from unrolled.web.history import History
from unrolled.web.streams import BEAT, event

#: Seconds between two looks at a log, between two looks at who trains, and between signs of life.
LOOK = 0.25
STATE = 1.0
HEARTBEAT = 10.0
#: Batches that a reader may be behind before it is let go; it may come back and go on from where it was.
QUEUE = 100
#: Updates that are passed on at a time; of more, every second, third … only.
MOST_UPDATES = 100
#: Bytes of a log that are read in the loop; more are read beside it.
AT_ONCE = 1 << 16
#: Bytes that a reader who comes back may have missed; beyond, the history is shorter.
MOST_MISSED = 1 << 20
#: Logs that are remembered.
REMEMBERED = 300

#: What ends a reader's queue.
Queue = asyncio.Queue[bytes | None]
Result = TypeVar("Result")


class Tail:
    """One run's log. state: how the run is now, by what its log says."""

    def __init__(self, file: Path, state: Callable[[History], str]) -> None:
        self.history = History(file)
        self.state = ""
        self._ask = state
        self._asked = 0.0
        self._readers: set[Queue] = set()
        self._following: asyncio.Task[None] | None = None
        self._works: set[asyncio.Task[Any]] = set()
        # Held by whoever reads on, or tells a new reader what is known: so nothing is missed, and nothing comes twice.
        self._reading = asyncio.Lock()
        self._told = ("", b"")

    @property
    def watched(self) -> bool:
        return bool(self._readers)

    async def catch_up(self, until: float = math.inf) -> bool:
        """Read what has been written so far, unless time.monotonic() passes `until`; whether all has been read."""
        if self.state == "finished" and self.history.size() == self.history.offset:
            return True
        return await self._whole(self._catch_up(until))

    async def _whole(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Do it to its end, also where whoever asked goes away meanwhile: others wait for what is read."""
        task = asyncio.create_task(work)
        self._works.add(task)
        task.add_done_callback(self._works.discard)
        return await asyncio.shield(task)

    async def _catch_up(self, until: float = math.inf) -> bool:
        async with self._reading:
            while await self._read_on():
                if time.monotonic() > until:
                    return False
            await self._look_who_trains()
            return True

    async def _read_on(self) -> bool:
        """Read the next part and tell everybody; whether there is more."""
        history, before = self.history, self.history.offset
        new = history.size() - before
        if not new:
            return False
        events, anew = await asyncio.to_thread(history.advance) if new > AT_ONCE else history.advance()
        if anew:
            while history.offset != before:
                before = history.offset
                await asyncio.to_thread(history.advance)
            self._tell(self._history())
        elif events:
            self._tell(event({"event": "events", "events": thinned(events)}, history.id))
        # What is no whole line yet is no reason to look again at once.
        return history.offset != before and history.size() > history.offset

    async def _look_who_trains(self) -> None:
        self._asked = time.monotonic()
        state = await asyncio.to_thread(self._ask, self.history)
        if state != self.state:
            self.state = state
            self._tell(event({"event": "state", "state": state}))
        if state == "finished":
            self._tell(event({"event": "done"}))
            self._tell(None)

    async def watch(self, last_id: str) -> AsyncIterator[bytes]:
        """What is known, then what comes. last_id: up to where a reader knows it already."""
        queue: Queue = asyncio.Queue(QUEUE)
        yield await self._whole(self._join(queue, last_id))
        try:
            if self.state == "finished":
                yield event({"event": "done"})
                return
            while True:
                try:
                    said = await asyncio.wait_for(queue.get(), HEARTBEAT)
                except TimeoutError:
                    said = BEAT
                if said is None:
                    return
                yield said
        finally:
            self._readers.discard(queue)

    async def _join(self, queue: Queue, last_id: str) -> bytes:
        """What a new reader is told first; everything later comes by the queue."""
        await self._catch_up()
        async with self._reading:
            first = await asyncio.to_thread(self._missed, last_id) or self._history()
            if self.state != "finished":
                self._readers.add(queue)
                if self._following is None:
                    self._following = asyncio.create_task(self._follow())
            return first

    async def _follow(self) -> None:
        """Read on as long as anybody watches."""
        try:
            while self._readers:
                await asyncio.sleep(LOOK)
                async with self._reading:
                    await self._read_on()
                    if time.monotonic() - self._asked > STATE or self.history.finished:
                        await self._look_who_trains()
        finally:
            self._following = None

    def _history(self) -> bytes:
        """All that is known, in one event; of many who come at once, each gets the same bytes."""
        key = f"{self.history.id} {self.state}"
        if self._told[0] != key:
            said = {"event": "history", "state": self.state, **self.history.to_json()}
            self._told = (key, event(said, self.history.id))
        return self._told[1]

    def _missed(self, last_id: str) -> bytes:
        """What has come since; empty where that cannot be told, or would be long."""
        offset, _, check = last_id.partition("-")
        if not offset.isdecimal() or not 0 < self.history.offset - int(offset) + 1 <= MOST_MISSED:
            return b""
        beside = History(self.history.file)
        if not beside.goes_on_from(int(offset), check):
            return b""
        events: list[dict[str, Any]] = []
        while beside.offset < self.history.offset:
            new, anew = beside.advance(self.history.offset - beside.offset)
            if anew or not new:
                return b""
            events += new
        said = event({"event": "state", "state": self.state}, self.history.id)
        return (event({"event": "events", "events": thinned(events)}) if events else b"") + said

    def _tell(self, said: bytes | None) -> None:
        for queue in list(self._readers):
            if said is None or queue.full():
                # The end: one that is so far behind begins again from where it was, when it comes back.
                while queue.full():
                    queue.get_nowait()
                self._readers.discard(queue)
                said_to = None
            else:
                said_to = said
            queue.put_nowait(said_to)

    def close(self) -> None:
        """Let every reader go."""
        self._tell(None)


def thinned(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All events but updates, and of these MOST_UPDATES at most, the last among them."""
    updates = [event for event in events if event["event"] == "updated"]
    if len(updates) <= MOST_UPDATES:
        return events
    every = -(-len(updates) // MOST_UPDATES)
    kept = {id(event) for event in updates[::-1][::every]}
    return [event for event in events if event["event"] != "updated" or id(event) in kept]


class Tails:
    """The logs of all runs, as far as they are remembered."""

    def __init__(self) -> None:
        self._known: OrderedDict[Path, Tail] = OrderedDict()

    def of(self, file: Path, state: Callable[[History], str]) -> Tail:
        """The one reader of this log."""
        if file not in self._known:
            self._known[file] = Tail(file, state)
        self._known.move_to_end(file)
        for old in [path for path, tail in self._known.items() if not tail.watched and path != file]:
            if len(self._known) <= REMEMBERED:
                break
            del self._known[old]
        return self._known[file]

    def close(self) -> None:
        """Let every reader of every log go."""
        for tail in self._known.values():
            tail.close()
