"""The lab itself, recipes and their forms, data sets, and files that are sent."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from unrolled import __version__
from unrolled.data import named
from unrolled.recipes import registry
from unrolled.web import launches, uploads
from unrolled.web.answers import RefusedError, answer, too_large
from unrolled.web.state import LARGEST_BODY, LARGEST_UPLOAD, Lab

#: The demo run: what `scripts/demo` trains.
DEMO = {"recipe": "char-lm", "fields": {"minutes": 2}}


def routes() -> list[Route]:
    """Of this file."""
    return [
        Route("/api/lab", about),
        Route("/api/recipes", recipes),
        Route("/api/recipes/{name}/form", form),
        Route("/api/data", data),
        Route("/api/uploads", upload, methods=["POST"]),
    ]


async def about(request: Request) -> Response:
    """GET /api/lab."""
    lab: Lab = request.app.state.lab
    limits = {"body": LARGEST_BODY, "upload": LARGEST_UPLOAD}
    folders = [str(folder) for folder in lab.shelf.folders]
    return answer({"version": __version__, "folders": folders, "demo": DEMO, "limits": limits})


async def recipes(request: Request) -> Response:
    """GET /api/recipes."""
    return answer({"recipes": await asyncio.to_thread(_recipes)})


def _recipes() -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "summary": recipe.summary,
            "source": recipe.source,
            "target": dict(recipe.target),
            "unit": recipe.unit,
            "writes": recipe.writing is not None,
        }
        for name, recipe in registry.all_recipes().items()
    ]


async def form(request: Request) -> Response:
    """GET /api/recipes/NAME/form."""
    name = request.path_params["name"]
    if name not in registry.names():
        raise RefusedError(404, "Recipe", f"no recipe is called {name[:100]!r}")
    fields = await asyncio.to_thread(launches.train_fields, name)
    return answer({"fields": [field.to_json() for field in fields]})


async def data(request: Request) -> Response:
    """GET /api/data."""
    lab: Lab = request.app.state.lab
    return answer({"data": await asyncio.to_thread(lambda: [*uploads.listed(lab.shelf.home), *_named()])})


def _named() -> list[dict[str, Any]]:
    return [
        {
            "name": one.name,
            "value": one.name,
            "upload": False,
            "here": named.locate(one.name) is not None,
            "summary": one.summary,
            "licence": one.licence,
            "bytes": one.size,
        }
        for one in map(named.describe, named.names())
    ]


async def upload(request: Request) -> Response:
    """POST /api/uploads?name=book.txt, with the file as the body."""
    lab: Lab = request.app.state.lab
    if request.headers.get("content-type") != "application/octet-stream":
        raise RefusedError(415, "Upload", "expected Content-Type: application/octet-stream")
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or int(declared) > LARGEST_UPLOAD:
        raise too_large(LARGEST_UPLOAD)
    name = request.query_params.get("name", "")
    try:
        kept = await uploads.keep(lab.shelf.home, name, request.stream(), LARGEST_UPLOAD)
    except ClientDisconnect:
        raise RefusedError(400, "Upload", "the browser has gone") from None
    size = kept.stat().st_size
    return answer({"name": kept.name, "value": f"{uploads.PREFIX}{kept.name}", "bytes": size}, 201)
