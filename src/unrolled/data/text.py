"""Where text comes from: files, folders, Python's own library, standard input. `reading` opens what is found."""

from __future__ import annotations

import difflib
import os
import stat
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from unrolled.data.new_file import NewFile
from unrolled.errors import DataError

_ENDINGS = (
    ".txt .text .md .markdown .rst .org .adoc .tex .bib .csv .tsv .json .jsonl .toml .yaml .yml .ini .xml .html .htm "
    ".css .js .mjs .ts .py .pyi .c .h .cc .cpp .hpp .cxx .cu .java .kt .scala .go .rs .rb .php .pl .lua .r .jl .m .hs "
    ".ml .lisp .scm .el .clj .ex .erl .sh .bash .sql .f90 .abc .srt .ptb .mrg"
)
#: What counts as text in a folder, where nobody names the files one by one. A file given by name may end in anything.
TEXT_ENDINGS = frozenset(_ENDINGS.split())
#: Read as what they hold.
COMPRESSED_ENDINGS = frozenset({".gz", ".bz2", ".xz", ".zip"})
#: Bytes that are looked at to tell a binary file from a text.
SNIFFED = 8192
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")

_LEFT_OUT = (
    "test tests idle_test idlelib lib2to3 site-packages dist-packages ensurepip encodings pydoc_data turtledemo "
    "__pycache__ __phello__"
)
#: Folders and files of the standard library that are tests, tables, prose or other people's: not Python to learn from.
_NOT_LEARNT = frozenset(_LEFT_OUT.split())


class FoundFiles(list[Path]):
    """Files to be read one after the other. skipped: what was passed over and why, as a sentence; may be empty."""

    def __init__(self, files: Iterable[Path], name: str, skipped: str = "") -> None:
        super().__init__(files)
        self.name = name
        self.skipped = skipped


def find_files(paths: Iterable[Path | str]) -> FoundFiles:
    """The files meant by `paths`: each file itself, of each folder the text files in it and below, sorted by path.

    In a folder, names that begin with a dot are passed over, so are endings not in TEXT_ENDINGS (before a .gz, .bz2
    or .xz), and files with a zero byte near their beginning. DataError where a path does not exist, is no file or
    folder, or holds no text.
    """
    asked = [Path(path) for path in paths]
    found: list[Path] = []
    binary: list[Path] = []
    for path in asked:
        mode = _status(path).st_mode
        if stat.S_ISDIR(mode):
            texts, unfit = _texts_below(path)
            found += texts
            binary += unfit
        elif stat.S_ISREG(mode):
            found.append(path)
        else:
            raise DataError(f"{path}: neither a file nor a folder: pipe it in instead, with - for the file's name")
    name = asked[0].name or str(asked[0]) if len(asked) == 1 else f"{len(asked)} paths"
    shown = ", ".join(path.name for path in binary[:3]) + (", …" if len(binary) > 3 else "")
    return FoundFiles(found, name, f"{len(binary)} binary files passed over ({shown})" if binary else "")


def standard_library_files() -> FoundFiles:
    """The Python source of the standard library of the Python that is running, sorted by path.

    Without tests, packages installed beside it, tables (`encodings`), prose (`pydoc_data`), and what is not UTF-8.
    """
    root = Path(sysconfig.get_path("stdlib"))
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _NOT_LEARNT and not name.startswith("config-"))
        for name in names:
            if name.endswith(".py") and not name.startswith("_sysconfigdata"):
                found.append(Path(folder, name))
    found = [path for path in sorted(found, key=lambda path: path.relative_to(root).parts) if _is_utf8(path)]
    if not found:
        raise DataError(f"{root}: this Python has no source of its standard library: name a text with --data")
    version = ".".join(str(part) for part in sys.version_info[:3])
    return FoundFiles(found, f"the standard library of Python {version}")


def keep_standard_input(kept: Path, stream: BinaryIO | None = None) -> Path:
    """Copies standard input (or `stream`) to the file `kept`, which appears when it is whole.

    DataError where nothing comes, where standard input is a terminal, or the file cannot be written.
    """
    if stream is None:
        if sys.stdin is None:
            raise DataError("- reads standard input, which is closed: pipe a text in, or name a file")
        stream = sys.stdin.buffer
    if stream.isatty():
        raise DataError("- reads standard input, which is a terminal: pipe a text in, or name a file")
    try:
        with NewFile(kept) as file:
            empty = True
            while chunk := stream.read(1 << 20):
                file.write(chunk)
                empty = False
            if empty:
                raise DataError("standard input is empty: pipe a text in, or name a file")
    except OSError as error:
        raise DataError(
            f"{kept}: standard input cannot be kept there: {error.strerror}: free some room, or name another folder"
        ) from error
    return kept


def unreadable(path: Path, error: OSError) -> DataError:
    """The system's refusal, in words, with a way out."""
    match error:
        case FileNotFoundError():
            return DataError(f"{path}: no such file or folder.{_nearest(path)}".rstrip("."))
        case PermissionError():
            return DataError(f"{path}: no permission to read it: chmod u+r, or ask its owner")
        case NotADirectoryError():
            return DataError(f"{path}: part of this path is a file, not a folder")
        case IsADirectoryError():
            return DataError(f"{path}: a folder, where a file was expected")
    return DataError(f"{path}: cannot be read: {error.strerror or error}")


def _status(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise unreadable(path, error) from error
    except ValueError as error:
        raise DataError(f"{str(path)!r}: not a path: {error}") from error


def _nearest(path: Path) -> str:
    try:
        names = os.listdir(path.parent)
    except OSError:
        return f" Nor is there a folder {path.parent}."
    near = difflib.get_close_matches(path.name, names, n=1, cutoff=0.6)
    return f" Did you mean {str(path.parent / near[0])!r}?" if near else ""


def _texts_below(root: Path) -> tuple[list[Path], list[Path]]:
    """Text files, and those that end like text but are binary."""

    def refuse(error: OSError) -> None:
        raise unreadable(Path(error.filename), error) from error

    candidates = []
    others = 0
    for folder, folders, names in os.walk(root, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if name.startswith("."):
                continue
            path = Path(folder, name)
            inner = path.with_suffix("") if path.suffix.lower() in COMPRESSED_ENDINGS - {".zip"} else path
            if inner.suffix.lower() in TEXT_ENDINGS:
                candidates.append(path)
            else:
                others += 1
    texts, binary = [], []
    for path in sorted(candidates, key=lambda path: path.relative_to(root).parts):
        (binary if _looks_binary(path) else texts).append(path)
    if not texts:
        raise DataError(
            f"{root}: no text in this folder ({others} files with other endings, {len(binary)} binary): "
            "endings such as .txt, .md, .py, .tex are read, or name the files themselves"
        )
    return texts, binary


def _looks_binary(path: Path) -> bool:
    if path.suffix.lower() in COMPRESSED_ENDINGS:
        return False
    try:
        with path.open("rb") as file:
            beginning = file.read(SNIFFED)
    except OSError as error:
        raise unreadable(path, error) from error
    return b"\0" in beginning and not beginning.startswith(UTF16_MARKS)


def _is_utf8(path: Path) -> bool:
    try:
        path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return True
