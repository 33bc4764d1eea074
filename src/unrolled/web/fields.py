"""Forms out of requests: which fields a browser may fill in, what each takes, and the request out of them.

Nothing here knows a single action or recipe. What a text is for is told by its metavar, which the command's help shows
as well; a text whose metavar says nothing is for the command alone, so that no new option can become a way to a file.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import textwrap
import threading
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from unrolled.errors import OptionError, did_you_mean
from unrolled.workshop.looking import Words

#: What the metavar of a text says it is.
KINDS = {
    "WORDS": "words",
    "FILE|-|WORDS": "words",
    "NAME": "name",
    "RUN": "run",
    "RUN RUN …": "run",
    "[CELL [CELL ...]]": "cell",
    "[WORDS [WORDS ...]]": "words",
    "CELL": "cell",
    "RUN|CELL": "run-or-cell",
    "KERNEL": "kernel",
    "RECIPE": "recipe",
    "STUDY": "study",
    "NAME|PATH|-": "data",
}
#: A name that can be no path, no module and no option.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._+-]{0,99}")
#: Characters of a text that is typed or pasted.
LONGEST_TEXT = 400_000
#: No number is as large as this, either way; NaN is none.
LARGEST = 2**63
_NUMBERS = {int: "whole", float: "number", bool: "switch"}
_EXPECTED = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


#: Python 3.11 loses count where two threads parse at a time (cpython#106905).
_PARSING = threading.Lock()


class FieldError(OptionError):
    """A field that cannot be what was sent. field: its name."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class Field:
    """One field of a form, as docs/lab-api.md describes it.

    path: where it stands in the request: ("sampling", "top_k"). hint: the type of one value. many: whether it is a list
    of them, of `length` where that is fixed.
    """

    name: str
    path: tuple[str, ...]
    kind: str
    hint: Any
    help: str
    default: Any
    choices: tuple[Any, ...] | None = None
    many: bool = False
    length: int | None = None
    optional: bool = False
    required: bool = False

    @property
    def flag(self) -> str:
        return f"--{self.name.replace('_', '-')}"

    def to_json(self) -> dict[str, Any]:
        plain = {name: getattr(self, name) for name in ("name", "flag", "kind", "default", "help", "choices", "many")}
        return {**plain, "length": self.length, "optional": self.optional, "required": self.required}


def fields_of(request: type, instance: Any = None) -> tuple[Field, ...]:
    """The fields of `request`, a frozen dataclass, that a browser may fill in. instance: gives the defaults."""
    return tuple(_walk(request, instance, ()))


def _walk(request: type, instance: Any, path: tuple[str, ...]) -> Iterator[Field]:
    hints = get_type_hints(request, include_extras=True)
    above = [get_type_hints(cls, include_extras=True) for cls in request.__mro__[1:-1] if dataclasses.is_dataclass(cls)]
    for one in dataclasses.fields(request):
        hint, notes = _plain_hint(hints[one.name])
        # A recipe that only changes a default need not say again what the option is.
        inherited = next((_plain_hint(hints[one.name])[1] for hints in above if one.name in hints), ())
        notes = notes or inherited
        default = getattr(instance, one.name) if instance is not None else _default(one)
        if dataclasses.is_dataclass(hint):
            # Fields of a group stand beside the others, as its flags do.
            yield from _walk(type(default), default, (*path, one.name))
        elif not any(str(note) == "Suppress" for note in notes):
            field = _field(request, one, hint, notes, default, path)
            if field is not None:
                yield field


