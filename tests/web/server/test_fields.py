"""Forms: what a browser may fill in, in every action and recipe, and that nothing of it leads to a file or to code."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import tyro

from unrolled.errors import OptionError
from unrolled.recipes import registry
from unrolled.web.fields import FieldError, build, check, fields_of
from unrolled.web.launches import train_fields
from unrolled.web.resolving import resolve
from unrolled.web.routes.actions import fields_for
from unrolled.web.shelf import Shelf
from unrolled.web.state import Access, Lab
from unrolled.workshop.actions import ACTIONS, Action, find
from unrolled.workshop.looking import Words, given_text

from .folders import write_run

WEB = [action for action in ACTIONS if not action.local]
#: Ways out of the place that a name should stay in.
WAYS_OUT = (
    "../secret",
    "..",
    "/etc/passwd",
    "..\\secret",
    "a/b",
    "os:system",
    "-",
    "--runs=/tmp",
    "x\0y",
    "x\ny",
    "%2e%2e%2fsecret",
    "file:///etc/passwd",
    "~",
    "$HOME",
    "upload:../secret",
    "upload:/etc/passwd",
)


@dataclass(frozen=True)
class Inner:
    depth: int = 2
    """How deep."""


@dataclass(frozen=True)
class Base:
    cell: Annotated[str, tyro.conf.arg(metavar="CELL")] = "lstm"
    """A cell."""
    file: str = ""
    """A file: nothing says what it is."""
    where: Annotated[str, tyro.conf.arg(metavar="FILE")] = ""


@dataclass(frozen=True)
class Request(Base):
    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME", help="Its name.")] = field(kw_only=True)
    cell: str = "gru"
    text: Annotated[str, tyro.conf.arg(metavar="WORDS")] = ""
    size: int = 3
    """How
    many."""
    share: float | None = None
    kind: Literal["a", "b"] = "b"
    fast: bool = False
    sizes: tuple[int, ...] = (1, 2)
    split: tuple[float, float, float] = (0.5, 0.25, 0.25)
    inner: tyro.conf.OmitArgPrefixes[Inner] = field(default_factory=Inner)
    odd: dict[str, int] = field(default_factory=dict)
    hidden: tyro.conf.Suppress[int] = 0

    def __post_init__(self) -> None:
        if self.size < 1:
            raise OptionError(f"--size {self.size}: expected 1 or more")


FIELDS = fields_of(Request)


def test_a_form_says_what_each_field_takes() -> None:
    found = {one["name"]: one for one in (field.to_json() for field in FIELDS)}
    assert list(found) == ["cell", "name", "text", "size", "share", "kind", "fast", "sizes", "split", "depth"]
    assert found["size"] == {
        "name": "size",
        "flag": "--size",
        "kind": "whole",
        "default": 3,
        "help": "How many.",
        "choices": None,
        "many": False,
        "length": None,
        "optional": False,
        "required": False,
    }
    assert [found[name]["kind"] for name in found] == [
        "cell",
        "name",
        "words",
        "whole",
        "number",
        "choice",
        "switch",
        "whole",
        "number",
        "whole",
    ]
    # What a subclass only gives another default is what it was above, and is explained as it was there.
    assert (found["cell"]["default"], found["cell"]["help"]) == ("gru", "A cell.")
    assert (found["name"]["required"], found["name"]["help"], found["name"]["default"]) == (True, "Its name.", None)
    assert (found["kind"]["choices"], found["share"]["optional"], found["depth"]["default"]) == (("a", "b"), True, 2)
    assert [(found[name]["many"], found[name]["length"]) for name in ("sizes", "split")] == [(True, None), (True, 3)]


def test_a_request_is_made_of_what_was_sent() -> None:
    sent = {"name": "x", "text": "README.md", "share": 1, "sizes": [7], "depth": 9, "kind": "a", "fast": True}
    made = build(Request, FIELDS, check(FIELDS, sent), file="ours")
    assert made == Request(
        name="x", text="README.md", share=1.0, sizes=(7,), inner=Inner(9), kind="a", fast=True, file="ours"
    )
    assert isinstance(made.share, float) and isinstance(made.text, Words) and made.split == (0.5, 0.25, 0.25)
    other = build(Request, FIELDS, check(FIELDS, {"name": "y", "share": None}), made)
    assert (other.name, other.share, other.inner, other.sizes) == ("y", None, Inner(9), (7,))
    with pytest.raises(OptionError, match="--size 0"):
        build(Request, FIELDS, check(FIELDS, {"name": "x", "size": 0}))


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({}, "no default"),
        ({"size": "3"}, "a whole number"),
        ({"size": 3.0}, "a whole number"),
        ({"size": True}, "a whole number"),
        ({"size": None}, "a whole number"),
        ({"size": 2**63}, "too large"),
        ({"share": "NaN"}, "a number"),
        ({"share": float("inf")}, "too large"),
        ({"share": 10**400}, "too large"),
        ({"kind": "c"}, "expected one of a, b"),
        ({"kind": ["a"]}, "expected one of a, b"),
        ({"kind": {}}, "expected one of a, b"),
        ({"fast": 1}, "true or false"),
        ({"sizes": 7}, "a list"),
        ({"sizes": ["7"]}, "a whole number"),
        ({"sizes": [1] * 1001}, "at most 1000"),
        ({"split": [1, 2]}, "a list of 3"),
        ({"text": 5}, "a text"),
        ({"text": "x" * 500_000}, "400,000 at most"),
        ({"szie": 3}, "Did you mean 'size'"),
        ({"file": "x"}, "no field"),
        ({"where": "x"}, "no field"),
        ({"hidden": 1}, "no field"),
        ({"odd": {}}, "no field"),
        ({"inner": {"depth": 1}}, "no field"),
        ({"__class__": "x"}, "no field"),
    ],
)
def test_what_is_no_such_value_is_refused(sent: dict[str, Any], said: str) -> None:
    with pytest.raises(FieldError, match=said) as caught:
        check(FIELDS, {**({"name": "x"} if sent else {}), **sent})
    assert caught.value.field == (next(iter(sent)) if sent else "name")


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setenv("UNROLLED_CACHE", str(tmp_path / "cache"))
    write_run(tmp_path / "runs" / "book", 1)
    write_run(tmp_path / "secret", 1)
    (tmp_path / "runs" / "uploads").mkdir()
    (tmp_path / "runs" / "uploads" / "a.txt").write_text("a text")
    (tmp_path / "runs" / "uploads" / "b.sh").write_text("no text")
    (tmp_path / "secret.txt").write_text("secret")
    return Lab(Access.make(1, ("x",)), Shelf((str(tmp_path / "runs"),)))


@pytest.mark.parametrize("action", WEB, ids=lambda action: action.name)
def test_no_field_of_an_action_leads_out(action: Action, lab: Lab) -> None:
    """Every text of every form: a way out is refused, or is words, which are never taken for a file's name."""
    forms = [fields_for(action)]
    if action.name == "train":
        forms += [train_fields(name) for name in registry.names()]
    for fields in forms:
        for one in fields:
            # Names of folders, files, modules, and of the folder of the runs.
            assert one.kind == "words" or one.name != "file"
            assert one.name not in {"runs", "svg", "json", "npy", "to", "save_state", "continue_state", "key"}
            if one.hint is not str or one.choices:
                continue
            for way in WAYS_OUT:
                sent = {one.name: [way] if one.many else way}
                if one.kind == "words":
                    continue
                with pytest.raises(FieldError):
                    resolve(lab, [one], check([one], sent))


def test_names_become_places(lab: Lab, tmp_path: Path) -> None:
    fields = {one.name: one for one in (*train_fields("char-lm"), *fields_of(find("inspect jacobian").request))}

    def resolved(name: str, value: str) -> str:
        return resolve(lab, [fields[name]], check([fields[name]], {name: value}))[name]

    assert resolved("from_run", "book") == resolved("run", "book") == str(tmp_path / "runs" / "book")
    assert resolved("from_run", "tiny").endswith("bundled/tiny")
    assert resolved("run", "layer-norm-lstm") == "layer-norm-lstm"
    assert resolved("data", "upload:a.txt") == str(tmp_path / "runs" / "uploads" / "a.txt")
    assert resolved("data", "tinyshakespeare") == "tinyshakespeare"
    for name, value in (("data", "upload:b.sh"), ("data", "book"), ("from_run", "secret"), ("cell", "module:Class")):
        with pytest.raises(FieldError):
            resolved(name, value)


def test_words_are_never_a_file(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("content")
    assert given_text(str(file), 100) == "content"
    assert given_text(Words(file), 100) == str(file)
    assert given_text(Words("-"), 100) == "-" and given_text(Words("gone/away.txt"), 4) == "gone"
