"""Every action is a command, a route and a page, or on the short list of what is local; new ones are there at once."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

import unrolled
from unrolled.web.routes.actions import route_of
from unrolled.workshop.actions import ACTIONS

from .served import Served, serving

#: What makes sense on this machine alone.
LOCAL = {"lab", "doctor", "report"}
ROOT = Path(__file__).parents[3]


def test_every_action_is_a_route_or_local(served: Served) -> None:
    assert {action.name for action in ACTIONS if action.local} == LOCAL
    listed = {one["name"]: one for one in served.ask("/api/actions").json["actions"]}
    assert set(listed) == {action.name for action in ACTIONS} - LOCAL
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    for action in ACTIONS:
        assert f"\n## {action.name}\n" in page
        if action.local:
            assert served.post(route_of(action)).status == 404
        else:
            assert listed[action.name]["route"] == route_of(action)
            # It is there, and reads what it is sent.
            answer = served.post(route_of(action), {"fields": {"no such field": 1}})
            assert (answer.status, answer.json["error"]["kind"]) == (400, "FieldError"), action.name


def test_the_docs_speak_of_every_route(served: Served) -> None:
    from .test_access import api_routes

    page = (ROOT / "docs" / "lab-api.md").read_text(encoding="utf-8")
    for _, path in api_routes():
        if not path.startswith("/api/actions/"):
            spoken = path.replace("/api/runs/book", "/api/runs/NAME").replace("/recipes/book", "/recipes/NAME")
            assert spoken == "/api/book" or f"{spoken}" in page, path


def test_what_an_action_says_comes_as_it_says_it(served: Served) -> None:
    said = served.act("sample", run="tiny", prompt="def ", length=4, seed=3, log_probabilities=True)
    pieces = [one for one in said if one["event"] == "piece"]
    assert said[-2]["event"] == "text-end" and said[-1] == {"event": "done"}
    assert "".join(piece["text"] for piece in pieces) == unrolled.load("tiny").sample("def ", 4, seed=3)
    assert len(pieces[0]["alternatives"]) == 5 and said[-2]["log_probability"] == pytest.approx(
        sum(piece["log_probability"] for piece in pieces)
    )


def test_a_text_is_never_the_name_of_a_file(served: Served) -> None:
    """README.md stands in the folder that the lab was started in."""
    assert (served.home.parent / "README.md").exists()
    for text in ("README.md", str(served.home.parent / "README.md"), "-x"):
        (figure,) = [one["figure"] for one in served.act("inspect surprise", run="tiny", text=text) if "figure" in one]
        assert "".join(figure["tokens"]) == text


def test_what_goes_wrong_is_said_in_one_shape(served: Served) -> None:
    early = served.post("/api/actions/inspect/unit", {"fields": {"run": "tiny", "length": 0}})
    assert (early.status, early.json["error"]["kind"]) == (400, "OptionError")
    unknown = served.post("/api/actions/inspect/unit", {"fields": {"run": "tny"}})
    assert (unknown.status, unknown.json["error"]["field"]) == (400, "run")
    assert "Did you mean 'tiny'" in unknown.json["error"]["message"]
    late = served.act("inspect unit", run="tiny", unit=99999)
    assert late[-1]["event"] == "error" and late[-1]["kind"] == "OptionError" and "99999" in late[-1]["message"]
    assert set(late[-1]) == {"event", "kind", "message"}
    assert served.post("/api/nothing").status == served.ask("/api/nothing").status == 404
    assert served.ask("/api/actions/sample").status == 404


def test_names_are_offered(served: Served) -> None:
    names = served.ask("/api/names").json
    assert {"lstm", "gru"} <= set(names["cells"]) and names["kernels"][0] == "auto"
    assert "char-lm" in names["recipes"] and "gradient-flow" in names["studies"]


def test_the_server_itself_never_loads_torch(served: Served) -> None:
    for path in ("/api/actions", "/api/recipes", "/api/recipes/char-lm/form", "/api/data", "/api/runs", "/api/names"):
        assert served.ask(path).status == 200
    served.act("inspect surprise", run="tiny", text="abc")
    assert "libtorch" not in Path(f"/proc/{served.pid}/maps").read_text()


NEW_CELL = '''"""A cell that came later."""

from unrolled.cells.elman import Elman


class Later(Elman):
    """As Elman's."""

    NAME = "later"
