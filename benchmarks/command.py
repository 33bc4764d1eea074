"""The command as a user has it, for suites that measure whole processes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from unrolled.errors import UserError


def installed_command() -> str:
    """The `unrolled` beside the Python that runs this: what a user types, and no wrapper around it."""
    command = Path(sys.executable).with_name("unrolled")
    if not command.exists():
        raise UserError(f"{sys.executable} has no `unrolled` beside it: install the package first (scripts/setup)")
    return str(command)


def failed(command: Sequence[str], said: str) -> UserError:
    """What to raise where `command` did not work; said: what it wrote to its standard error."""
    words = " ".join((Path(command[0]).name, *command[1:]))
    last = (said.strip().splitlines() or ["it said nothing"])[-1]
    return UserError(f"{words} did not work, so nothing was measured: {last}")
