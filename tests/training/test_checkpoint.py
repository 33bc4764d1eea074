from __future__ import annotations

import errno
import hashlib
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch
from tiny_training import Tiny, digest, run, settings

from unrolled.errors import CheckpointError, RunError
from unrolled.training import durable
from unrolled.training.checkpoint import Checkpoints
from unrolled.training.checkpoint_file import serialise


def saved(folder: Path, steps: int = 3, **more: object) -> Checkpoints:
    checkpoints = Checkpoints(folder, **more)  # type: ignore[arg-type]
    with checkpoints.held():
        for step in range(steps):
            checkpoints.save({"a": torch.full((4,), float(step)), "b": torch.arange(6)}, {"step": step})
    return checkpoints


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    checkpoint = saved(tmp_path, extra=lambda: {"events": 7}).latest()
    assert checkpoint is not None
    assert torch.equal(checkpoint.tensors["a"], torch.full((4,), 2.0))
    assert torch.equal(checkpoint.tensors["b"], torch.arange(6))
    assert checkpoint.facts == {"step": 2}
    assert checkpoint.entry.extra == {"events": 7}


def test_the_manifest_has_digests_and_parents_and_two_stay(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, steps=4)
    entries = checkpoints.entries()
    assert [entry.step for entry in entries] == [2, 3]
    for entry in entries:
        content = (tmp_path / entry.file).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry.digest
        assert len(content) == entry.bytes
    assert entries[1].parent == entries[0].digest
    assert files(tmp_path) == ["manifest.json", "step-00000002.safetensors", "step-00000003.safetensors"]


def test_the_same_content_gives_the_same_bytes() -> None:
    tensors = {name: torch.randn(3) for name in "abcdefgh"}
    backwards = dict(reversed(tensors.items()))
    facts = {"step": 1, "plan": None, "x": 0.1}
    assert serialise(tensors, facts) == serialise(backwards, dict(reversed(facts.items())))


def test_best_and_stopped_ones_are_no_places_to_go_back_to(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    content = {"a": torch.zeros(1)}
    with checkpoints.held():
        checkpoints.save(content, {"step": 0})
        checkpoints.save(content, {"step": 1}, regular=False, best=True)
        checkpoints.save(content, {"step": 2})
        checkpoints.save(content, {"step": 3}, regular=False)
        assert [entry.step for entry in checkpoints.rollback_targets()] == [0, 2]
        assert [entry.step for entry in checkpoints.entries()] == [0, 1, 2, 3]
        # Back to 0, and another way from there: 2 is not on it, and the same step comes by again.
        checkpoints.load(checkpoints.entries()[0])
        assert [entry.step for entry in checkpoints.rollback_targets()] == [0]
        entry = checkpoints.save({"a": torch.ones(1)}, {"step": 2})
        assert entry.file == "step-00000002-2.safetensors"
        assert [(e.step, e.best) for e in checkpoints.entries()] == [(0, False), (1, True), (2, False)]
        assert [e.file for e in checkpoints.rollback_targets()][-1] == entry.file
        assert not (tmp_path / "step-00000002.safetensors").exists()


def damage_truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def damage_edited(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(bytes(content))


def damage_empty(path: Path) -> None:
    path.write_bytes(b"")


def damage_pickled(path: Path) -> None:
    path.write_bytes(pickle.dumps({"a": [1.0] * 1000}))


def damage_torch_save(path: Path) -> None:
    torch.save({"a": torch.zeros(3)}, path)


def damage_gone(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (damage_truncated, "is truncated: it has .* bytes of"),
        (damage_edited, "has been changed since it was written"),
        (damage_empty, "is empty"),
        (damage_pickled, "is a pickle, which could run code and is never read"),
        (damage_torch_save, "is a pickle, which could run code and is never read"),
        (damage_gone, "cannot be read"),
    ],
)
def test_damage_is_named_with_the_way_out(tmp_path: Path, damage: Callable[[Path], None], said: str) -> None:
    saved(tmp_path)
    damage(tmp_path / "step-00000002.safetensors")
    with pytest.raises(CheckpointError, match=said) as raised:
        Checkpoints(tmp_path).latest()
    message = str(raised.value)
    assert "step-00000002.safetensors" in message
    assert "step-00000001.safetensors, of step 1, is whole: fall back to it" in message
    assert "\n" not in message
    fallen = Checkpoints(tmp_path, fall_back=True).latest()
    assert fallen is not None
    assert fallen.entry.step == 1


def test_nothing_whole_is_left(tmp_path: Path) -> None:
    saved(tmp_path)
    for entry in Checkpoints(tmp_path).entries():
        damage_edited(tmp_path / entry.file)
    with pytest.raises(CheckpointError, match="no earlier checkpoint is whole: train again"):
        Checkpoints(tmp_path, fall_back=True).latest()


def forge(folder: Path, content: bytes) -> None:
    """Put other content in the place of the latest, with a manifest that agrees."""
    manifest = json.loads((folder / "manifest.json").read_text())
    line = manifest["entries"][-1]
    line |= {"digest": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    manifest["entries"] = [line]
    (folder / line["file"]).write_bytes(content)
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (pickle.dumps({"a": 1}), "is a pickle"),
        (b"once upon a time", "is not a safetensors file"),
        (safetensors.torch.save({"a": torch.zeros(1)}), "no checkpoint of a training"),
        (safetensors.torch.save({"a": torch.zeros(1)}, {"unrolled": "{"}), "facts that are no JSON"),
        (safetensors.torch.save({"a": torch.zeros(1)}, {"unrolled": "[]"}), "facts that are no table"),
    ],
)
def test_not_a_checkpoint(tmp_path: Path, content: bytes, said: str) -> None:
    saved(tmp_path)
    forge(tmp_path, content)
    with pytest.raises(CheckpointError, match=said):
        Checkpoints(tmp_path).latest()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text[:40], "is not a manifest"),
        (lambda text: "[]", "is not a manifest"),
        (lambda text: text.replace('"format": 1', '"format": 9'), "has the format 9; this version reads 1: update"),
        (lambda text: text.replace('"bytes": ', '"bytes": "many", "was": '), "is not a manifest.*int expected"),
        (lambda text: text.replace("step-00000002", "../../etc/step-00000002"), "is no checkpoint's name"),
    ],
)
def test_a_damaged_manifest(tmp_path: Path, change: Callable[[str], str], said: str) -> None:
    saved(tmp_path)
    path = tmp_path / "manifest.json"
    path.write_text(change(path.read_text()))
    with pytest.raises(CheckpointError, match=said) as raised:
        Checkpoints(tmp_path).latest()
    assert str(path) in str(raised.value)


