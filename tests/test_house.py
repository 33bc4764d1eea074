"""The house keeps its plan: what imports what, what stays light, how long files are, what says what it is."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "unrolled"
FILES = sorted(SOURCE.rglob("*.py"))

#: From the ground up; a room imports only what stands on lower floors. docs/architecture.md draws the same.
FLOORS = (
    {"errors", "batch", "states", "figures"},
    {"cells"},
    {"kernels"},
    {"layers", "contracts"},
    {"models", "interchange"},
    {"data", "training", "generation", "diagnostics"},
    {"recipes"},
    {"studies", "estimators"},
    {"workshop"},
    {"cli", "web"},
)
GROUND = FLOORS[0]
#: Seen by nobody below them: the package's own face, and `python -m unrolled`.
DOORS = {"__init__", "__main__"}
#: Rooms that may not have torch in sys.modules once imported: the command must answer before torch has loaded.
WITHOUT_TORCH = ("unrolled", "unrolled.cli.main", "unrolled.cli.parse", "unrolled.recipes.registry", "unrolled.figures")
WITHOUT_TORCH += ("unrolled.studies.registry", "unrolled.workshop.study")
WITHOUT_TORCH += ("unrolled.training.settings", "unrolled.training.events", "unrolled.workshop.actions")

LONGEST = 310  # "about 300 lines"


def floor_of(room: str) -> int:
    for number, rooms in enumerate(FLOORS):
        if room in rooms:
            return number
    raise AssertionError(f"{room} stands on no floor: add it to FLOORS here and to docs/architecture.md")


def imported(tree: ast.AST) -> set[str]:
    """The rooms of this package that a file imports, wherever in it, for types too."""
    modules = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are written out, from the package's name on"
            modules |= {f"{node.module}.{alias.name}" for alias in node.names if alias.name != "__version__"}
        elif isinstance(node, ast.Call) and "import_module" in ast.unparse(node.func) and node.args:
            name = node.args[0]
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                modules.add(name.value)
    return {module.split(".")[1] for module in modules if module.startswith("unrolled.")}


def wrong_arrows(room: str, tree: ast.AST) -> set[str]:
    """Rooms that a file of this room imports and may not."""
    if room in DOORS:
        return set()
    # What is no room is a name of the package's face: `from unrolled import load`.
    others = {other if known(other) else "__init__" for other in imported(tree)} - {room}
    if "__init__" in others:
        return {"__init__"}
    if room in GROUND | {"data"}:
        return others - GROUND
    return {other for other in others if floor_of(other) >= floor_of(room)}


def known(room: str) -> bool:
    return any(room in rooms for rooms in FLOORS)


def room_of(file: Path) -> str:
    return file.relative_to(SOURCE).with_suffix("").parts[0]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_imports_go_down_only(file):
    wrong = wrong_arrows(room_of(file), ast.parse(file.read_text(encoding="utf-8")))
    assert not wrong, f"{room_of(file)} may not import {sorted(wrong)}"


@pytest.mark.parametrize(
    ("room", "line", "wrong"),
    [
        ("cells", "from unrolled.kernels.kernel import Pass", {"kernels"}),
        ("cells", "from unrolled import kernels", {"kernels"}),
        ("cells", "import unrolled.layers.dropout", {"layers"}),
        ("cells", "def f():\n    from unrolled.models import model", {"models"}),
        ("errors", "import unrolled.cells.cell", {"cells"}),
        ("models", "from unrolled.data.text import read", {"data"}),
        ("data", "from unrolled.cells.cell import Cell", {"cells"}),
        ("training", "from unrolled.generation import beam", {"generation"}),
        ("generation", "importlib.import_module('unrolled.recipes.hello')", {"recipes"}),
        ("layers", "from unrolled import contracts", {"contracts"}),
        ("recipes", "if TYPE_CHECKING:\n    from unrolled.workshop.run import Run", {"workshop"}),
        ("cells", "from unrolled import states\nfrom unrolled.cells.cell import Cell\nimport torch", set()),
        ("recipes", "from unrolled.data.text import read\nfrom unrolled.training import settings", set()),
    ],
)
def test_a_wrong_arrow_is_seen(room, line, wrong):
    assert wrong_arrows(room, ast.parse(line)) == wrong


def test_every_room_stands_on_a_floor_and_on_the_page():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for room in sorted({room_of(file) for file in FILES} - DOORS):
        floor_of(room)
        assert f"`{room}" in page, f"docs/architecture.md does not speak of {room}"


@pytest.mark.parametrize("module", WITHOUT_TORCH)
def test_it_is_imported_without_torch(module):
    check = f"import sys, importlib; importlib.import_module({module!r}); print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", check],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"},
    )
    assert done.stdout.strip() == "False", f"importing {module} loads torch"


def test_every_recipe_is_imported_without_torch():
    check = (
        "import sys; from unrolled.recipes import registry; names = list(registry.all_recipes()); "
        "print('torch' in sys.modules, *names)"
    )
    done = subprocess.run(
        [sys.executable, "-c", check],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"},
    )
    loaded, *names = done.stdout.split()
    assert loaded == "False"
    written = {
        file.stem.replace("_", "-")
        for file in (SOURCE / "recipes").glob("*.py")
        if re.search(r"^RECIPE\b", file.read_text(encoding="utf-8"), re.M)
    }
    assert set(names) == written


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_a_long_file_gives_its_reason_at_once(file):
    lines = file.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= LONGEST or "is long because" in " ".join(lines[:12])


#: The parts of a recipe are documented once, where the contract is.
RECIPE_PARTS = {"data", "model", "metric", "settings", "sample", "writing"}


def undocumented(tree: ast.Module) -> list[str]:
    """The module itself, and its public classes and functions, where they have no docstring."""
    missing = [] if ast.get_docstring(tree) or not tree.body else ["the module"]
    assigned = {ast.unparse(t) for node in tree.body if isinstance(node, ast.Assign) for t in node.targets}
    elsewhere = RECIPE_PARTS if "RECIPE" in assigned else set()
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not (
            node.name.startswith("_") or node.name in elsewhere
        ):
            # A tuple of named fields, each with its own comment, says what it is.
            fields = isinstance(node, ast.ClassDef) and "NamedTuple" in [ast.unparse(base) for base in node.bases]
            if not ast.get_docstring(node) and not fields:
                missing.append(node.name)
    return missing


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_everything_public_says_what_it_is(file):
    assert undocumented(ast.parse(file.read_text(encoding="utf-8"))) == []


def test_what_says_nothing_is_seen():
    code = '"""Doc."""\ndef a(): pass\nclass B: pass\ndef _c(): pass\ndef d():\n    """Doc."""'
    assert undocumented(ast.parse(code)) == ["a", "B"]
    assert undocumented(ast.parse("x = 1")) == ["the module"]


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_what_a_page_names_is_there(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for name in re.findall(r"`((?:src|tests|scripts|docs|benchmarks)/[\w./-]+)`", text):
        assert (ROOT / name).exists(), f"{page} speaks of {name}"
    for module, attribute in re.findall(r"`(unrolled(?:\.[a-z_]+)+)(?:\.([A-Z]\w+))?`", text):
        found = importlib.import_module(module)
        assert not attribute or hasattr(found, attribute), f"{page} speaks of {module}.{attribute}"


def test_nothing_loads_a_pickle():
    for file in FILES:
        nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        names = {ast.unparse(node.func) for node in nodes if isinstance(node, ast.Call)}
        assert not names & {"torch.load", "pickle.load", "pickle.loads", "eval", "exec"}, file
