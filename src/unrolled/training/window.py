"""Around one update: a window's rows, the state they go on from, its randomness; and a pause to look at the model."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from unrolled import states
from unrolled.batch import Batch, Ragged
from unrolled.models.model import Model
from unrolled.states import State


def rows_in(batch: Batch) -> int:
    """B, of the rows at hand."""
    if batch.fresh is not None:
        return batch.fresh.shape[0]
    value = next(iter(batch.fields.values()))
    return value.lengths.shape[0] if isinstance(value, Ragged) else value.shape[1]


def carried(model: Model, batch: Batch, state: State | None) -> State:
    """The state before the window: what the last one left, but the initial one for rows that start anew."""
    initial = model.initial_state(rows_in(batch))
    if batch.fresh is None or state is None:
        return initial
    return states.where(batch.fresh, initial, state)


def seed_of(seed: int, number: int) -> int:
    """The seed of what is drawn within batch `number`, dropout masks for example: the same in every process."""
    digest = hashlib.sha256(f"{seed} {number}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


@contextmanager
def undisturbed(model: Model) -> Iterator[None]:
    """Evaluation mode without gradients; afterwards every module is in the mode that it was in.

    Random numbers may be drawn within it: every update sets the seed anew.
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training