def test_a_lost_manifest_is_no_fresh_start(tmp_path: Path) -> None:
    saved(tmp_path)
    (tmp_path / "manifest.json").unlink()
    before = files(tmp_path)
    with (
        pytest.raises(CheckpointError, match=r"manifest\.json is missing, though step-00000001"),
        Checkpoints(tmp_path).held(),
    ):
        pass
    assert files(tmp_path) == before


def test_a_checkpoint_of_another_model_or_optimiser(tmp_path: Path) -> None:
    run(tmp_path)
    other = Tiny(hidden=6)
    before = digest(other)
    with pytest.raises(CheckpointError, match=r"another model: its weight 'cell\.U' is \(5, 3\).*here it is \(6, 3\)"):
        run(tmp_path, other, resume=True)
    assert digest(other) == before
    larger = Tiny()
    larger.more = torch.nn.Linear(1, 1)
    with pytest.raises(CheckpointError, match=r"another model: 'more\.bias' is only in the model"):
        run(tmp_path, larger, resume=True)
    with pytest.raises(CheckpointError, match="made with another optimiser"):
        run(tmp_path, Tiny(), asked=settings(optimiser="adagrad"), resume=True)
    with pytest.raises(CheckpointError, match=r"float32, here it is .*float64"):
        run(tmp_path, Tiny(), asked=settings(dtype="float64"), resume=True)


@pytest.mark.parametrize("name", ["step-00000005.safetensors", "manifest.json"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_full_disk_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, number: int
) -> None:
    """Half of a file fits, and no more."""
    saved(tmp_path, steps=2)
    before = {path: (tmp_path / path).read_bytes() for path in files(tmp_path)}
    real_open, real_write = os.open, os.write
    full: set[int] = set()

    def open_(path: object, *arguments: int) -> int:
        descriptor = real_open(path, *arguments)  # type: ignore[arg-type]
        if str(path).endswith(name + durable.UNFINISHED):
            full.add(descriptor)
        return descriptor

    def write(descriptor: int, content: bytes) -> int:
        if descriptor not in full:
            return real_write(descriptor, content)
        if os.fstat(descriptor).st_size:
            raise OSError(number, os.strerror(number))
        return real_write(descriptor, content[: len(content) // 2])

    checkpoints = Checkpoints(tmp_path)
    with checkpoints.held():
        checkpoints.latest()
        monkeypatch.setattr(os, "open", open_)
        monkeypatch.setattr(os, "write", write)
        with pytest.raises(
            RunError, match=f"could not be written .{os.strerror(number)}.; what was saved before it is"
        ):
            checkpoints.save({"a": torch.zeros(4)}, {"step": 5})
        monkeypatch.undo()
    assert {path: (tmp_path / path).read_bytes() for path in files(tmp_path)} == before
    checkpoint = Checkpoints(tmp_path).latest()
    assert checkpoint is not None
    assert checkpoint.entry.step == 1


def test_two_trainings_in_one_folder(tmp_path: Path) -> None:
    with (
        Checkpoints(tmp_path).held(),
        pytest.raises(RunError, match=f"is being trained in by the process {os.getpid()}; wait"),
    ):
        run(tmp_path)
    run(tmp_path)  # and now it is free


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written to"):
        run(tmp_path / "file" / "folder")


def test_leftovers_of_a_killed_write_are_cleared(tmp_path: Path) -> None:
    saved(tmp_path)
    before = files(tmp_path)
    (tmp_path / ("manifest.json" + durable.UNFINISHED)).write_text("{")
    (tmp_path / "step-00000007.safetensors").write_bytes(b"not yet in the manifest")
    (tmp_path / "notes.txt").write_text("a person's")
    with Checkpoints(tmp_path).held():
        pass
    assert files(tmp_path) == sorted([*before, "notes.txt"])
