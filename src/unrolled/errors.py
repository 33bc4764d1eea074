"""Every failure that a user can meet, at a glance.

    UnrolledError
    ├── UserError              a mistake that its maker can mend: one line, exit code 2, no traceback
    │   ├── OptionError        an option or a value out of range, an unknown name
    │   ├── DataError          a file or a text that cannot be used: names the file and the place
    │   ├── PromptError        a prompt that the model cannot read
    │   ├── CheckpointError    a checkpoint that is truncated, edited, foreign or not a checkpoint
    │   └── RunError           a run folder that is missing, taken, unwritable or outside its place
    ├── ShapeError             a tensor of another shape, type or device than the part documents
    ├── KernelError            a kernel asked for by name cannot serve the case, and says why
    ├── TrainingError          training cannot go on: every way back has been tried
    └── ContractError          a cell or a kernel of someone's own breaks the contract that it is written to

Each says what was expected, what came, and what to do next.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UnrolledError(Exception):
    """The root: `except UnrolledError` catches whatever this package raises on purpose."""

    exit_code = 1


class UserError(UnrolledError):
    """A mistake that its maker can mend: a face prints the one line, without a traceback."""

    exit_code = 2


class OptionError(UserError):
    """An option or a value out of range, or a name that nothing has."""


class DataError(UserError):
    """A file or a text that cannot be used; names the file and the place in it."""


class PromptError(UserError):
    """A prompt that the model cannot read."""


class CheckpointError(UserError):
    """A checkpoint that is truncated, edited, from another model, or not a checkpoint."""


class RunError(UserError):
    """A run folder that is missing, taken, unwritable, or outside its place."""


class ShapeError(UnrolledError, ValueError):
    """A tensor of another shape, type or device than the part documents."""


class KernelError(UnrolledError):
    """A kernel asked for by name cannot serve the case; says why."""


class TrainingError(UnrolledError):
    """Training cannot go on: every way back has been tried."""


class ContractError(UnrolledError, AssertionError):
    """A cell or a kernel breaks its contract; says which clause, and by how much (see unrolled.contracts)."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`" Did you mean 'char-lm'?"`, with a leading space, or an empty string where nothing is near."""
    near = difflib.get_close_matches(word, list(known), n=2, cutoff=0.6)
    return f" Did you mean {' or '.join(repr(n) for n in near)}?" if near else ""
