"""`recipes` and `data`: what can be trained, and on what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Annotated

import tyro

from unrolled.figures import Table
from unrolled.recipes import registry
from unrolled.workshop.messages import Message, Note, Shown


@dataclass(frozen=True)
class RecipesRequest:
    """List the recipes, or one recipe's options."""

    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RECIPE")] = ""
    """A recipe, to see its options and where it comes from."""


@dataclass(frozen=True)
class DataListRequest:
    """List the data sets that are known by name, and which are here."""


@dataclass(frozen=True)
class DataGetRequest:
    """Fetch a data set from its source, with its checksum checked."""

    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")]
    """The data set, or what the names of several begin with: multi30k."""


def recipes(request: RecipesRequest) -> Iterator[Message]:
    """A table of all recipes, or one recipe's options with their defaults."""
    if not request.name:
        rows = [
            (name, recipe.summary, ", ".join(f"{k} {v}" for k, v in recipe.target.items()))
            for name, recipe in registry.all_recipes().items()
        ]
        yield Shown(Table("train one: unrolled train RECIPE", ("recipe", "what it is", "bar"), tuple(rows)))
        return
    recipe = registry.find(request.name)
    defaults = recipe.Options()
    rows = [
        (f"--{field.name.replace('_', '-')}", _plain(getattr(defaults, field.name))) for field in fields(recipe.Options)
    ]
    yield Note(f"{request.name}: {recipe.summary}")
    yield Note(f"source: {recipe.source}")
    yield Shown(Table("options", ("option", "default"), tuple(rows)))
    yield Note(f"what each means: unrolled train {request.name} --help")


def _plain(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(str(part) for part in value)
    return "—" if value is None or value == "" else str(value)


def data_list(request: DataListRequest) -> Iterator[Message]:
    """A table of the data sets by name, with their licence and whether they are on this machine."""
    from unrolled.data import named

    rows = [(one.name, "yes" if named.locate(one.name) else "—", one.summary, one.licence) for one in named.CATALOGUE]
    columns = ("name", "here", "what it is", "licence")
    yield Shown(Table("fetch one: unrolled data get NAME", columns, tuple(rows)))


def data_get(request: DataGetRequest) -> Iterator[Message]:
    """Fetch one data set, or those that belong together, into the user's cache."""
    from unrolled.data import named

    for entry in named.members(request.name):
        yield Note(f"{entry.name}: {entry.summary}; licence: {entry.licence}; from {entry.source}")
        path = named.get(entry.name)
        yield Note(f"{path}: {path.stat().st_size:,} bytes, checksum right")
