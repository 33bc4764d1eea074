"""A file that appears under its name when it is whole, and not at all when writing it fails."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from pathlib import Path
from types import TracebackType
from typing import Self

#: Ending of what is not whole yet.
PARTIAL = ".partial"
#: What a process that was killed left behind is swept away after this many seconds.
STALE = 24 * 3600


class NewFile:
    """`with NewFile(path) as file: file.write(…)`; the folder is made where it is missing.

    At the end of the block the file is on the disk for good and has its name, in place of one that had it before; an
    exception in the block, or a failure to finish, leaves nothing. Two processes may write the same name at once: each
    writes its own, and the last to finish gives it the name. OSError as the system says it: from the constructor
    where the folder cannot be written, later where the disk is full.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._sweep()
        #: Where it is until it is whole; it may be read there.
        self.partial = path.parent / f".{path.name[:40]}.{secrets.token_hex(8)}{PARTIAL}"
        # Unbuffered, so that closing has nothing left to write, which could fail.
        self._descriptor = os.open(self.partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)

    def write(self, data: bytes | memoryview) -> None:
        """All of it, or OSError."""
        left = memoryview(data).cast("B")
        while left:
            left = left[os.write(self._descriptor, left) :]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                os.fsync(self._descriptor)
                self.partial.replace(self._path)
                self._keep_name()
        finally:
            os.close(self._descriptor)
            self.partial.unlink(missing_ok=True)

    def _keep_name(self) -> None:
        """The new name, too, outlives a power cut."""
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _sweep(self) -> None:
        for partial in self._path.parent.glob(f".*{PARTIAL}"):
            # Another process may have swept it, or it belongs to somebody else: neither is this one's business.
            with contextlib.suppress(OSError):
                if time.time() - partial.stat().st_mtime > STALE:
                    partial.unlink()
