"""Recipes by name: every file of this folder that has a `RECIPE`."""

from __future__ import annotations

import importlib
import pkgutil

import unrolled.recipes
from unrolled.errors import OptionError, did_you_mean
from unrolled.recipes.recipe import Recipe


def all_recipes() -> dict[str, Recipe]:
    """Name → recipe, in alphabetical order. Imports no torch."""
    found = {}
    for info in pkgutil.iter_modules(unrolled.recipes.__path__):
        module = importlib.import_module(f"unrolled.recipes.{info.name}")
        if isinstance(recipe := getattr(module, "RECIPE", None), Recipe):
            found[info.name.replace("_", "-")] = recipe
    return dict(sorted(found.items()))


def find(name: str) -> Recipe:
    """The recipe called `name`, or OptionError with the nearest name."""
    recipes = all_recipes()
    if name not in recipes:
        raise OptionError(
            f"no recipe is called {name!r}.{did_you_mean(name, recipes)} `unrolled recipes` lists them all"
        )
    return recipes[name]
