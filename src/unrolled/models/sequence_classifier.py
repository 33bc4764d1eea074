"""Many to one: a class for a whole sequence (a digit of its pixels, an opinion of its words).

p(class | x_1 … x_T) = softmax(V h + c)      loss = −Σ ln p(class)   in nats, summed over sequences

h is h_T, with two directions what both gave at their last step, side by side; or pooled over all steps: their mean, or
each unit's largest value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unrolled.batch import Batch, Ragged
from unrolled.cells.cell import Cell
from unrolled.kernels import choose
from unrolled.models.answering import AnsweringModel
from unrolled.models.language_model import at_least_float32
from unrolled.states import State

Pooling = Literal["last", "mean", "largest"]


class SequenceClassifier(AnsweringModel):
    """`targets` is (1, B) int64, the class of each sequence; `output_size` is the number of classes.

    pooling: which of the steps the answer is drawn from. A sequence of length 0 is answered from zeros.
    """

    def __init__(
        self,
        cell: Callable[[int, int], Cell],
        input_size: int,
        sizes: Sequence[int],
        output_size: int,
        *,
        pooling: Pooling = "last",
        embedding_size: int = 0,
        two_directions: bool = False,
        dropout: float = 0.0,
        symbol_dropout: float = 0.0,
        kernel: str = choose.AUTO,
    ) -> None:
        super().__init__(
            cell,
            input_size,
            sizes,
            output_size,
            embedding_size=embedding_size,
            two_directions=two_directions,
            dropout=dropout,
            symbol_dropout=symbol_dropout,
            kernel=kernel,
        )
        self.pooling = pooling
        if self.embedding is not None:
            # Small: what few examples have not moved is then nearly nothing, instead of noise.
            nn.init.normal_(self.embedding.weight, std=0.1)

    def answer(self, batch: Batch, state: State) -> tuple[Tensor, State]:
        """Logits (B, classes), and the state at each sequence's end."""
        recorded = self.read(batch, state)
        lengths = self.inputs(batch)[1]
        pooled = self.last(recorded, lengths) if self.pooling == "last" else self._pooled(recorded.output, lengths)
        # One step of a sequence, to the mask of dropout.
        return at_least_float32(self.output(self.dropout(pooled[None])[0])), recorded.state

    def _pooled(self, output: Tensor, lengths: Tensor | None) -> Tensor:
        """(T, B, H) → (B, H) over the steps of each sequence."""
        if lengths is None:
            return output.mean(0) if self.pooling == "mean" else output.amax(0)
        counts = lengths.clamp(min=1)[:, None]
        if self.pooling == "mean":  # outputs past a length are zero
            return output.sum(0) / counts
        inside = Ragged(output, lengths.clamp(min=1)).mask()[..., None]
        return output.masked_fill(~inside, -math.inf).amax(0)

    def score(self, answer: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """−Σ ln p(class), and the number of sequences."""
        targets = batch.tensor("targets")[0]
        return F.cross_entropy(answer, targets, reduction="sum"), torch.tensor(float(len(targets)))