'''
NEW_DIAGNOSTIC = '''"""A diagnostic that came later."""

from dataclasses import dataclass
from typing import Annotated

import tyro

from unrolled.figures import Curves, Series
from unrolled.workshop.looking import Files
from unrolled.workshop.messages import Shown


@dataclass(frozen=True)
class SlopeRequest(Files):
    """A line."""

    slope: float = 2.0
    """How steep."""
    steps: int = 3
    """How far."""
    text: Annotated[str, tyro.conf.arg(metavar="FILE|-|WORDS")] = ""
    """A text, which this one is careless with."""


def slope(request):
    """The line."""
    if request.text:
        open(request.text)
    x = tuple(float(at) for at in range(request.steps))
    yield Shown(Curves("a line", (Series("line", x, tuple(request.slope * at for at in x)),), "x", "y"))
'''


def test_a_new_recipe_cell_and_diagnostic_are_there_by_themselves(tmp_path: Path) -> None:
    """A copy of the package with one of each more, and not a letter of the lab changed."""
    package = tmp_path / "source" / "unrolled"
    shutil.copytree(unrolled.__path__[0], package)
    (package / "cells" / "later.py").write_text(NEW_CELL)
    (package / "workshop" / "inspect_slope.py").write_text(NEW_DIAGNOSTIC)
    actions = package / "workshop" / "actions.py"
    listed = actions.read_text().replace(
        "\n)\n\n\ndef find",
        '\n    Action("inspect slope", "A line.", "inspect_slope", "SlopeRequest", "slope"),\n)\n\n\ndef find',
    )
    actions.write_text(listed)
    recipe = (package / "recipes" / "hello.py").read_text()
    (package / "recipes" / "later_recipe.py").write_text(re.sub(r'summary="[^"]*"', 'summary="It came later"', recipe))
    with serving(tmp_path / "runs", "--port", 0, env={"PYTHONPATH": str(tmp_path / "source")}) as served:
        forms = {one["name"]: one for one in served.ask("/api/actions").json["actions"]}
        fields = {field["name"]: field for field in forms["inspect slope"]["fields"]}
        # Its own, with their help; and none of those that name files.
        assert set(fields) == {"slope", "steps", "text"} and fields["slope"]["help"] == "How steep."
        # A text that the new one takes for a file's name is still none.
        careless = served.act("inspect slope", text=str(actions))
        assert careless[-1]["event"] == "error" and "never the name of a file" in careless[-1]["message"]
        figure, done = served.act("inspect slope", slope=0.5)
        assert figure["figure"]["series"][0]["y"] == [0.0, 0.5, 1.0] and done == {"event": "done"}
        recipes = {one["name"]: one for one in served.ask("/api/recipes").json["recipes"]}
        assert recipes["later-recipe"]["summary"] == "It came later"
        names = {field["name"] for field in served.ask("/api/recipes/later-recipe/form").json["fields"]}
        assert {"word", "cell", "steps", "name", "from_run"} <= names
        assert "later" in served.ask("/api/names").json["cells"]
        body = {"recipe": "later-recipe", "fields": {"cell": "later", "steps": 2, "threads": 1}}
        with served.stream("/api/actions/train", body) as events:
            assert list(events)[-1] == {"event": "done"}
        run = served.ask("/api/runs/later-recipe").json
        assert (run["recipe"], run["options"]["cell"], run["state"]) == ("later-recipe", "later", "finished")
