"""The lab's application: its routes behind its gate."""

from __future__ import annotations

import sys
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from unrolled.errors import UnrolledError
from unrolled.web.answers import problem, problem_of
from unrolled.web.gate import Gate
from unrolled.web.routes import actions, data, runs
from unrolled.web.state import Lab

STATIC = Path(__file__).parent / "static"
#: What each ending is, whatever the machine's own table says.
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".html": "text/html"}


class Static(StaticFiles):
    """Files of the package, always asked for again, so that a new version is never mixed with an old one."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = "no-cache"
        if (kind := TYPES.get(Path(path).suffix)) and response.status_code == 200:
            response.headers["content-type"] = f"{kind}; charset=utf-8"
        return response


def application(lab: Lab) -> Starlette:
    """The server of this lab."""

    @asynccontextmanager
    async def alive(app: Starlette) -> AsyncIterator[None]:
        lab.workers.warm()
        try:
            yield
        finally:
            await lab.workers.close()

    app = Starlette(
        routes=[
            *actions.routes(),
            *runs.routes(),
            *data.routes(),
            Mount("/static", Static(directory=STATIC)),
            Route("/api/{rest:path}", _nothing, methods=["GET", "POST", "PUT", "DELETE", "PATCH"]),
            Route("/{view:path}", _page),
        ],
        middleware=[Middleware(Gate, access=lab.access)],
        exception_handlers={UnrolledError: _refused, HTTPException: _http, Exception: _unforeseen},
        lifespan=alive,
    )
    app.state.lab = lab
    return app


async def _page(request: Request) -> Response:
    """The one page, for every view."""
    return await Static(directory=STATIC).get_response("index.html", request.scope)


async def _nothing(request: Request) -> Response:
    return problem(404, "Route", "the lab has no such address")


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, UnrolledError)
    return problem_of(error)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return problem(error.status_code, "Route", error.detail)


def _unforeseen(request: Request, error: Exception) -> Response:
    traceback.print_exception(error, file=sys.stderr)
    return problem(500, type(error).__name__, "the lab has failed at this; its terminal says where")
