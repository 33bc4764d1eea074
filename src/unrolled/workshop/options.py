"""A recipe's options to plain data and back: what config.toml and config.json hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any

import cattrs

from unrolled.errors import OptionError, RunError, did_you_mean
from unrolled.recipes.recipe import Options, Recipe


def to_plain(options: Options) -> dict[str, Any]:
    """Name → value; None, which TOML does not know, is left out, tuples become lists."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in asdict(options).items()
        if value is not None
    }


def from_plain(recipe: Recipe, plain: Mapping[str, Any], where: str) -> Options:
    """The options of `recipe` out of what a run's file holds; RunError names the file (`where`) and the option."""
    known = {field.name for field in fields(recipe.Options)}
    for name in plain:
        if name not in known:
            raise RunError(
                f"{where}: {name!r} is no option of this recipe.{did_you_mean(name, known)} "
                "Was the file edited, or written by a later version?"
            )
    try:
        return _converter().structure(dict(plain), recipe.Options)
    except OptionError as error:
        raise RunError(f"{where}: {error}") from error
    except cattrs.BaseValidationError as error:
        details = "; ".join(cattrs.transform_error(error))
        if isinstance(inner := _first(error), OptionError):
            details = str(inner)
        raise RunError(f"{where}: options that cannot be read: {details}") from error


def with_changes(options: Options, changes: Mapping[str, Any]) -> Options:
    """The same options with some changed, by their Python names. OptionError with the nearest name."""
    known = {field.name for field in fields(options)}
    for name in changes:
        if name not in known:
            raise OptionError(
                f"no option is called {name!r}.{did_you_mean(name, known)} Known: {', '.join(sorted(known))}"
            )
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in changes.items()
    }
    return replace(options, **values)


def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True)
    # A whole number may stand for a real one; anything else must be of its type, not made to fit it.
    for kind, accepted in ((int, (int,)), (float, (int, float)), (str, (str,)), (bool, (bool,))):
        converter.register_structure_hook(kind, _exactly(kind, accepted))
    return converter


def _exactly(kind: type, accepted: tuple[type, ...]) -> Any:
    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
            raise TypeError(f"expected {kind.__name__}, got {value!r}")
        return kind(value)

    return structure


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
