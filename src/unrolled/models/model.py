"""The contract of a model: a loss over a batch, and, where something can be drawn or searched, one step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor, nn

from unrolled.batch import Batch
from unrolled.cells.cell import needs_beside
from unrolled.errors import OptionError
from unrolled.layers.recurrent import Recurrent
from unrolled.states import State

#: One step of a closed loop: symbols (B,), state → logits (B, V), state.
Advance = Callable[[Tensor, State], tuple[Tensor, State]]


class Loss(NamedTuple):
    """A sum and what it counts, so that uneven batches and several processes average rightly.

    total: () with gradients, summed over everything that counts.
    count: () how much counts (characters, frames, sequences).
    state: after the batch, for the next one; not yet detached.
    parts: name → () sum, without gradients, for the record.
    """

    total: Tensor
    count: Tensor
    state: State
    parts: dict[str, Tensor]


class Model(nn.Module, ABC):
    """What the training loop trains."""

    @abstractmethod
    def initial_state(self, batch_size: int) -> State:
        """The state of rows that start anew."""

    @abstractmethod
    def loss(self, batch: Batch, state: State) -> Loss:
        """The loss of one batch, from the state that the last one left."""


class SteppedModel(Model):
    """A model that gives the next symbol's logits one step at a time: what sampling and beam search need."""

    #: Number of symbols.
    vocabulary_size: int

    @abstractmethod
    def stepper(self) -> Advance:
        """With weights packed once: symbols (B,) int64, state → logits (B, V) of float32 or float64, state.

        Make one anew after the weights have changed.
        """

    def advance(self, token: Tensor, state: State) -> tuple[Tensor, State]:
        """One step without a stepper at hand: token (B,) → logits (B, V), state."""
        return self.stepper()(token, state)


def check_needs(recurrent: Recurrent) -> None:
    """OptionError where a cell needs what a model that reads sequences alone cannot give: a condition, or pictures."""
    cell = recurrent.cells()[0][0]
    if needs := needs_beside(cell):
        raise OptionError(
            f"cell {(cell.NAME or type(cell).__name__)!r} needs {' and '.join(needs)}, which this model has not; "
            "take another cell (`unrolled doctor` lists them)"
        )
