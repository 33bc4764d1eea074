"""What the loop says as it goes: typed events, no printing. `to_dict` is one line of a run's events.jsonl."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar


@dataclass(frozen=True)
class Event:
    """Something that happened when `step` updates had been done."""

    KIND: ClassVar[str] = ""
    step: int  # updates done so far

    def to_dict(self) -> dict[str, Any]:
        return {"event": self.KIND, **asdict(self)}


@dataclass(frozen=True)
class Planned(Event):
    """The budget has become a number of steps. per_second: `unit` a second in the timed warm-up, if there was one."""

    KIND = "planned"
    steps: int
    epochs: float
    unit: str
    per_second: float | None
    parameters: int
    processes: int


@dataclass(frozen=True)
class Updated(Event):
    """One update. loss: what was minimised, by unit or by row (Settings.reduction); gradient_norm: unclipped."""

    KIND = "updated"
    loss: float
    gradient_norm: float
    rate: float
    epoch: float
    per_second: float
    seconds_left: float


@dataclass(frozen=True)
class Validated(Event):
    """Held-out figures by name; `best` says that the first of them is the lowest so far."""

    KIND = "validated"
    figures: dict[str, float]
    best: bool


@dataclass(frozen=True)
class Sampled(Event):
    """What the model writes by now."""

    KIND = "sampled"
    text: str


@dataclass(frozen=True)
class Saved(Event):
    """A checkpoint is on the disk for good. digest: SHA-256 of its tensors' file."""

    KIND = "saved"
    name: str
    digest: str


@dataclass(frozen=True)
class RolledBack(Event):
    """Something was not finite, or exploded: back to an earlier checkpoint, with a lower rate."""

    KIND = "rolled-back"
    to_step: int
    reason: str
    rate_factor: float


@dataclass(frozen=True)
class Skipped(Event):
    """A batch that cannot be used (it holds NaN, or broke the training twice) was passed over."""

    KIND = "skipped"
    reason: str


@dataclass(frozen=True)
class Resumed(Event):
    """Training goes on from this checkpoint."""

    KIND = "resumed"
    checkpoint: str


@dataclass(frozen=True)
class Interrupted(Event):
    """Asked to stop: the state is saved, and the run can be resumed."""

    KIND = "interrupted"
    checkpoint: str


@dataclass(frozen=True)
class Finished(Event):
    """The budget is used up. minutes since the process started; share of the cores that the run really had."""

    KIND = "finished"
    minutes: float
    core_share: float
    digest: str
