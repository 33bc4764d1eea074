"""Checkpoints on the disk: a safetensors file each, and a manifest that says which of them count.

    step-00001234.safetensors   named tensors, and under the metadata key "unrolled" the facts, as JSON
    manifest.json               {"format": 1, "entries": [{file, digest, bytes, step, parent, regular, best, extra}]}

The same content gives the same bytes. A file counts once the manifest names it, with its SHA-256 and that of the
checkpoint before it; files go only after the manifest has let go of them. So a kill at any moment leaves the earlier
checkpoints whole. Nothing here unpickles.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from unrolled.errors import CheckpointError, RunError
from unrolled.training import checkpoint_file, durable

FORMAT = 1
MANIFEST = "manifest.json"
NAME = re.compile(r"step-(\d{8,})(?:-\d+)?\.safetensors")
COLUMNS = {
    "file": str,
    "digest": str,
    "bytes": int,
    "step": int,
    "parent": str,
    "regular": bool,
    "best": bool,
    "extra": dict,
}


@dataclass(frozen=True)
class Entry:
    """One line of the manifest.

    file: its name in the folder. digest: SHA-256 of its bytes.
    parent: digest of the checkpoint that training went on from; "" for the first.
    regular: it was due by the plan, so a rollback may go back to it. One that was saved because a person stopped the
        run, or because it validated best, does not count there, or stopping would change the outcome.
    best: it validated best so far.
    extra: whatever the caller wanted kept with it.
    """

    file: str
    digest: str
    bytes: int
    step: int
    parent: str
    regular: bool
    best: bool
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Checkpoint:
    """tensors by name, the facts (plain JSON), and the manifest's line."""

    tensors: dict[str, Tensor]
    facts: dict[str, Any]
    entry: Entry


