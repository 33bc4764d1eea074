"""Nothing that is not finite survives: what counts as trouble, and what is done about it.

Trouble with a batch's data (NaN or an infinity in a field): the batch is skipped at once.
Trouble in the update (loss or gradient not finite, loss exploded, weights not finite afterwards): back to the last
regular checkpoint with half the rate. The same batch again: it is skipped. Three times back to one checkpoint without
a new one: the checkpoint itself is suspect, and the one before it is taken. Everything here follows from the checkpoint
that was loaded, so a run that is killed in the middle of it and resumed does the same again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from unrolled import states
from unrolled.batch import Batch, Ragged
from unrolled.errors import TrainingError
from unrolled.states import State

#: A loss explodes above so many times its smoothed value, if it is also above whatever the first losses were.
EXPLOSION = 5.0
FIRST_LOSSES = 10
SMOOTHING = 0.95
#: Ways back in one training, and batches skipped one after the other, before it is given up.
MOST_ROLLBACKS = 10
MOST_SKIPS = 100
#: Times back to one checkpoint before the one before it is taken.
PATIENCE = 2


@dataclass(frozen=True)
class Trouble:
    """reason: what was found, and where. data: the batch itself cannot be used."""

    reason: str
    data: bool = False


@dataclass
class Watch:
    """The level of the loss so far, by unit or by row; what an explosion is measured against."""

    seen: int = 0
    first: float = 0.0
    smoothed: float = 0.0

    def trouble(self, loss: float, step: int) -> Trouble | None:
        """What is wrong with the loss of the update after `step` updates."""
        if not math.isfinite(loss):
            return Trouble(f"the loss was {loss} at step {step}")
        limit = max(self.smoothed + (EXPLOSION - 1) * abs(self.smoothed), self.first)
        if self.seen >= FIRST_LOSSES and loss > limit:
            return Trouble(f"the loss exploded at step {step}: {loss:.4g}, after {self.smoothed:.4g} on average")
        return None

    def add(self, loss: float) -> None:
        if self.seen < FIRST_LOSSES:
            self.first = loss if self.seen == 0 else max(self.first, loss)
        # The plain mean at first, so that the start does not weigh for long.
        weight = max(1 - SMOOTHING, 1 / (self.seen + 1))
        self.smoothed += weight * (loss - self.smoothed)
        self.seen += 1


@dataclass
class Story:
    """What has gone wrong so far, and what was done: kept through rollbacks, and in every checkpoint.

    failed, skipped: numbers of batches. back: ways back since the last regular checkpoint was written.
    """

    rate_factor: float = 1.0
    rollbacks: int = 0
    back: int = 0
    failed: list[int] = field(default_factory=list)
    skipped: list[int] = field(default_factory=list)
    in_a_row: int = 0

    def skips(self, trouble: Trouble, number: int) -> bool:
        """Whether batch `number` is to be skipped for this trouble, rather than gone back for."""
        return trouble.data or number in self.failed

    def skip(self, trouble: Trouble, number: int) -> str:
        """Write down that batch `number` is skipped; the reason in words."""
        again = "" if trouble.data else f", and batch {number} had failed before"
        reason = f"{trouble.reason}{again}"
        self.in_a_row += 1
        if self.in_a_row > MOST_SKIPS:
            raise TrainingError(
                f"{MOST_SKIPS} batches one after the other could not be used, the last because {reason}; "
                "look at the data, or train again with a lower rate"
            )
        if number not in self.skipped:
            self.skipped.append(number)
        return reason

    def go_back(self, trouble: Trouble, number: int, targets: int) -> int:
        """Write down a way back because of batch `number`; which of the `targets` checkpoints to take, oldest first."""
        if self.rollbacks >= MOST_ROLLBACKS:
            raise TrainingError(
                f"{trouble.reason}; {self.rollbacks} ways back, with the rate down to {self.rate_factor:.3g} of "
                f"what was asked, and {len(self.skipped)} batches skipped, did not help: train with a lower rate or "
                "stronger clipping"
            )
        self.rollbacks += 1
        self.back += 1
        if number in self.failed and number not in self.skipped:
            self.skipped.append(number)  # it went through unnoticed and did its harm twice: pass over it next time
        if number not in self.failed:
            self.failed.append(number)
        self.rate_factor /= 2
        return targets - 1 if self.back <= PATIENCE else 0

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def unusable(batch: Batch, number: int) -> Trouble | None:
    """NaN or an infinity in a field of the batch that counts, with field and rows."""
    for name, value in batch.fields.items():
        values = value.values if isinstance(value, Ragged) else value
        if not (values.is_floating_point() or values.is_complex()):
            continue
        wrong = ~torch.isfinite(values)
        if not wrong.any():
            continue
        if isinstance(value, Ragged):
            mask = value.mask()
            wrong &= mask.reshape(*mask.shape, *([1] * (wrong.dim() - 2)))
        rows = wrong.transpose(0, 1).flatten(1).any(1).nonzero().flatten() + (batch.rows[0] if batch.rows else 0)
        if rows.numel():
            kind = "NaN" if bool((torch.isnan(values) & wrong).any()) else "an infinity"
            named = ", ".join(str(int(row)) for row in rows[:8]) + (" …" if rows.numel() > 8 else "")
            where = f" ({batch.origin})" if batch.origin else ""
            return Trouble(f"field {name!r} of batch {number}{where} holds {kind} in rows {named}", data=True)
    return None


def unsound(model: nn.Module, optimiser: Mapping[str, Tensor], state: State | None, step: int) -> Trouble | None:
    """Weights, moments or a carried state that are not finite: such a training must not be saved."""
    carried: Iterable[tuple[str, Tensor]] = () if state is None else states.leaves(state)
    for kind, tensors in (("weight", model.state_dict().items()), ("moment", optimiser.items()), ("state", carried)):
        for name, tensor in tensors:
            if not bool(torch.isfinite(tensor).all()):
                return Trouble(f"the {kind} {name!r} was not finite after step {step}")
    return None
