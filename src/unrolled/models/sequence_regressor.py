"""Many to one: numbers for a whole sequence (a sum, a forecast).

y = V h_T + c      loss = Σ (y − target)², over sequences and values, so that its mean is the mean squared error

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


class SequenceRegressor(AnsweringModel):
    """`targets` is (1, B, K), the K values wanted of each sequence; `output_size` is K."""

    def answer(self, batch: Batch, state: State) -> tuple[Tensor, State]:
        """Values (B, K), and the state at each sequence's end."""
        recorded = self.read(batch, state)
        final = self.last(recorded, self.inputs(batch)[1])
        # One step of a sequence, to the mask of dropout.
        return at_least_float32(self.output(self.dropout(final[None])[0])), recorded.state

    def score(self, answer: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """The summed squared error, and the number of values."""
        targets = batch.tensor("targets")[0]
        return F.mse_loss(answer, targets.to(answer.dtype), reduction="sum"), torch.tensor(float(targets.numel()))