def _plain_hint(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """The type without what is annotated to it, and that."""
    notes = getattr(hint, "__metadata__", ())
    return (hint.__origin__, notes) if notes else (hint, ())


def _default(one: dataclasses.Field[Any]) -> Any:
    return one.default_factory() if one.default_factory is not MISSING else one.default


def _field(
    request: type, one: dataclasses.Field[Any], hint: Any, notes: Sequence[Any], default: Any, path: tuple[str, ...]
) -> Field | None:
    """The field, or None where it is for the command alone."""
    marks = [note for note in notes if hasattr(note, "metavar")]
    metavar = next((mark.metavar for mark in marks if mark.metavar), "")
    said = next((mark.help for mark in marks if mark.help), "") or _docstrings(request).get(one.name, "")
    optional, many, length = False, False, None
    if get_origin(hint) in (Union, types.UnionType):
        optional = type(None) in get_args(hint)
        others = [part for part in get_args(hint) if part is not type(None)]
        if len(others) != 1:
            return None
        hint = others[0]
    if get_origin(hint) is tuple:
        parts = get_args(hint)
        many, hint = True, parts[0]
        length = None if parts[-1] is Ellipsis else len(parts)
    choices = get_args(hint) if get_origin(hint) is Literal else None
    kind = "choice" if choices else _NUMBERS.get(hint) or (KINDS.get(metavar) if hint is str else None)
    if kind is None:
        return None
    required = default is MISSING
    return Field(
        one.name,
        (*path, one.name),
        kind,
        hint,
        said,
        None if required else default,
        choices,
        many,
        length,
        optional,
        required,
    )


@cache
def _docstrings(request: type) -> dict[str, str]:
    """Field → the text that stands beneath it in the class, or in one that it extends."""
    found: dict[str, str] = {}
    for cls in reversed(request.__mro__):
        if not dataclasses.is_dataclass(cls):
            continue
        with _PARSING:
            (node,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
        assert isinstance(node, ast.ClassDef)
        for above, below in zip(node.body, node.body[1:], strict=False):
            if isinstance(above, ast.AnnAssign) and isinstance(below, ast.Expr) and isinstance(above.target, ast.Name):
                found[above.target.id] = " ".join(str(ast.literal_eval(below.value)).split())
    return found


def check(fields: Sequence[Field], sent: object) -> dict[str, Any]:
    """Field → value, each of its kind. FieldError for what is no field here, or no such value."""
    if not isinstance(sent, Mapping):
        raise OptionError(f"fields: expected an object, {type(sent).__name__} came")
    known = {field.name: field for field in fields}
    values = {}
    for name, value in sent.items():
        if name not in known:
            near = did_you_mean(str(name)[:100], known)
            raise FieldError(str(name)[:100], f"{str(name)[:100]!r} is no field of this form.{near}")
        values[name] = _value(known[name], value)
    for field in fields:
        if field.required and field.name not in values:
            raise FieldError(field.name, f"{field.name}: it has no default: give one")
    return values


def _value(field: Field, value: Any) -> Any:
    if value is None and field.optional:
        return None
    if not field.many:
        return _one(field, value)
    if not isinstance(value, list) or len(value) > 1000 or field.length not in (None, len(value)):
        count = "at most 1000" if field.length is None else str(field.length)
        raise FieldError(field.name, f"{field.flag}: expected a list of {count}")
    return tuple(_one(field, one) for one in value)


def _one(field: Field, value: Any) -> Any:
    if field.choices is not None:
        if value not in field.choices or type(value) not in {type(choice) for choice in field.choices}:
            raise FieldError(field.name, f"{field.flag} {_shown(value)}: expected one of {_listed(field.choices)}")
        return value
    accepted = (int, float) if field.hint is float else (field.hint,)
    if not isinstance(value, accepted) or (isinstance(value, bool) and field.hint is not bool):
        raise FieldError(field.name, f"{field.flag} {_shown(value)}: expected {_EXPECTED[field.hint]}")
    if not isinstance(value, str):
        return _number(field, value)
    if field.kind == "words":
        if len(value) > LONGEST_TEXT:
            raise FieldError(field.name, f"{field.flag}: {len(value):,} characters; {LONGEST_TEXT:,} at most")
        return value
    if value and field.kind not in ("run", "run-or-cell", "data") and not _NAME.fullmatch(value):
        raise FieldError(field.name, f"{field.flag} {_shown(value)}: expected a name: letters, digits and . _ + -")
    return value


def _number(field: Field, value: Any) -> Any:
    if field.hint is not bool and not -LARGEST < value < LARGEST:
        raise FieldError(field.name, f"{field.flag} {_shown(value)}: too large a number")
    return field.hint(value)


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 100 else f"{shown[:100]}…"


def _listed(values: Sequence[object]) -> str:
    return ", ".join(str(value) for value in values)


def build(request: type, fields: Sequence[Field], values: Mapping[str, Any], instance: Any = None, **own: Any) -> Any:
    """The request out of checked values. own: fields that the lab itself sets. OptionError where it refuses them."""
    by_path = {field.path: values[field.name] for field in fields if field.name in values}
    texts = {field.path for field in fields if field.kind == "words"}

    def at(path: tuple[str, ...], value: Any) -> Any:
        if path not in texts:
            return tuple(value) if isinstance(value, list) else value
        return tuple(Words(one) for one in value) if isinstance(value, (list, tuple)) else Words(value)

    return _build(request, instance, (), {path: at(path, value) for path, value in by_path.items()}, own)


def _build(
    request: type, instance: Any, path: tuple[str, ...], values: Mapping[tuple[str, ...], Any], own: Mapping[str, Any]
) -> Any:
    given = dict(own)
    for one in dataclasses.fields(request):
        here = (*path, one.name)
        if here in values:
            given[one.name] = values[here]
        elif any(other[: len(here)] == here for other in values):
            default = getattr(instance, one.name) if instance is not None else _default(one)
            given[one.name] = _build(type(default), default, here, values, {})
    make: Callable[..., Any] = request
    return make(**given) if instance is None else dataclasses.replace(instance, **given)
