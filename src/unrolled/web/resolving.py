"""Names that a browser sends, made into what actions take: runs to folders, data to files, nothing else to either."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from unrolled.data import named
from unrolled.errors import did_you_mean
from unrolled.web.fields import Field, FieldError
from unrolled.web.shelf import NoSuchRunError
from unrolled.web.state import Lab
from unrolled.web.uploads import PREFIX, find


def resolve(lab: Lab, fields: Sequence[Field], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values, with runs' folders and data's files in place of their names. FieldError for an unknown name."""
    kinds = {field.name: field for field in fields}
    found = {}
    for name, value in values.items():
        one = kinds[name]
        if one.many:
            found[name] = [_resolved(lab, one, part) for part in value]
        else:
            found[name] = _resolved(lab, one, value)
    return found


def _resolved(lab: Lab, field: Field, value: Any) -> Any:
    match field.kind:
        case "run" if value:
            return _run(lab, field, value)
        case "run-or-cell" if value:
            known = {place.name for place in lab.shelf.places()}
            return _run(lab, field, value) if value in known else _cell(lab, field, value)
        case "cell" if value:
            return _cell(lab, field, value)
        case "data" if value:
            return _data(lab, field, value)
    return value


def _run(lab: Lab, field: Field, value: str) -> str:
    try:
        return str(lab.shelf.find(value).run.path)
    except NoSuchRunError as error:
        raise FieldError(field.name, str(error)) from error


def _cell(lab: Lab, field: Field, value: str) -> str:
    """The cell's name. Which there are, only a process that has torch knows, once it is there."""
    known = lab.workers.cells
    if not all(part.isalnum() for part in value.split("-")) or (known and value not in known):
        raise FieldError(field.name, f"{value[:100]!r}: no cell is called so.{did_you_mean(value[:100], known)}")
    return value


def _data(lab: Lab, field: Field, value: str) -> str:
    if value.startswith(PREFIX):
        return str(find(lab.shelf.home, value.removeprefix(PREFIX), field.name))
    if value not in named.names():
        near = did_you_mean(value[:100], named.names())
        raise FieldError(field.name, f"{value[:100]!r}: no data set of that name.{near} Send a text to learn another")
    return value


def own_fields(lab: Lab, request: type) -> dict[str, Any]:
    """Fields that the lab sets itself: the folder of the runs."""
    return {"runs": str(lab.shelf.home)} if "runs" in {field.name for field in dataclasses.fields(request)} else {}
