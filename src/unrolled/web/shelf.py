"""The runs that a browser may see: names on one side, folders on the other, and no way to any other folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from unrolled.errors import RunError, did_you_mean
from unrolled.workshop import folder as folders
from unrolled.workshop.folder import RunFolder

#: Bytes of a config.toml that is read: one that was copied from elsewhere may be anything.
LARGEST_CONFIG = 4 << 20


class NoSuchRunError(RunError):
    """A name that no run here has."""


@dataclass(frozen=True)
class Place:
    """A run, as the browser knows it. name: "book", or "book@2" of the second folder; folder: which one, from 1."""

    name: str
    title: str
    folder: int
    run: RunFolder
    bundled: bool = False


class Shelf:
    """The folders given at start: of runs, or runs themselves.

    home: where new runs, uploads and studies go: the first folder of runs that was given, else the usual one.
    """

    def __init__(self, given: tuple[str, ...] = ()) -> None:
        paths = [Path(word) for word in given]
        for path in paths:
            if path.exists() and not path.is_dir():
                raise RunError(f"{path}: a file, where a folder of runs or a run's folder was expected")
            if not path.exists() and path != paths[0]:
                raise RunError(f"{path}: no such folder; give folders of runs, or runs' folders")
        self.home = next((path for path in paths if not is_run(path)), folders.runs_folder()).absolute()
        others = [path.absolute() for path in paths if path.absolute() != self.home]
        self.folders = (self.home, *others)

    def places(self) -> list[Place]:
        """Every run there is now, the newest first, and the models of the package last, tiny at the end."""
        found: list[tuple[float, Place]] = []
        for number, folder in enumerate(self.folders, 1):
            runs = [RunFolder(folder)] if is_run(folder) else folders.all_runs(folder)
            for run in runs:
                # As it stands in its folder: what a link is called, not what it leads to.
                title = run.path.name
                name = title if number == 1 else f"{title}@{number}"
                found.append((_time(run), Place(name, title, number, run)))
        found.sort(key=lambda one: one[0], reverse=True)
        taken = {place.name for _, place in found}
        bundled = [
            Place(name, name, 0, RunFolder(folders.BUNDLED_FOLDER.with_name(name)), bundled=True)
            for name in reversed(folders.BUNDLED_MODELS)
            if name not in taken
        ]
        return [*(place for _, place in found), *bundled]

    def find(self, name: str) -> Place:
        """The run of that name; NoSuchRunError with the nearest name where there is none."""
        every = {place.name: place for place in self.places()}
        if name not in every:
            shown = name[:100]
            raise NoSuchRunError(f"{shown!r}: no such run here.{did_you_mean(shown, every)}")
        return every[name]

    def at(self, path: Path) -> Place:
        """The run in the folder of the new runs at `path`."""
        return Place(path.name, path.name, 1, RunFolder(path))


def is_run(path: Path) -> bool:
    """Whether the folder is a run's, rather than one of runs."""
    return (path / "config.toml").is_file() or (path / "config.json").is_file()


def _time(run: RunFolder) -> float:
    for name in ("config.toml", "config.json"):
        if (run.path / name).exists():
            return (run.path / name).stat().st_mtime
    return 0.0


def too_large(run: RunFolder) -> str:
    """Why the run's configuration is not read; empty where it may be."""
    for name in ("config.toml", "config.json"):
        file = run.path / name
        if file.exists() and (not file.is_file() or file.stat().st_size > LARGEST_CONFIG):
            return f"{file}: no file, or larger than a run writes; it is not read"
    return ""
