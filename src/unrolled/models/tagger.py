"""Many to many, in step: a class at every time (a tag for each word, rain or none on each day, a symbol recalled).

p_t(tag | x_1 … x_t) = softmax(V h_t + c), with two directions p_t(tag | x_1 … x_T)
loss = −Σ_t ln p_t(tag_t)   in nats, summed over the times that are asked for
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from unrolled.batch import NOT_ASKED, Batch, Ragged
from unrolled.models.answering import AnsweringModel
from unrolled.models.language_model import at_least_float32
from unrolled.states import State


class Tagger(AnsweringModel):
    """`targets` is (T, B) int64, plain or ragged: a tag, or NOT_ASKED; `output_size` is the number of tags."""

    def answer(self, batch: Batch, state: State) -> tuple[Tensor, State]:
        """Logits (T, B, tags), of no meaning past a length, and the state after."""
        recorded = self.read(batch, state)
        return at_least_float32(self.output(self.dropout(recorded.output))), recorded.state

    def score(self, answer: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """−Σ ln p(tag), and the number of times that were asked for."""
        targets = self.targets(batch)
        total = F.cross_entropy(answer.flatten(0, 1), targets.flatten(), ignore_index=NOT_ASKED, reduction="sum")
        return total, (targets != NOT_ASKED).sum().to(answer.dtype)

    def targets(self, batch: Batch) -> Tensor:
        """(T, B) int64, NOT_ASKED past each length too."""
        field = batch["targets"]
        return field.values.masked_fill(~field.mask(), NOT_ASKED) if isinstance(field, Ragged) else field
