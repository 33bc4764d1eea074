"""Every action of the workshop that is not local: its form, and a stream of what it says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from unrolled.recipes import registry as recipes
from unrolled.studies import registry as studies
from unrolled.web import launches
from unrolled.web.answers import answer, read_json
from unrolled.web.descriptions import tail_of
from unrolled.web.fields import Field, build, check, fields_of
from unrolled.web.resolving import own_fields, resolve
from unrolled.web.state import LARGEST_BODY, Lab
from unrolled.web.streams import event
from unrolled.workshop.actions import ACTIONS, Action


def routes() -> list[Route]:
    """Two, and one for each action."""
    return [
        Route("/api/actions", listed),
        Route("/api/names", names),
        *(
            Route(route_of(action), _runner(action), methods=["POST"], name=action.name)
            for action in ACTIONS
            if not action.local
        ),
    ]


def route_of(action: Action) -> str:
    """The address of an action: a space in its name is a slash."""
    return f"/api/actions/{action.name.replace(' ', '/')}"


async def listed(request: Request) -> Response:
    """GET /api/actions: every action and its form."""
    return answer({"actions": await asyncio.to_thread(_described)})


def _described() -> list[dict[str, Any]]:
    return [
        {
            "name": action.name,
            "route": route_of(action),
            "summary": action.summary,
            "fields": [field.to_json() for field in fields_for(action)],
            "long": action.name in launches.LONG,
        }
        for action in ACTIONS
        if not action.local
    ]


def fields_for(action: Action) -> tuple[Field, ...]:
    """The form of an action; training's has the recipe as a field, whose own options are in the recipe's form."""
    return launches.train_fields("") if action.name == "train" else fields_of(action.request)


async def names(request: Request) -> Response:
    """GET /api/names: what to offer where a field wants the name of something."""
    lab: Lab = request.app.state.lab
    known = await lab.workers.names()
    return answer({**known, "recipes": recipes.names(), "studies": studies.names()})


def _runner(action: Action) -> Any:
    async def run(request: Request) -> Response:
        lab: Lab = request.app.state.lab
        body = await read_json(request, LARGEST_BODY)
        if action.name in launches.LONG:
            return lab.streams.response(await _launched(lab, action, body))
        fields = await asyncio.to_thread(fields_for, action)
        values = resolve(lab, fields, check(fields, body.get("fields", {})))
        own = own_fields(lab, action.request)
        # What the request itself refuses is said before any stream begins.
        build(action.request, fields, values, **own)
        lab.workers.check()
        job = {"action": action.name, "fields": values, "own": own}
        return lab.streams.response(lab.workers.run(job))

    return run


async def _launched(lab: Lab, action: Action, body: dict[str, Any]) -> AsyncIterator[bytes]:
    """A training or a study goes on when nobody listens any more; this only watches it."""
    if action.name == "study":
        return _study(lab, await launches.study(lab, body))
    child = await (launches.train(lab, body) if action.name == "train" else launches.resume(lab, body))
    return _training(lab, child.path)


async def _training(lab: Lab, path: Path) -> AsyncIterator[bytes]:
    yield event({"event": "began", "run": path.name})
    async for said in tail_of(lab, lab.shelf.at(path)).watch(""):
        yield said


async def _study(lab: Lab, child: Any) -> AsyncIterator[bytes]:
    async for line in launches.lines_of(child):
        yield b"data: " + line + b"\n\n"
    problem = lab.trainings.problem(child.path)
    yield event({"event": "error", "kind": "StudyError", "message": problem} if problem else {"event": "done"})
