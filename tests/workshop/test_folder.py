"""The run folder: names, places, formats, and what survives a kill."""

from __future__ import annotations

import errno
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from unrolled.errors import RunError
from unrolled.workshop import disk
from unrolled.workshop import folder as folders
from unrolled.workshop.folder import RunFolder


@given(st.text())
@example("..")
@example("-" * 70)
@example("a" * 200)
def test_any_text_makes_a_name_that_is_allowed(text: str) -> None:
    name = folders.plain_name(text)
    assert folders.check_name(name) == name
    assert Path("runs", name).resolve().parent == Path("runs").resolve()


@given(st.text())
def test_a_name_that_is_allowed_stays_in_its_folder(text: str) -> None:
    try:
        name = folders.check_name(text)
    except RunError:
        return
    assert Path("runs", name).resolve() == Path("runs").resolve() / name and name not in {".", ".."}


def test_of_many_that_ask_at_once_each_gets_a_folder_of_its_own(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: folders.create(tmp_path / "runs", "", "book").name, range(24)))
    assert sorted(made) == sorted(["book", *(f"book-{number}" for number in range(2, 25))])


def test_of_two_that_ask_for_one_name_one_gets_it(tmp_path: Path) -> None:
    def create(_: int) -> bool:
        try:
            folders.create(tmp_path, "mine", "")
        except RunError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(create, range(24))) == 1


def configured(runs: Path, name: str) -> RunFolder:
    run = folders.create(runs, name, "")
    run.write_config({"recipe": "hello", "options": {}, "data": {"summary": "", "digest": ""}, "versions": {}})
    run.write_model_config("hello", {"word": "hello"}, {"letters": "helo"})
    return run


def test_opening_by_name_by_path_and_the_newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = configured(tmp_path / "runs", "one"), configured(tmp_path / "runs", "two")
    os.utime(one.path / "config.toml", ns=(1, 1))
    runs = tmp_path / "runs"
    assert folders.open_run("one", runs).path == one.path
    assert folders.open_run(str(one.path), tmp_path / "elsewhere").path == one.path
    assert folders.open_run("", runs) == two
    monkeypatch.chdir(two.path)
    assert folders.open_run(".", runs).name == "two"
    with pytest.raises(RunError, match="Did you mean 'one'"):
        folders.open_run("oen", runs)
    with pytest.raises(RunError, match="no runs yet"):
        folders.open_run("", tmp_path / "none")
    assert folders.open_run("", tmp_path / "none", bundled=True).path == folders.BUNDLED_FOLDER


def test_configs_come_back(tmp_path: Path) -> None:
    run = configured(tmp_path, "one")
    assert run.config()["recipe"] == "hello" and run.config()["format"] == 1
    assert run.model_config()["assets"] == {"letters": "helo"}


def test_a_last_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    run = configured(tmp_path, "one")
    run.events_file.write_text('{"event": "updated", "step": 1}\n{"event": "upda', encoding="utf-8")
    assert list(run.events()) == [{"event": "updated", "step": 1}]
    run.events_file.write_bytes(b'{"event": "updated", "step": 1}\n\xff\xfe\n')
    with pytest.raises(RunError, match=r"events.jsonl: line 2 is not JSON"):
        list(run.events())
    run.events_file.write_text('{"event": "updated"}\n')
    with pytest.raises(RunError, match="line 1 is none that a run writes"):
        list(run.events())


def test_the_model_of_the_package_keeps_no_evaluations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = configured(tmp_path, "tiny")
    record = {"part": "test", "figures": {"loss": 1.0}}
    run.append_evaluation(record)
    monkeypatch.setattr(folders, "BUNDLED_FOLDER", run.path)
    run.append_evaluation(record)
    assert list(run.evaluations()) == [record]


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the disk is full"),
        (errno.ENOTDIR, "part of this path is a file"),
        (errno.EROFS, "Read-only file system"),
        (errno.EIO, "cannot be written"),
    ],
)
def test_what_the_system_refuses_in_words(number: int, said: str) -> None:
    message = str(disk.unwritable(OSError(number, os.strerror(number)), Path("a/b")))
    assert message.startswith("a/b: ") and said in message
    assert "choose another" in message or "free some" in message


def test_write_whole_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "x"
    disk.write_whole(file, b"old")

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(RunError, match="x: the disk is full"):
        disk.write_whole(file, b"new")
    assert file.read_bytes() == b"old" and [path.name for path in tmp_path.iterdir()] == ["x"]
    with pytest.raises(RunError, match="part of this path is a file"):
        disk.write_whole(file / "below", b"new")


def test_assets_that_were_edited_are_refused_whatever_the_order_of_their_names(tmp_path: Path) -> None:
    run = configured(tmp_path, "one")
    run.write_model_config("hello", {}, {"word": "hello", "letters": "helo"})
    file = run.path / "config.json"
    config = json.loads(file.read_text())
    config["assets"] = dict(reversed(config["assets"].items()))
    file.write_text(json.dumps(config))
    assert run.model_config()["assets"]["letters"] == "helo"
    config["assets"]["letters"] = "hleo"
    file.write_text(json.dumps(config))
    with pytest.raises(RunError, match="changed since they were written"):
        run.model_config()
