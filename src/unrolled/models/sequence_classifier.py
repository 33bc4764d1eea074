"""Many to one: a class for a whole sequence (a digit of its pixels, an opinion of its words).

p(class | x_1 … x_T) = softmax(V h_T + c)      loss = −Σ ln p(class)   in nats, summed over sequences

With two directions h_T is what both gave at their last step, side by side.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from unrolled.batch import Batch
from unrolled.models.answering import AnsweringModel
from unrolled.models.language_model import at_least_float32
from unrolled.states import State


class SequenceClassifier(AnsweringModel):
    """`targets` is (1, B) int64, the class of each sequence; `output_size` is the number of classes."""

    def answer(self, batch: Batch, state: State) -> tuple[Tensor, State]:
        """Logits (B, classes), and the state at each sequence's end."""
        recorded = self.read(batch, state)
        final = self.last(recorded, self.inputs(batch)[1])
        # One step of a sequence, to the mask of dropout.
        return at_least_float32(self.output(self.dropout(final[None])[0])), recorded.state

    def score(self, answer: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """−Σ ln p(class), and the number of sequences."""
        targets = batch.tensor("targets")[0]
        return F.cross_entropy(answer, targets, reduction="sum"), torch.tensor(float(len(targets)))
