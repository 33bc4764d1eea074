"""The run folder: `runs/NAME/`, with all that a run leaves behind, so that it can be copied and opened elsewhere.

config.toml         recipe, resolved options, versions, seed, digest of the data, where it was fine-tuned from
events.jsonl        one event a line
checkpoints/        training's own (see training/checkpoint.py)
samples/            step-00000100.txt …
evaluations.jsonl   what `evaluate` found
config.json, model.safetensors      the model alone: what `from_pretrained` opens
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from unrolled import __version__
from unrolled.errors import RunError, did_you_mean
from unrolled.workshop import disk

FORMAT = 1
#: Where runs are kept, unless `--runs` or this environment variable says otherwise.
RUNS_VARIABLE = "UNROLLED_RUNS"
DEFAULT_RUNS = "runs"
_KINDS = {str: "text", dict: "table"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
#: Models that are part of the package; the first is looked into where there is no run yet.
BUNDLED_MODELS = ("tiny", "hello")
BUNDLED = BUNDLED_MODELS[0]
BUNDLED_FOLDER = Path(__file__).parent / "bundled" / BUNDLED


@dataclass(frozen=True)
class RunFolder:
    """Paths of one run, and its configuration as it stands in the files."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.resolve().name

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def events_file(self) -> Path:
        return self.path / "events.jsonl"

    @property
    def samples(self) -> Path:
        return self.path / "samples"

    @property
    def weights_file(self) -> Path:
        return self.path / "model.safetensors"

    def config(self) -> dict[str, Any]:
        """config.toml. RunError where it is missing, damaged or of a later format."""
        file = self.path / "config.toml"
        try:
            config = tomllib.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise RunError(f"{self.path}: no config.toml in it, so it is not a run folder") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise RunError(f"{file}: not readable as TOML ({error}); {disk.RESTORE}") from None
        except OSError as error:
            raise disk.unreadable(error, file) from error
        _check_format(config.get("format"), file)
        _check_entries(config, file, {"recipe": str, "options": dict, "data": dict, "versions": dict})
        _check_entries(config["data"], file, {"summary": str, "digest": str})
        return config

    def write_config(self, config: Mapping[str, Any]) -> None:
        disk.write_whole(self.path / "config.toml", tomli_w.dumps({"format": FORMAT, **config}).encode())

    def model_config(self) -> dict[str, Any]:
        """config.json: recipe, options and assets, which with the weights are the whole model."""
        file = self.path / "config.json"
        try:
            config = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise RunError(f"{self.path}: no config.json in it, so it holds no model of ours") from None
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise RunError(f"{file}: not readable as JSON ({error}); {disk.RESTORE}") from None
        except OSError as error:
            raise disk.unreadable(error, file) from error
        if not isinstance(config, dict):
            raise RunError(f"{file}: a JSON object was expected, a {type(config).__name__} came; {disk.RESTORE}")
        _check_format(config.get("format"), file)
        _check_entries(config, file, {"recipe": str, "options": dict, "digest": str, "assets": dict})
        # A vocabulary with two characters swapped would still load, and every text would be wrong.
        if _digest(config["assets"]) != config["digest"]:
            raise RunError(f"{file}: its assets have been changed since they were written; {disk.RESTORE}")
        return config

    def write_model_config(self, recipe: str, options: Mapping[str, Any], assets: Mapping[str, Any]) -> None:
        config = {
            "format": FORMAT,
            "recipe": recipe,
            "options": dict(options),
            "digest": _digest(assets),
            "assets": dict(assets),
        }
        disk.write_whole(self.path / "config.json", json.dumps(config, ensure_ascii=False).encode() + b"\n")

    def events(self) -> Iterator[dict[str, Any]]:
        """The events so far."""
        return disk.json_lines(self.events_file, {"event": str, "step": int})

    def evaluations(self) -> Iterator[dict[str, Any]]:
        """What `evaluate` has found, oldest first."""
        return disk.json_lines(self.path / "evaluations.jsonl", {"part": str, "figures": dict})

    def append_evaluation(self, record: Mapping[str, Any]) -> None:
        """Keep what `evaluate` found; the model that is part of the package stays as it is."""
        if self.path.parent == BUNDLED_FOLDER.parent:
            return
        disk.append_line(self.path / "evaluations.jsonl", record)


def _digest(assets: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(assets, sort_keys=True).encode()).hexdigest()


