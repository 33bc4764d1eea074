"""Runs that were cut short, edited, swapped, locked, or from elsewhere: refused in one line, and left as they are."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch

from unrolled.workshop import session

from .command import SMALL, Command, one_line, tree

CELL = """
from unrolled.cells.elman import Elman

print("imported")

class Mine(Elman):
    NAME = "mine"
"""


@pytest.fixture
def halted(command: Command, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that was stopped after eight of its twelve updates, with two checkpoints and no final weights."""
    with monkeypatch.context() as patched:
        patched.setattr(session, "stop_on_signals", stopping_after(8))
        assert command("train", command.text(), *SMALL, "--name", "halted").code == 130
    run = command.runs / "halted"
    assert not (run / "model.safetensors").exists()
    return run


def stopping_after(updates: int) -> Callable[[], object]:
    from contextlib import contextmanager

    @contextmanager
    def stop_on_signals() -> object:
        asked = 0

        def stop() -> bool:
            nonlocal asked
            asked += 1
            return asked > updates

        yield stop

    return stop_on_signals


def newest(run: Path) -> Path:
    return sorted((run / "checkpoints").glob("*.safetensors"))[-1]


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)


def empty(file: Path) -> None:
    file.write_bytes(b"")


class Trap:
    def __reduce__(self) -> tuple:
        return (os.mkdir, ("sprung",))


def rename_a_pickle(file: Path) -> None:
    file.write_bytes(pickle.dumps(Trap()))


def rename_a_torch_file(file: Path) -> None:
    torch.save({"weights/x": torch.zeros(3)}, file)


def another_safetensors(file: Path) -> None:
    file.write_bytes(safetensors.torch.save({"x": torch.zeros(3)}))


DAMAGE = [
    (truncate, "truncated"),
    (flip, "changed since it was written"),
    (empty, ""),
    (rename_a_pickle, "pickle"),
    (rename_a_torch_file, "pickle"),
    (another_safetensors, ""),
]


@pytest.mark.parametrize(("damage", "said"), DAMAGE, ids=lambda value: getattr(value, "__name__", ""))
def test_a_damaged_checkpoint(command: Command, halted: Path, damage: Callable[[Path], None], said: str) -> None:
    damage(newest(halted))
    before = tree(halted)
    one_line(command("resume", "halted"), newest(halted).name, said)
    for words in ("sample", "evaluate"):
        assert_refused_or_served(command(words, "halted"))
    assert tree(halted) == before or (halted / "evaluations.jsonl").exists()
    assert not (command.folder / "sprung").exists()


def assert_refused_or_served(said: object) -> None:
    """Sampling takes the checkpoint that validated best, which need not be the damaged one."""
    if said.code != 0:  # type: ignore[attr-defined]
        one_line(said)  # type: ignore[arg-type]


@pytest.mark.parametrize(("damage", "said"), DAMAGE, ids=lambda value: getattr(value, "__name__", ""))
def test_damaged_weights(command: Command, damage: Callable[[Path], None], said: str) -> None:
    run = command.trained("book")
    damage(run / "model.safetensors")
    before = tree(run)
    for words in ("sample book", "evaluate book", "train book.txt --steps 1 --from book"):
        one_line(command(*words.split()), "book/model.safetensors", said, "unrolled resume")
    assert tree(run) == before
    assert not (command.folder / "sprung").exists()
    assert [path.name for path in command.runs.iterdir()] == ["book"]


def test_weights_that_are_removed_are_made_again(command: Command) -> None:
    run = command.trained("book")
    weights = (run / "model.safetensors").read_bytes()
    (run / "model.safetensors").unlink()
    assert command("resume", "book").code == 0
    assert (run / "model.safetensors").read_bytes() == weights


def test_weights_of_another_model(command: Command) -> None:
    run = command.trained("book")
    other = command.trained("other", "--sizes", "24")
    third = command.trained("third", "--cell", "lstm")
    for source in (other, third):
        shutil.copy(source / "model.safetensors", run / "model.safetensors")
        before = tree(run)
        for words in ("sample book", "evaluate book"):
            one_line(command(*words.split()), str(run), "weights of another model")
        assert tree(run) == before


