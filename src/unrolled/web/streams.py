"""Server-sent events: how one looks, how many streams there may be, and that each ends with its reader."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from unrolled.errors import UnrolledError
from unrolled.web import plain

#: At a time, of every kind.
MOST = 256
#: What is sent where nothing else is, for both sides to see that the other is there.
BEAT = b": still here\n\n"


class TooManyError(UnrolledError):
    """No more streams now."""


def event(said: dict[str, Any], id_: str = "") -> bytes:
    """One event. JSON has no line ends of its own, so that one line holds it."""
    head = f"id: {id_}\n".encode() if id_ else b""
    return head + b"data: " + plain.encode(said) + b"\n\n"


class Streams:
    """Counts the streams that are open."""

    def __init__(self) -> None:
        self.open = 0

    def response(self, events: AsyncIterator[bytes]) -> EventStream:
        """The stream as an answer; TooManyError where there are too many."""
        if self.open >= MOST:
            raise TooManyError(f"{MOST} streams are open already: close some tabs of the lab")
        self.open += 1
        return EventStream(events, self)


class EventStream(StreamingResponse):
    """Whoever goes away ends what was being said, at once and not when memory is next tidied."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[bytes], streams: Streams) -> None:
        super().__init__(events)
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with aclosing(self.body_iterator):  # type: ignore[type-var]
                await super().__call__(scope, receive, send)
        finally:
            self._streams.open -= 1