def _check_format(number: object, file: Path) -> None:
    """RunError unless this version can read format `number`."""
    if not isinstance(number, int) or number < 1:
        raise RunError(f"{file}: it names no format, so it is not ours, or was edited; {disk.RESTORE}")
    if number > FORMAT:
        raise RunError(f"{file}: format {number} is newer than this version reads ({FORMAT}); update unrolled")


def _check_entries(table: Mapping[str, Any], file: Path, wanted: Mapping[str, type]) -> None:
    """RunError unless each entry is there and of its type."""
    for name, kind in wanted.items():
        if not isinstance(table.get(name), kind):
            raise RunError(f"{file}: its {name!r} is missing or is no {_KINDS[kind]}; {disk.RESTORE}")


def runs_folder(given: str = "") -> Path:
    """The folder of the runs: the one given, else UNROLLED_RUNS, else `runs` here."""
    return Path(given or os.environ.get(RUNS_VARIABLE, "") or DEFAULT_RUNS)


def check_name(name: str) -> str:
    """A run's name is one plain word, so that it cannot leave the folder of the runs."""
    if not _NAME.fullmatch(name) or name.endswith("."):
        raise RunError(
            f"run name {name!r}: expected letters, digits, '.', '_' and '-', beginning with a letter or a digit "
            "(100 at most), and no folders; put runs elsewhere with --runs FOLDER"
        )
    return name


def create(runs: Path, name: str, suggestion: str) -> RunFolder:
    """A new run folder: `name` if it is given and free, else one like `suggestion` that is free."""
    given = bool(name)
    base = check_name(name) if given else plain_name(suggestion)
    number = 1
    try:
        runs.mkdir(parents=True, exist_ok=True)
        while not _made(path := runs / (base if number == 1 else f"{base}-{number}")):
            if given:
                raise RunError(
                    f"{path}: a run of that name exists. Go on with it by `unrolled resume {base}`, or choose "
                    "another --name"
                )
            number += 1
    except OSError as error:
        raise disk.unwritable(error, runs) from error
    folder = RunFolder(path)
    try:
        folder.checkpoints.mkdir()
        folder.samples.mkdir()
    except OSError as error:
        shutil.rmtree(path, ignore_errors=True)
        raise disk.unwritable(error, path) from error
    return folder


def _made(path: Path) -> bool:
    """Whether the folder was made here and now: of two processes that ask for one name, one gets it."""
    try:
        path.mkdir()
    except FileExistsError:
        return False
    return True


def plain_name(text: str) -> str:
    """Something like `text` that can be a run's name."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:60].rstrip("-._")
    return name or "run"


def open_run(word: str, runs: Path, bundled: bool = False) -> RunFolder:
    """The run that `word` means: a run's name, a folder's path, or `tiny` or `hello`; empty is the newest run.

    bundled: where there is no run yet, empty is `tiny`, the model that is part of the package.
    RunError with the nearest name where there is none.
    """
    if word:
        for path in (runs / word, Path(word)) if _NAME.fullmatch(word) else (Path(word),):
            if os.path.exists(path / "config.json") or os.path.exists(path / "config.toml"):
                return RunFolder(path)
        if word in BUNDLED_MODELS:
            return RunFolder(BUNDLED_FOLDER.with_name(word))
        if os.path.exists(word):
            raise RunError(f"{word}: no config.json and no config.toml in it, so it is not a run folder")
        known = [run.name for run in all_runs(runs)]
        raise RunError(
            f"{word}: no such run in {runs}, and no such folder.{did_you_mean(word, [*known, *BUNDLED_MODELS])} "
            "`unrolled runs` lists them"
        )
    if listed := all_runs(runs):
        return listed[0]
    if bundled:
        return RunFolder(BUNDLED_FOLDER)
    raise RunError(f"{runs}: no runs yet; `unrolled train` makes the first")


def all_runs(runs: Path) -> list[RunFolder]:
    """Every run of the folder, the newest first."""
    found = [(path.stat().st_mtime_ns, path.parent) for path in runs.glob("*/config.toml")]
    return [RunFolder(folder) for _, folder in sorted(found, reverse=True)]


def versions() -> dict[str, str]:
    """Of what a run depends on."""
    from importlib.metadata import version

    others = {name: version(name) for name in ("torch", "numpy")}
    return {"python": sys.version.split()[0], "unrolled": __version__, **others}
