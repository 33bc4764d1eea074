"""What is kept on the disk, written whole or line by line and read back; what goes wrong is a RunError that helps."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from unrolled.errors import RunError
from unrolled.training import durable

#: What may be done about a file that is damaged.
RESTORE = "restore it from a copy, or train the run anew"


def unwritable(error: OSError, path: Path) -> RunError:
    """What an OSError while writing `path` means for a user."""
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
            return RunError(
                f"{path}: the disk is full ({error.strerror}), and what was saved before is whole; free some space, "
                "then go on with `unrolled resume`, or begin again"
            )
        case errno.ENOTDIR | errno.EEXIST:
            return RunError(f"{path}: cannot be written, for a part of this path is a file; choose another folder")
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return RunError(f"{path}: cannot be written ({error.strerror}); choose another folder")
    return RunError(f"{path}: cannot be written ({error.strerror or error}); choose another folder")


def unreadable(error: OSError, path: Path) -> RunError:
    """What an OSError while reading `path` means for a user."""
    return RunError(f"{path}: cannot be read ({error.strerror or error}); chmod u+r, or {RESTORE}")


def write_whole(path: Path, content: bytes) -> None:
    """Put `content` at `path`, whole or not at all. RunError in the words of `unwritable`."""
    try:
        durable.write(path, content)
    except OSError as error:
        raise unwritable(error, path) from error
    except RunError as error:
        if isinstance(error.__cause__, OSError):
            raise unwritable(error.__cause__, path) from error
        raise


def append_line(file: Path, record: Mapping[str, Any]) -> None:
    """One JSON line more, in one write. RunError where it cannot be written."""
    line = json.dumps(record, ensure_ascii=False) + "\n"
    try:
        with file.open("a", encoding="utf-8") as out:
            out.write(line)
    except OSError as error:
        raise unwritable(error, file) from error


def json_lines(file: Path, columns: Mapping[str, type]) -> Iterator[dict[str, Any]]:
    """Line by line, without a last line that a kill cut off. RunError where a whole line is not what was written."""
    try:
        lines = file.open(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return
    except OSError as error:
        raise unreadable(error, file) from error
    with lines:
        for number, line in enumerate(lines, 1):
            if not line.endswith("\n"):
                return
            try:
                record = json.loads(line)
            except json.JSONDecodeError as error:
                raise RunError(f"{file}: line {number} is not JSON ({error.msg}); {RESTORE}") from None
            if not isinstance(record, dict) or not all(isinstance(record.get(name), columns[name]) for name in columns):
                raise RunError(f"{file}: line {number} is none that a run writes; {RESTORE}")
            yield record
