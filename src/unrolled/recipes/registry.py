"""Recipes by name: every file of this folder that has a `RECIPE`."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from unrolled.errors import OptionError, did_you_mean

if TYPE_CHECKING:
    from unrolled.recipes.recipe import Recipe


def names() -> list[str]:
    """Every recipe's name, in alphabetical order: read off the files, none of which is imported."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return [file.stem.replace("_", "-") for file in files if "\nRECIPE = Recipe(" in file.read_text(encoding="utf-8")]


def all_recipes() -> dict[str, Recipe]:
    """Name → recipe, in alphabetical order. Imports no torch."""
    return {name: find(name) for name in names()}


def find(name: str) -> Recipe:
    """The recipe called `name`, or OptionError with the nearest name."""
    known = names()
    if name not in known:
        raise OptionError(f"no recipe is called {name!r}.{did_you_mean(name, known)} `unrolled recipes` lists them all")
    return importlib.import_module(f"unrolled.recipes.{name.replace('-', '_')}").RECIPE
