"""Runs: all of them, one of them, one as it trains; starting, stopping and going on."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from unrolled.web import descriptions, facts, launches
from unrolled.web.answers import answer, read_json, unless_known
from unrolled.web.shelf import Place
from unrolled.web.state import LARGEST_BODY, Lab

#: Seconds in which the log of one run is read for its own page.
READING = 30.0


def routes() -> list[Route]:
    """Of this file."""
    return [
        Route("/api/runs", every, methods=["GET"]),
        Route("/api/runs", start, methods=["POST"]),
        Route("/api/runs/{name}", one, methods=["GET"]),
        Route("/api/runs/{name}/samples", samples, methods=["GET"]),
        Route("/api/runs/{name}/events", events, methods=["GET"]),
        Route("/api/runs/{name}/stop", stop, methods=["POST"]),
        Route("/api/runs/{name}/resume", resume, methods=["POST"]),
    ]


def _place(request: Request) -> Place:
    lab: Lab = request.app.state.lab
    return lab.shelf.find(request.path_params["name"])


async def every(request: Request) -> Response:
    """GET /api/runs."""
    return unless_known(request, {"runs": await descriptions.list_all(request.app.state.lab)})


async def one(request: Request) -> Response:
    """GET /api/runs/NAME."""
    lab, place = request.app.state.lab, _place(request)
    said = await descriptions.describe(lab, place, time.monotonic() + READING)
    config: dict[str, Any] = {}
    evaluations: list[dict[str, Any]] = []
    if said["state"] != "damaged":
        config = await asyncio.to_thread(facts.config_of, place.run)
        evaluations = await asyncio.to_thread(facts.evaluations_of, place.run)
    tail = descriptions.tail_of(lab, place)
    return answer(
        {
            **said,
            "config": config,
            "options": config.get("options", {}),
            "evaluations": evaluations,
            "history": {"event": "history", "state": said["state"], **tail.history.to_json()},
        }
    )


async def samples(request: Request) -> Response:
    """GET /api/runs/NAME/samples."""
    return answer({"samples": await asyncio.to_thread(descriptions.samples, _place(request).run)})


async def events(request: Request) -> Response:
    """GET /api/runs/NAME/events: what is known, then what comes."""
    lab: Lab = request.app.state.lab
    last = request.headers.get("last-event-id") or request.query_params.get("from", "")
    return lab.streams.response(descriptions.tail_of(lab, _place(request)).watch(last[:64]))


async def start(request: Request) -> Response:
    """POST /api/runs: a training in a process of its own."""
    lab: Lab = request.app.state.lab
    child = await launches.train(lab, await read_json(request, LARGEST_BODY))
    begun = (child.path / "config.toml").exists()
    return answer({"name": child.path.name}, 201 if begun else 202)


async def stop(request: Request) -> Response:
    """POST /api/runs/NAME/stop: save, and end."""
    lab, place = request.app.state.lab, _place(request)
    await read_json(request, LARGEST_BODY)
    await asyncio.to_thread(lab.trainings.stop, place.run)
    return answer({"name": place.name}, 202)


async def resume(request: Request) -> Response:
    """POST /api/runs/NAME/resume: go on, as if nothing had been."""
    lab, place = request.app.state.lab, _place(request)
    await read_json(request, LARGEST_BODY)
    await launches.resume_run(lab, place.run)
    return answer({"name": place.name}, 202)