class Checkpoints:
    """The checkpoints in one folder.

    keep: regular checkpoints that stay; the latest and the best stay besides.
    extra: called at each save; its JSON is kept in the manifest's line (how far an event log had been written, say).
    fall_back: let `latest` give an earlier checkpoint where the newest is damaged, instead of raising.
    """

    def __init__(
        self,
        folder: str | Path,
        keep: int = 2,
        extra: Callable[[], dict[str, Any]] = dict,
        fall_back: bool = False,
    ) -> None:
        if keep < 1:
            raise ValueError(f"keep was {keep}; one checkpoint at least must stay to go back to")
        self.folder = Path(folder)
        self.keep = keep
        self.extra = extra
        self.fall_back = fall_back
        self._parent = ""

    @contextmanager
    def held(self) -> Iterator[None]:
        """Take the folder for writing (RunError while another process has it) and clear what killed writes left."""
        with durable.locked(self.folder):
            self._tidy(self.entries())
            yield

    # --- reading ---------------------------------------------------------------------------------------------------

    def entries(self) -> list[Entry]:
        """The manifest's lines, oldest first; none where nothing was saved yet."""
        path = self.folder / MANIFEST
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            found = [p.name for p in self.folder.glob("step-*.safetensors") if _step(p.name) > 0]
            if found:
                raise CheckpointError(
                    f"{path} is missing, though {min(found)} is there; put it back, or train in another folder"
                ) from None
            return []
        except (OSError, UnicodeDecodeError) as error:
            raise CheckpointError(f"{path} cannot be read ({error}); put a copy of it back") from error
        return _parse_manifest(path, text)

    def best(self) -> Entry | None:
        """The line of the checkpoint that validated best."""
        return next((entry for entry in reversed(self.entries()) if entry.best), None)

    def load(self, entry: Entry) -> Checkpoint:
        """What `entry` names, verified; training goes on from it, until the next load."""
        checkpoint = self._read(entry)
        self._parent = entry.digest
        return checkpoint

    def latest(self) -> Checkpoint | None:
        """The newest checkpoint, verified; None where nothing was saved yet.

        A damaged one raises CheckpointError, which names an earlier one that is whole; with `fall_back`, that is given.
        """
        damage: CheckpointError | None = None
        for entry in reversed(self.entries()):
            try:
                checkpoint = self.load(entry)
            except CheckpointError as error:
                damage = damage or error
                continue
            if damage is None or self.fall_back:
                return checkpoint
            raise CheckpointError(
                f"{damage}; {entry.file}, of step {entry.step}, is whole: fall back to it"
            ) from damage
        if damage is not None:
            raise CheckpointError(f"{damage}; no earlier checkpoint is whole: train again")
        return None

    def rollback_targets(self) -> list[Entry]:
        """The regular checkpoints on the way to where training stands, oldest first; never none.

        After falling back to one that only validated best, there may be no regular one: it is that one then.
        """
        path = self._path(self.entries())
        return [entry for entry in path if entry.regular] or path[-1:]

    def _read(self, entry: Entry) -> Checkpoint:
        path = self.folder / entry.file
        try:
            content = path.read_bytes()
        except OSError as error:
            raise CheckpointError(f"{path} cannot be read ({error.strerror or error})") from error
        if hashlib.sha256(content).hexdigest() != entry.digest:
            raise CheckpointError(f"{path} {checkpoint_file.damage(content, entry.bytes)}")
        tensors, facts = checkpoint_file.parse(path, content)
        return Checkpoint(tensors, facts, entry)

    def _path(self, entries: list[Entry]) -> list[Entry]:
        """Those up to the one that training last saved or went back to."""
        ends = [i for i, entry in enumerate(entries) if entry.digest == self._parent]
        return entries[: ends[-1] + 1] if ends else []

    # --- writing ---------------------------------------------------------------------------------------------------

    def save(
        self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], *, regular: bool = True, best: bool = False
    ) -> Entry:
        """Write one; facts["step"] names it. RunError where it cannot be written, with the earlier ones whole."""
        entries = self.entries()
        step = int(facts["step"])
        content = checkpoint_file.serialise(tensors, facts)
        name = _free_name(step, {entry.file for entry in entries})
        digest = hashlib.sha256(content).hexdigest()
        entry = Entry(name, digest, len(content), step, self._parent, regular, best, self.extra())
        kept = [*self._kept(entries, replaced_best=best, regular=regular), entry]
        durable.write(self.folder / name, content)
        try:
            self._write_manifest(kept)
        except RunError:
            (self.folder / name).unlink(missing_ok=True)
            raise
        self._parent = digest
        self._tidy(kept)
        return entry

    def _kept(self, entries: list[Entry], replaced_best: bool, regular: bool) -> list[Entry]:
        path = self._path(entries)
        last = self.keep - 1 if regular else self.keep
        regulars = [entry.file for entry in path if entry.regular]
        stay = set(regulars[-last:] if last else [])
        kept = []
        for entry in entries:
            still_best = entry.best and not replaced_best
            if entry in path and entry.file in stay:
                kept.append(replace(entry, best=still_best))
            elif still_best:
                kept.append(replace(entry, regular=False))
        return kept

    def _write_manifest(self, entries: list[Entry]) -> None:
        text = json.dumps({"format": FORMAT, "entries": [asdict(entry) for entry in entries]}, indent=1)
        durable.write(self.folder / MANIFEST, text.encode("utf-8") + b"\n")

    def _tidy(self, entries: list[Entry]) -> None:
        """Remove what no manifest names: unfinished files, and checkpoints that have been let go of."""
        named = {entry.file for entry in entries}
        for path in self.folder.iterdir():
            unfinished = path.name.endswith(durable.UNFINISHED)
            if unfinished or (NAME.fullmatch(path.name) and path.name not in named):
                try:
                    path.unlink(missing_ok=True)
                except OSError as error:
                    raise RunError(f"{path} is no longer needed and cannot be removed ({error.strerror})") from error


def _parse_manifest(path: Path, text: str) -> list[Entry]:
    try:
        manifest = json.loads(text)
        version = manifest["format"]
        if version != FORMAT:
            raise CheckpointError(f"{path} has the format {version!r}; this version reads {FORMAT}: update unrolled")
        entries = [
            Entry(**{key: _typed(line[key], kind) for key, kind in COLUMNS.items()}) for line in manifest["entries"]
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is not a manifest of checkpoints ({error!r}); put a copy of it back") from error
    for entry in entries:
        if not isinstance(entry.file, str) or not NAME.fullmatch(entry.file):
            raise CheckpointError(f"{path} names {entry.file!r}, which is no checkpoint's name; put a copy of it back")
    return entries


def _typed(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(f"{kind.__name__} expected, {value!r} found")
    return value


def _step(name: str) -> int:
    match = NAME.fullmatch(name)
    return int(match.group(1)) if match else -1


def _free_name(step: int, taken: set[str]) -> str:
    """A name that no line of the manifest has: after a rollback the same step comes by again."""
    name, number = f"step-{step:08d}.safetensors", 1
    while name in taken:
        number += 1
        name = f"step-{step:08d}-{number}.safetensors"
    return name
