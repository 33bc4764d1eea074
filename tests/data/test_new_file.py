"""A file is whole or not there."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from unrolled.data import new_file
from unrolled.data.new_file import NewFile


def test_it_appears_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    with NewFile(path) as file:
        file.write(b"ab")
        file.write(memoryview(b"cd"))
        assert not path.exists()
    assert path.read_bytes() == b"abcd"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("moment", ["write", "fsync", "replace"])
def test_a_failure_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"before")

    def fail(*_: object) -> None:
        raise OSError("no")

    monkeypatch.setattr(new_file.Path if moment == "replace" else os, moment, fail)
    with pytest.raises(OSError, match="no"), NewFile(path) as file:
        file.write(b"after")
    monkeypatch.undo()
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_short_writes_are_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, bytes(data[:3])))
    with NewFile(tmp_path / "file") as file:
        file.write(b"0123456789")
    assert (tmp_path / "file").read_bytes() == b"0123456789"


def test_what_a_killed_process_left_is_swept_away_in_time(tmp_path: Path) -> None:
    old, young, others = tmp_path / ".a.00.partial", tmp_path / ".b.00.partial", tmp_path / "c.partial"
    for path in (old, young, others):
        path.write_bytes(b"")
    long_ago = time.time() - 2 * new_file.STALE
    os.utime(old, (long_ago, long_ago))
    os.utime(others, (long_ago, long_ago))
    with NewFile(tmp_path / "file"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == [".b.00.partial", "c.partial", "file"]
