"""How answers look: JSON, one shape for every error, bodies of bounded size and time."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from unrolled.errors import RunError, UnrolledError, UserError
from unrolled.web import plain
from unrolled.web.fields import FieldError
from unrolled.web.shelf import NoSuchRunError
from unrolled.web.streams import TooManyError
from unrolled.web.trainings import TooManyTrainingsError
from unrolled.web.workers import BusyError

#: Seconds in which a body must be there.
BODY = 20.0


class RefusedError(UserError):
    """A request that is answered with this status."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status, self.kind = status, kind


def answer(value: Any, status: int = 200) -> Response:
    """`value` as JSON."""
    return Response(plain.encode(value), status, media_type="application/json")


def unless_known(request: Request, value: Any) -> Response:
    """`value` as JSON, or only that it is what the browser has."""
    content = plain.encode(value)
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"etag": tag, "cache-control": "no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="application/json", headers=headers)


def problem(status: int, kind: str, message: str, field: str = "") -> Response:
    """An error, in the one shape that all have."""
    said = {"kind": kind, "message": message, **({"field": field} if field else {})}
    response = answer({"error": said}, status)
    if status in (413, 408):
        # The rest of what is being sent is not waited for.
        response.headers["connection"] = "close"
    if status in (429, 503):
        response.headers["retry-after"] = "2"
    return response


def problem_of(error: UnrolledError) -> Response:
    """What went wrong, as an answer."""
    message = " ".join(str(error).split())
    match error:
        case RefusedError():
            return problem(error.status, error.kind, message)
        case FieldError():
            return problem(400, "FieldError", message, error.field)
        case TooManyError() | TooManyTrainingsError():
            return problem(429, type(error).__name__, message)
        case BusyError():
            return problem(503, "BusyError", message)
        case NoSuchRunError():
            return problem(404, "RunError", message)
        case RunError():
            return problem(409, "RunError", message)
        case UserError():
            return problem(400, type(error).__name__, message)
    return problem(500, type(error).__name__, message)


async def read_json(request: Request, most: int) -> dict[str, Any]:
    """The body, an object of JSON of `most` bytes. RefusedError where it is none, too large, or does not come."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise RefusedError(415, "Body", "expected Content-Type: application/json")
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or int(declared) > most:
        raise too_large(most)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY):
            async for piece in request.stream():
                body += piece
                if len(body) > most:
                    raise too_large(most)
    except TimeoutError:
        raise RefusedError(408, "Body", f"the request's body did not come within {BODY:.0f} s") from None
    except ClientDisconnect:
        raise RefusedError(400, "Body", "the browser has gone") from None
    try:
        found = plain.decode(bytes(body) or b"{}")
    except (ValueError, RecursionError):
        raise RefusedError(400, "Body", "the request's body is not JSON") from None
    if not isinstance(found, dict):
        raise RefusedError(400, "Body", "the request's body must be a JSON object")
    return found


def too_large(most: int) -> RefusedError:
    """A body beyond `most` bytes."""
    return RefusedError(413, "Body", f"too large: {most:,} bytes at most")
