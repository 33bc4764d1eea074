"""A model and a source small enough to train in milliseconds, with everything in them that can go wrong on resuming:
dropout, a carried state, random resets, rows of a global batch, and faults that are put in on purpose."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from unrolled.batch import Batch
from unrolled.cells.elman import Elman
from unrolled.layers.dropout import Dropout
from unrolled.models.model import Loss, Model
from unrolled.training.checkpoint import Checkpoints
from unrolled.training.events import Event
from unrolled.training.loop import train
from unrolled.training.settings import Budget, Settings
from unrolled.training.snapshot import weights


class TinyState(NamedTuple):
    hidden: Tensor


class Tiny(Model):
    """h_t = tanh(W h + U x + b), y = v · dropout(h): the mean square of y − target, summed."""

    def __init__(self, dropout: float = 0.0, hidden: int = 5, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.cell = Elman(3, hidden)
        self.dropout = Dropout(dropout)
        self.readout = nn.Linear(hidden, 1)

    def initial_state(self, batch_size: int) -> TinyState:
        return TinyState(torch.zeros(batch_size, self.cell.hidden_size, dtype=self.cell.W.dtype))

    def loss(self, batch: Batch, state: TinyState) -> Loss:
        x, target = batch.tensor("x"), batch.tensor("target")
        h, outputs = state.hidden, []
        for x_t in x:
            h = torch.tanh(h @ self.cell.W.T + x_t @ self.cell.U.T + self.cell.b)
            outputs.append(h)
        y = self.readout(self.dropout(torch.stack(outputs))).squeeze(-1)
        total = (y - target).pow(2).sum()
        if (
            "spoil" in batch.fields
        ):  # a tenth of what the loss is multiplied by: how a test puts NaN in, or an explosion
            total = total * batch.tensor("spoil").max() * 10
        return Loss(total, torch.tensor(float(target.numel())), TinyState(h), {})


@dataclass(frozen=True)
class TinySource:
    """Noise in, its running sum out; every value from (seed, number, global row). resets: chance of a fresh row.

    spoil: batch number → what to do to the fields of that batch.
    """

    batch_size: int = 4
    steps: int = 6
    seed: int = 0
    resets: float = 0.3
    first: int = 0
    count: int | None = None
    spoil: dict[int, Callable[[dict[str, Tensor]], None]] = field(default_factory=dict)
    asked: list[int] = field(default_factory=list, compare=False)

    batches_per_epoch = 8
    unit = "values"

    def batch(self, number: int) -> Batch:
        self.asked.append(number)
        x, fresh = [], []
        for row in range(self.batch_size):
            generator = torch.Generator().manual_seed(self.seed * 1_000_003 + number * 1009 + row)
            x.append(torch.randn(self.steps, 3, generator=generator))
            fresh.append(number == 0 or bool(torch.rand((), generator=generator) < self.resets))
        whole = {"x": torch.stack(x, 1)}
        whole["target"] = torch.tanh(whole["x"].sum(-1).cumsum(0) / 3)
        if number in self.spoil:
            self.spoil[number](whole)
        count = self.batch_size if self.count is None else self.count
        rows = slice(self.first, self.first + count)
        fields = {name: value[:, rows] for name, value in whole.items()}
        return Batch(fields, torch.tensor(fresh)[rows], (self.first, self.batch_size), f"window {number}")

    def for_rows(self, first: int, count: int) -> TinySource:
        return replace(self, first=first, count=count)


def nan_in_data(row: int = 1) -> Callable[[dict[str, Tensor]], None]:
    def spoil(fields: dict[str, Tensor]) -> None:
        fields["x"][2, row, 0] = math.nan

    return spoil


def loss_times(factor: float) -> Callable[[dict[str, Tensor]], None]:
    """The loss of this batch is multiplied, by 1e38 for one that is past float32."""

    def spoil(fields: dict[str, Tensor]) -> None:
        fields["spoil"] = torch.full_like(fields["target"], factor)

    return spoil


def settings(**changes: object) -> Settings:
    changes.setdefault("budget", Budget(steps=24))
    changes.setdefault("warmup_steps", 4)
    changes.setdefault("checkpoint_every", 5)
    changes.setdefault("rate", 1e-2)
    return Settings(**changes)  # type: ignore[arg-type]


def run(
    folder: Path,
    model: Model | None = None,
    source: TinySource | None = None,
    asked: Settings | None = None,
    resume: bool = False,
    stop_at: int | None = None,
    **more: object,
) -> tuple[list[Event], Model]:
    """Train to the end, or until `stop_at` updates were seen; the events and the model."""
    model = Tiny(dropout=0.2) if model is None else model
    seen = [0]

    def stop() -> bool:
        return stop_at is not None and seen[0] >= stop_at - 1

    more = {"validate": None, "sample": None, "checkpoints": Checkpoints(folder)} | more
    events = []
    for event in train(model, source or TinySource(), asked or settings(), stop=stop, resume=resume, **more):  # type: ignore[arg-type]
        events.append(event)
        seen[0] = event.step if event.KIND in ("updated", "rolled-back", "resumed") else seen[0]
    return events, model


def digest(model: Model) -> str:
    """SHA-256 of the weights."""
    found = hashlib.sha256()
    for name, tensor in sorted(weights(model).items()):
        found.update(name.encode() + tensor.detach().contiguous().numpy().tobytes())
    return found.hexdigest()


def of_kind(events: list[Event], kind: type) -> list:
    return [event for event in events if isinstance(event, kind)]
