"""Files that survive a power cut, and a folder that only one process writes to.

A file is written beside its place, forced to the disk, renamed over it, and the folder forced to the disk: at any
moment the name holds either the whole old content or the whole new one.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from unrolled.errors import RunError

#: Ends the name of a file that is still being written; one that is found later was left by a process that was killed.
UNFINISHED = ".unfinished"
CHUNK = 1 << 20


def write(path: Path, content: bytes) -> None:
    """Put `content` at `path` for good, or leave what was there and raise RunError, saying why."""
    unfinished = path.with_name(path.name + UNFINISHED)
    try:
        _write_and_sync(unfinished, content)
        os.replace(unfinished, path)
        sync_folder(path.parent)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise RunError(
            f"{path} could not be written ({error.strerror or error}); what was saved before it is whole: "
            "make room or mend the folder, then resume"
        ) from error
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def _write_and_sync(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest[:CHUNK]) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Force the folder's list of names to the disk, so that a rename in it is there after a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold `folder`, made if it is missing; RunError, naming the holder, while another holds it.

    The operating system lets go of the lock when its process ends, however it ends, so that none is ever stale.
    """
    path = folder / ".lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise RunError(
            f"{folder} cannot be written to ({error.strerror or error}); choose a folder that can"
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            raise RunError(
                f"{folder} is being trained in by the process {holder or '(unknown)'}; "
                "wait until it is done, stop it, or train in another folder"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        yield
    finally:
        os.close(descriptor)
