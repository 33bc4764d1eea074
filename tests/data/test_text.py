"""What is found where, and how what is not there is answered."""

from __future__ import annotations

import io
import os
import stat
import sys
from pathlib import Path

import pytest

from unrolled.data import text
from unrolled.errors import DataError


def make(root: Path, **files: str | bytes) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def test_a_folder_gives_its_texts_in_order(tmp_path: Path) -> None:
    files = {"b.txt": "b", "a/z.md": "z", "a/c.PY": "c", "a.txt.gz": b"\x1f\x8b", ".hidden.txt": "h", ".git/x.txt": "x"}
    folder = make(tmp_path / "folder", **files, **{"picture.png": "p", "noise.txt": b"a\0b", "LICENSE": "l"})
    found = text.find_files([folder])
    assert [path.relative_to(folder).as_posix() for path in found] == ["a/c.PY", "a/z.md", "a.txt.gz", "b.txt"]
    assert found.name == "folder"
    assert found.skipped == "1 binary files passed over (noise.txt)"


def test_files_and_folders_mix_in_the_order_given(tmp_path: Path) -> None:
    make(tmp_path, **{"z.any": "z", "f/b.txt": "b", "f/a.txt": "a"})
    found = text.find_files([tmp_path / "z.any", str(tmp_path / "f")])
    assert [path.name for path in found] == ["z.any", "a.txt", "b.txt"]
    assert (found.name, found.skipped) == ("2 paths", "")


def test_utf16_in_a_folder_is_no_binary_file(tmp_path: Path) -> None:
    make(tmp_path, **{"a.txt": "text".encode("utf-16")})
    assert len(text.find_files([tmp_path])) == 1


def test_no_such_file_names_the_nearest(tmp_path: Path) -> None:
    make(tmp_path, **{"book.txt": "b"})
    with pytest.raises(DataError, match=r"bok.txt: no such file or folder. Did you mean '.*/book.txt'\?"):
        text.find_files([tmp_path / "bok.txt"])
    with pytest.raises(DataError, match=r"nowhere/book.txt: no such file or folder. Nor is there a folder .*/nowhere$"):
        text.find_files([tmp_path / "nowhere" / "book.txt"])
    with pytest.raises(DataError, match=r"qqq: no such file or folder$"):
        text.find_files([tmp_path / "qqq"])


def test_a_path_through_a_file_is_refused(tmp_path: Path) -> None:
    make(tmp_path, **{"book.txt": "b"})
    with pytest.raises(DataError, match="part of this path is a file"):
        text.find_files([tmp_path / "book.txt" / "chapter"])
    with pytest.raises(DataError, match="not a path"):
        text.find_files(["a\0b"])


def test_a_folder_without_text_says_what_it_looked_for(tmp_path: Path) -> None:
    make(tmp_path, **{"a.png": "p", "b.txt": b"\0"})
    with pytest.raises(DataError, match=r"no text in this folder \(1 files with other endings, 1 binary\).*\.txt"):
        text.find_files([tmp_path])


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="neither a file nor a folder"):
        text.find_files([tmp_path / "pipe"])


def test_without_permission_the_file_is_named(open_folder: Path, as_nobody) -> None:
    make(open_folder, **{"closed/a.txt": "a", "open/b.txt": "b"})
    (open_folder / "closed").chmod(0)
    (open_folder / "open").chmod(0o755)
    (open_folder / "open" / "b.txt").chmod(0)
    with as_nobody():
        for asked, named in [("closed", "closed"), ("closed/a.txt", "closed/a.txt"), ("open", "b.txt")]:
            with pytest.raises(DataError, match=rf"{named}: no permission to read it"):
                text.find_files([open_folder / asked])
    (open_folder / "closed").chmod(0o755)


def test_the_standard_library_is_pythons_own_source() -> None:
    found = text.standard_library_files()
    names = {path.name for path in found}
    assert {"argparse.py", "textwrap.py", "decoder.py"} <= names
    steps = {step for path in found for step in path.relative_to(Path(os.__file__).parent).parts}
    assert not steps & {"test", "tests", "site-packages", "idlelib", "encodings"}
    assert list(found) == sorted(found, key=lambda path: path.relative_to(Path(os.__file__).parent).parts)
    assert found.name == f"the standard library of Python {sys.version.split()[0]}"
    for path in found:
        path.read_text(encoding="utf-8")


def test_a_python_without_its_source_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, **{"latin.py": b"\xe9", "test/a.py": "a = 1", "config-3.11/b.py": "b = 1", "c.txt": "c"})
    monkeypatch.setattr(text.sysconfig, "get_path", lambda name: str(tmp_path))
    with pytest.raises(DataError, match="no source of its standard library: name a text with --data"):
        text.standard_library_files()
    make(tmp_path, **{"b.py": "b = 1"})
    assert [path.name for path in text.standard_library_files()] == ["b.py"]


def test_standard_input_is_kept_as_it_came(tmp_path: Path) -> None:
    content = bytes(range(256)) * 10_000
    kept = text.keep_standard_input(tmp_path / "run" / "input.txt", io.BytesIO(content))
    assert kept.read_bytes() == content
    assert [path.name for path in kept.parent.iterdir()] == ["input.txt"]
    assert stat.S_IMODE(kept.stat().st_mode) & 0o600 == 0o600


def test_standard_input_is_read_where_no_stream_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"piped")))
    assert text.keep_standard_input(tmp_path / "input.txt").read_bytes() == b"piped"
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(DataError, match="closed"):
        text.keep_standard_input(tmp_path / "input.txt")


class Terminal(io.BytesIO):
    def isatty(self) -> bool:
        return True


class Broken(io.BytesIO):
    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell():
            raise KeyboardInterrupt
        return super().read(4)


def test_standard_input_that_fails_leaves_nothing(tmp_path: Path) -> None:
    kept = tmp_path / "input.txt"
    with pytest.raises(DataError, match="standard input is empty"):
        text.keep_standard_input(kept, io.BytesIO())
    with pytest.raises(DataError, match="is a terminal"):
        text.keep_standard_input(kept, Terminal(b"typed"))
    with pytest.raises(KeyboardInterrupt):
        text.keep_standard_input(kept, Broken(b"some text"))
    assert list(tmp_path.iterdir()) == []
    make(tmp_path, file="f")
    with pytest.raises(DataError, match="standard input cannot be kept there"):
        text.keep_standard_input(tmp_path / "file" / "input.txt", io.BytesIO(b"text"))
