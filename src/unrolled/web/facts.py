"""What the files of runs say that are not their logs: read once, and again where one has changed."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

from unrolled.errors import RunError, UnrolledError
from unrolled.recipes import registry
from unrolled.recipes.recipe import Recipe
from unrolled.web.shelf import LARGEST_CONFIG, too_large
from unrolled.workshop.folder import RunFolder

#: Runs whose files are remembered.
REMEMBERED = 1000


def facts_of(run: RunFolder) -> dict[str, Any]:
    """What its files say that are not its log. Where they cannot be read, why."""
    try:
        config = config_of(run)
        recipe = _recipe(config["recipe"])
        measured = [record["figures"] for record in evaluations_of(run) if record["part"] == "test"]
    except (UnrolledError, OSError) as error:
        return {"state": "damaged", "problem": " ".join(str(error).split())}
    return {
        "recipe": config["recipe"],
        "created": config.get("created", ""),
        "unit": recipe.units.get("loss", recipe.unit) if recipe else "",
        "writes": recipe is not None and recipe.writing is not None,
        "weights": run.weights_file.exists() or any(run.checkpoints.glob("step-*.safetensors")),
        "evaluated": measured[-1] if measured else {},
    }


class Facts:
    """What the files of runs say, read again only where one has changed."""

    def __init__(self) -> None:
        self._known: OrderedDict[Path, tuple[Any, dict[str, Any]]] = OrderedDict()

    def of(self, run: RunFolder) -> dict[str, Any]:
        """As `facts_of`."""
        files = ("config.toml", "config.json", "evaluations.jsonl", "model.safetensors", "checkpoints")
        key = tuple(_changed(run.path / name) for name in files)
        known = self._known.pop(run.path, None)
        found = known if known is not None and known[0] == key else (key, facts_of(run))
        self._known[run.path] = found
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return found[1]


def _changed(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def evaluations_of(run: RunFolder) -> list[dict[str, Any]]:
    """What `evaluate` has found, oldest first."""
    file = run.path / "evaluations.jsonl"
    return list(run.evaluations()) if file.is_file() and file.stat().st_size <= LARGEST_CONFIG else []


def config_of(run: RunFolder) -> dict[str, Any]:
    """config.toml; of a model alone, what its config.json says of the same. RunError where neither can be read."""
    if refused := too_large(run):
        raise RunError(refused)
    if (run.path / "config.toml").exists():
        return run.config()
    config = run.model_config()
    return {"recipe": config["recipe"], "options": config["options"]}


def _recipe(name: str) -> Recipe | None:
    return registry.find(name) if name in registry.names() else None
