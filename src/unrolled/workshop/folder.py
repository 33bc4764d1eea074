"""The run folder: `runs/NAME/`, with all that a run leaves behind, so that it can be copied and opened elsewhere.

config.toml         recipe, resolved options, versions, seed, digest of the data, where it was fine-tuned from
events.jsonl        one event a line
checkpoints/        training's own (see training/checkpoint.py)
samples/            step-00000100.txt …
evaluations.jsonl   what `evaluate` found
config.json, model.safetensors      the model alone: what `from_pretrained` opens
"""

from __future__ import annotations

import errno
import json
import os
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from unrolled import __version__
from unrolled.errors import RunError, did_you_mean
from unrolled.training import durable

FORMAT = 1
#: Where runs are kept, unless `--runs` or this environment variable says otherwise.
RUNS_VARIABLE = "UNROLLED_RUNS"
DEFAULT_RUNS = "runs"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
#: The tiny model that is part of the package.
BUNDLED = "tiny"
BUNDLED_FOLDER = Path(__file__).parent / "bundled" / BUNDLED


@dataclass(frozen=True)
class RunFolder:
    """Paths of one run, and its configuration as it stands in the files."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

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
            raise RunError(f"{file}: not readable as TOML ({error}); restore it, or train the run anew") from None
        check_format(config.get("format"), file)
        return config

    def write_config(self, config: Mapping[str, Any]) -> None:
        durable.write(self.path / "config.toml", tomli_w.dumps({"format": FORMAT, **config}).encode())

    def model_config(self) -> dict[str, Any]:
        """config.json: recipe, options and assets, which with the weights are the whole model."""
        file = self.path / "config.json"
        try:
            config = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise RunError(f"{self.path}: no config.json in it, so it holds no model of ours") from None
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise RunError(f"{file}: not readable as JSON ({error}); restore it from a copy") from None
        if not isinstance(config, dict):
            raise RunError(f"{file}: a JSON object was expected; a {type(config).__name__} came")
        check_format(config.get("format"), file)
        missing = {"recipe", "options", "assets"} - set(config)
        if missing:
            raise RunError(f"{file}: {', '.join(sorted(missing))} missing; restore it from a copy")
        return config

    def write_model_config(self, recipe: str, options: Mapping[str, Any], assets: Mapping[str, Any]) -> None:
        config = {"format": FORMAT, "recipe": recipe, "options": dict(options), "assets": dict(assets)}
        durable.write(self.path / "config.json", json.dumps(config, ensure_ascii=False).encode() + b"\n")

    def events(self) -> Iterator[dict[str, Any]]:
        """The events so far."""
        return _json_lines(self.events_file)

    def evaluations(self) -> Iterator[dict[str, Any]]:
        """What `evaluate` has found, oldest first."""
        return _json_lines(self.path / "evaluations.jsonl")

    def append_evaluation(self, record: Mapping[str, Any]) -> None:
        """Keep what `evaluate` found; the model that is part of the package stays as it is."""
        if self.path == BUNDLED_FOLDER:
            return
        file = self.path / "evaluations.jsonl"
        try:
            with file.open("a", encoding="utf-8") as out:
                out.write(json.dumps(record) + "\n")
        except OSError as error:
            raise unwritable(error, file) from error


def _json_lines(file: Path) -> Iterator[dict[str, Any]]:
    """Line by line, without a last line that a kill cut off."""
    if not file.exists():
        return
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            if not line.endswith("\n"):
                return
            yield json.loads(line)


def check_format(number: object, file: Path) -> None:
    """RunError unless this version can read format `number`."""
    if not isinstance(number, int) or number < 1:
        raise RunError(f"{file}: it names no format, so it is not ours, or was edited")
    if number > FORMAT:
        raise RunError(f"{file}: format {number} is newer than this version reads ({FORMAT}); update unrolled")


def runs_folder(given: str = "") -> Path:
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
        while True:
            path = runs / (base if number == 1 else f"{base}-{number}")
            try:
                path.mkdir()
            except FileExistsError:
                if given:
                    raise RunError(
                        f"{path}: a run of that name exists. Go on with it by `unrolled resume {base}`, or choose "
                        "another --name"
                    ) from None
                number += 1
                continue
            folder = RunFolder(path)
            folder.checkpoints.mkdir()
            folder.samples.mkdir()
            return folder
    except OSError as error:
        raise unwritable(error, runs) from error


def plain_name(text: str) -> str:
    """Something like `text` that can be a run's name."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:60].rstrip("-._")
    return name or "run"


def open_run(word: str, runs: Path) -> RunFolder:
    """The run that `word` means: a run's name, a folder's path, the bundled `tiny`; empty is the newest run, else that.

    RunError with the nearest name where there is none.
    """
    if word:
        for path in (runs / word if _NAME.fullmatch(word) else Path(word), Path(word)):
            if (path / "config.json").exists() or (path / "config.toml").exists():
                return RunFolder(path)
        if word == BUNDLED:
            return RunFolder(BUNDLED_FOLDER)
        known = [run.name for run in all_runs(runs)]
        if Path(word).exists():
            raise RunError(f"{word}: no config.json and no config.toml in it, so it is not a run folder")
        raise RunError(
            f"{word}: no such run in {runs}, and no such folder.{did_you_mean(word, [*known, BUNDLED])} "
            "`unrolled runs` lists them"
        )
    listed = all_runs(runs)
    return listed[0] if listed else RunFolder(BUNDLED_FOLDER)


def all_runs(runs: Path) -> list[RunFolder]:
    """Every run of the folder, the newest first."""
    if not runs.is_dir():
        return []
    found = [RunFolder(path) for path in runs.iterdir() if (path / "config.toml").exists()]
    return sorted(found, key=lambda run: (run.path / "config.toml").stat().st_mtime, reverse=True)


def unwritable(error: OSError, path: Path) -> RunError:
    """What an OSError while writing `path` means for a user."""
    if error.errno == errno.ENOSPC:
        return RunError(f"{path}: the disk is full; free some space, then `unrolled resume` goes on")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return RunError(f"{path}: cannot be written ({error.strerror}); choose another place with --runs FOLDER")
    return RunError(f"{path}: cannot be written ({error.strerror or error})")


def versions() -> dict[str, str]:
    """Of what a run depends on."""
    from importlib.metadata import version

    others = {name: version(name) for name in ("torch", "numpy")}
    return {"python": sys.version.split()[0], "unrolled": __version__, **others}
