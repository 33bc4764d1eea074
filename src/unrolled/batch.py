"""What a data source hands to a model: named fields, ragged where they are ragged.

Axes are time-major: T time, B batch rows, F features.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

#: In a field of targets: nothing is asked at this time, and what is answered there counts for nothing.
NOT_ASKED = -1


@dataclass(frozen=True)
class Ragged:
    """Sequences of several lengths, side by side.

    values: (T, B, ...), time-major, of any content past each length.
    lengths: (B,) int64, each in [0, T].
    """

    values: Tensor
    lengths: Tensor

    def mask(self) -> Tensor:
        """(T, B) bool, true where a value counts."""
        return torch.arange(self.values.shape[0], device=self.values.device)[:, None] < self.lengths[None, :]


@dataclass(frozen=True)
class Batch:
    """Named fields of one batch, and where its rows start anew.

    fields: name → tensor (T, B, ...) or Ragged. A field of a sequence as a whole, its class say, has T = 1.
    fresh: (B,) bool, true where a row's state is to be reset before this batch; None means every row is fresh.
    rows: (first, total), which rows of the global batch these are, so that masks are drawn alike however
        many processes share the work; None means that these are all.
    """

    fields: Mapping[str, Tensor | Ragged]
    fresh: Tensor | None = None
    rows: tuple[int, int] | None = None
    # A word of the source about where this came from ("window 12 of epoch 3"), for error messages.
    origin: str = field(default="", compare=False)

    def __getitem__(self, name: str) -> Tensor | Ragged:
        try:
            return self.fields[name]
        except KeyError:
            raise KeyError(f"the batch has the fields {sorted(self.fields)}, not {name!r}") from None

    def tensor(self, name: str) -> Tensor:
        """The plain field `name`. KeyError where there is none, TypeError where it is ragged."""
        value = self[name]
        if isinstance(value, Ragged):
            raise TypeError(f"field {name!r} is ragged: read it with .ragged({name!r})")
        return value

    def ragged(self, name: str) -> Ragged:
        """The ragged field `name`. KeyError where there is none, TypeError where it is plain."""
        value = self[name]
        if not isinstance(value, Ragged):
            raise TypeError(f"field {name!r} is a plain tensor: read it with .tensor({name!r})")
        return value

    def map(self, function: Callable[[Tensor], Tensor]) -> Batch:
        """The same batch with `function` applied to every tensor (to move it to a device, say)."""

        def apply(value: Tensor | Ragged) -> Tensor | Ragged:
            if isinstance(value, Ragged):
                return Ragged(function(value.values), function(value.lengths))
            return function(value)

        fresh = None if self.fresh is None else function(self.fresh)
        return Batch({name: apply(value) for name, value in self.fields.items()}, fresh, self.rows, self.origin)


class Source(Protocol):
    """Batches for training, endless, and a pure function of their number: nothing has to be saved to go on.

    Whatever is random in a batch (offsets, resets, order) is drawn from the seed, the number and the global row, so
    that a run that resumes, and a run on several processes, sees what the uninterrupted one process saw.
    """

    #: Rows of the global batch.
    batch_size: int
    #: Batches after which every training item has been seen once.
    batches_per_epoch: int
    #: What `Loss.count` counts, in the plural: "characters", "names".
    unit: str

    def batch(self, number: int) -> Batch:
        """Batch `number` (0, 1, …), for the rows of this source."""
        ...

    def for_rows(self, first: int, count: int) -> Source:
        """The same source, giving only these rows of each global batch (with `Batch.rows` saying which)."""
        ...