def test_a_checkpoint_of_another_model(command: Command, halted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(session, "stop_on_signals", stopping_after(8))
        command("train", command.text(), *SMALL, "--name", "other", "--cell", "lstm")
    shutil.rmtree(halted / "checkpoints")
    shutil.copytree(command.runs / "other" / "checkpoints", halted / "checkpoints")
    before = tree(halted)
    one_line(command("resume", "halted"), "another model")
    assert tree(halted) == before


EDITS = [
    ("config.toml", "no = [toml", "not readable as TOML"),
    ("config.toml", 'format = 1\nrecipe = "char-lm"\n', "'options' is missing"),
    ("config.toml", "format = 99\n", "newer than this version"),
    ("config.toml", 'recipe = "char-lm"\n', "names no format"),
    ("config.json", "{", "not readable as JSON"),
    ("config.json", "[1]", "a JSON object was expected"),
    ("config.json", '{"format": 99}', "newer than this version"),
    ("config.json", '{"format": 1, "recipe": "char-lm"}', "'options' is missing"),
    ("config.json", "\udcff", "not readable"),
]


@pytest.mark.parametrize(("file", "content", "said"), EDITS)
def test_a_wrong_config(command: Command, halted: Path, file: str, content: str, said: str) -> None:
    (halted / file).write_bytes(content.encode("utf-8", "surrogateescape"))
    before = tree(halted)
    for words in (["resume", "halted"], ["evaluate", "halted"]):
        one_line(command(*words), f"halted/{file}", said)
    assert tree(halted) == before


def edit_json(file: Path, change: Callable[[dict], object]) -> None:
    config = json.loads(file.read_text())
    change(config)
    file.write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c["options"].update(sizes=[0]), "--sizes"),
        (lambda c: c["options"].update(sizes="many"), "sizes"),
        (lambda c: c["options"].update(window="16"), "$.window"),
        (lambda c: c["options"].update(windoww=16), "'windoww'"),
        (lambda c: c.update(recipe="char-ml"), "Did you mean 'char-lm'"),
        (lambda c: c["assets"]["vocabulary"].update(characters="zyx"), "changed since they were written"),
        (lambda c: c.update(assets={}), "changed since they were written"),
    ],
)
def test_an_edited_model_config(command: Command, halted: Path, change: Callable[[dict], object], said: str) -> None:
    edit_json(halted / "config.json", change)
    before = tree(halted)
    for words in ("resume", "sample", "evaluate"):
        one_line(command(words, "halted"), said)
    assert tree(halted) == before


def test_data_that_has_changed(command: Command, halted: Path) -> None:
    command.text(seed=5)
    before = tree(halted)
    for words in ("resume", "evaluate"):
        one_line(command(words, "halted"), "the data has changed", "put the old data back")
    assert tree(halted) == before


def test_data_that_is_gone(command: Command, halted: Path) -> None:
    (command.folder / "book.txt").unlink()
    before = tree(halted)
    for words in ("resume", "evaluate"):
        one_line(command(words, "halted"), "book.txt", "no such file", "where it has moved, say so with --data")
    assert tree(halted) == before


def test_data_that_has_moved_is_named(command: Command, halted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = command.text("other.txt", seed=5)
    (command.folder / "moved").mkdir()
    moved = (command.folder / "book.txt").rename(command.folder / "moved" / "text.txt")
    before = tree(halted)
    for words in ("resume", "evaluate"):
        one_line(command(words, "halted", "--data", other), "--data", "other.txt is not what was there", "SHA-256")
        one_line(command(words, "halted", "--data", "nowhere.txt"), "nowhere.txt: no such file")
    assert tree(halted) == before
    said = command("resume", "halted", "--data", moved)
    assert said.code == 0, said.error
    whole = command.train("whole")
    assert (halted / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    monkeypatch.chdir(moved.parent)
    measured = command("evaluate", "halted", "--data", "text.txt")
    assert measured.code == 0 and measured.out.splitlines()[1:] == command("evaluate", "whole").out.splitlines()[1:]


def test_a_finished_run_says_how_to_go_on(command: Command) -> None:
    run = command.trained("book")
    before = tree(run)
    one_line(command("resume", "book"), "finished", "unrolled train char-lm --from book")
    assert tree(run) == before


def test_damaged_events(command: Command) -> None:
    run = command.trained("book")
    events = run / "events.jsonl"
    lines = events.read_text().splitlines(keepends=True)
    events.write_text("".join([*lines[:3], "{half\n", *lines[3:]]))
    one_line(command("runs", "show", "book"), "events.jsonl", "line 4")
    said = command("runs")
    assert said.code == 0 and "damaged" in said.out and "line 4" in said.out.replace("\n", " ")
    # A last line that a kill cut off is no damage.
    events.write_text("".join(lines)[:-5])
    assert command("runs", "show", "book").code == 0


def test_a_cell_from_elsewhere_is_imported_only_when_it_is_named(command: Command) -> None:
    (command.folder / "mine.py").write_text(CELL)
    run = command.trained("book", "--cell", "mine:Mine")
    del sys.modules["mine"]
    before = tree(run)
    for words in ("sample book", "evaluate book", "train book.txt --steps 1 --from book", "resume book"):
        said = command(*words.split())
        one_line(said, "mine:Mine", "--cell mine:Mine")
        assert "imported" not in said.out and "mine" not in sys.modules
    assert tree(run) == before
    assert [path.name for path in command.runs.iterdir()] == ["book"]
    assert command("sample", "book", "--length", "3", "--cell", "mine:Mine").code == 0
    assert command("train", "book.txt", "--steps", "2", "--from", "book", "--cell", "mine:Mine").code == 0


def test_fine_tuning_another_recipe(command: Command) -> None:
    run = command.trained("book")
    before = tree(run)
    one_line(command("train", "hello", "--from", "book"), "a run of char-lm", "unrolled train char-lm --from book")
    one_line(command("train", "book.txt", "--steps", "1", "--from", "book", "--sizes", "99"), "by the options")
    one_line(command("train", "book.txt", "--from", "nowhere"), "nowhere", "no such run")
    assert tree(run) == before
    assert [path.name for path in command.runs.iterdir()] == ["book"]


def test_fine_tuning_on_unknown_characters(command: Command) -> None:
    command.trained("book")
    (command.folder / "other.txt").write_text("Größe über alles, sagt die Maus. " * 99, encoding="utf-8")
    one_line(command("train", "other.txt", "--steps", "1", "--from", "book"), "other.txt", "does not know", "'ö'")


@pytest.mark.parametrize(
    ("damage", "said"),
    [(truncate, "truncated"), (empty, "truncated"), (another_safetensors, "no file of --save-state")],
)
def test_a_damaged_state(command: Command, damage: Callable[[Path], None], said: str) -> None:
    command.trained("book")
    assert command("sample", "book", "--length", "5", "--save-state", "place").code == 0
    damage(command.folder / "place")
    one_line(command("sample", "book", "--continue-state", "place"), "place", said, "--save-state")


def test_a_state_of_another_model(command: Command) -> None:
    command.trained("book")
    command.trained("other", "--seed", "1")
    assert command("sample", "book", "--length", "5", "--save-state", "place").code == 0
    one_line(command("sample", "other", "--continue-state", "place"), "place", "saved by another model")


def test_two_trainings_on_one_run_folder(command: Command, halted: Path) -> None:
    """While another process holds the run, resuming it says who, and changes nothing."""
    code = (
        "import sys, time; from unrolled.training import durable; from pathlib import Path\n"
        f"with durable.locked(Path({str(halted / 'checkpoints')!r})): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        before = tree(halted)
        started = time.monotonic()
        one_line(command("resume", "halted"), "is being trained in", str(holder.pid))
        assert time.monotonic() - started < 30
        assert tree(halted) == before
        holder.kill()
    assert command("resume", "halted").code == 0


@pytest.mark.parametrize(
    ("name", "value"), [("RANK", "first"), ("WORLD_SIZE", "two"), ("WORLD_SIZE", "0"), ("LOCAL_WORLD_SIZE", "-1")]
)
def test_an_odd_environment(command: Command, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "1")
    monkeypatch.setenv(name, value)
    one_line(command("train", "hello", "--steps", "1"), name, repr(value), "unset it")
    assert not command.runs.exists()


def test_a_world_without_torchrun(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    for name in ("MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    one_line(command("train", "hello", "--steps", "1"), "torchrun", code=1)
    assert not command.runs.exists()
