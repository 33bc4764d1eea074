"""What the models share that read a sequence and answer at once, with a class or with numbers, instead of writing on.

x_t as it comes, or E[s_t]      h_t = recurrent stack (x_t, h_{t-1}), in one direction or two      answer = V h + c
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from unrolled.batch import Batch, Ragged
from unrolled.cells.cell import Cell
from unrolled.kernels import choose
from unrolled.kernels.kernel import past_length
from unrolled.layers.dropout import Dropout, check_rate, draw_bernoulli
from unrolled.layers.recurrent import Recorded, Recurrent
from unrolled.models.model import Loss, Model, check_needs
from unrolled.states import State


class AnsweringModel(Model):
    """Embedding or plain input, recurrent stack, linear output. A subclass gives `answer` and `score`.

    cell: called as cell(input_size, hidden_size).
    input_size: F where the input is features (T, B, F); the number of symbols where it is symbols (T, B).
    sizes: hidden units of each layer.
    output_size: what the linear output gives, classes or values.
    embedding_size: features of a symbol; 0 takes features as they come, and symbols one-hot.
    two_directions: a second set of cells reads backwards.
    dropout: on the embedding, between layers and before the output; one mask a sequence for the first and the last.
    symbol_dropout: whole symbols, whose vector is then zero, so that an answer does not hang on a few of them.
    beside: features that a subclass puts beside the embedding of each symbol.

    Batches have the field `inputs`, plain or ragged, and `targets`, whose form the subclass says.
    """

    def __init__(
        self,
        cell: Callable[[int, int], Cell],
        input_size: int,
        sizes: Sequence[int],
        output_size: int,
        *,
        embedding_size: int = 0,
        two_directions: bool = False,
        dropout: float = 0.0,
        symbol_dropout: float = 0.0,
        beside: int = 0,
        kernel: str = choose.AUTO,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(input_size, embedding_size) if embedding_size else None
        self.recurrent = Recurrent(
            cell,
            (embedding_size or input_size) + beside,
            sizes,
            two_directions=two_directions,
            dropout=dropout,
            kernel=kernel,
        )
        check_needs(self.recurrent)
        self.symbol_dropout = check_rate(symbol_dropout)
        self.dropout = Dropout(dropout, through_time=True)
        self.output = nn.Linear(self.recurrent.output_size, output_size)
        nn.init.zeros_(self.output.bias)

    @abstractmethod
    def answer(self, batch: Batch, state: State) -> tuple[Tensor, State]:
        """What the model says of `inputs`, from `state`, and the state after."""

    @abstractmethod
    def score(self, answer: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """(total, count): the summed loss of an answer against `targets`, and how many answers it sums."""

    def initial_state(self, batch_size: int) -> State:
        """One state a layer and direction; its form is that of `Recurrent.initial_state`."""
        return self.recurrent.initial_state(batch_size)

    def loss(self, batch: Batch, state: State) -> Loss:
        """`score` of `answer`."""
        answer, state = self.answer(batch, state)
        total, count = self.score(answer, batch)
        return Loss(total, count, state, {})

    def predict(self, batch: Batch) -> Tensor:
        """What the model says of rows that start anew; the field `targets` is not needed."""
        values, _ = self.inputs(batch)
        return self.answer(batch, self.initial_state(values.shape[1]))[0]

    def read(self, batch: Batch, state: State) -> Recorded:
        """The recurrent stack over `inputs`, with its traces."""
        return self.recurrent.record(self.vectors(batch), state, self.inputs(batch)[1], record=())

    def vectors(self, batch: Batch) -> Tensor:
        """What the stack reads: symbols embedded (T, B, F), or `inputs` as they are where nothing embeds them, or
        where they are vectors already.
        """
        values, lengths = self.inputs(batch)
        if self.embedding is None or values.is_floating_point():
            return values
        # What stands past a length need not be a symbol.
        x = self.dropout(self.embedding(past_length(values, lengths)))
        if self.training and self.symbol_dropout:
            x = x * draw_bernoulli((*values.shape, 1), 1 - self.symbol_dropout, x, batch_dim=1)
        return x

    def inputs(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """(values, lengths) of the field `inputs`; lengths are None where it is plain."""
        field = batch["inputs"]
        return (field.values, field.lengths) if isinstance(field, Ragged) else (field, None)

    def last(self, recorded: Recorded, lengths: Tensor | None) -> Tensor:
        """(B, output_size of the stack): what each direction gave at its last step, which has seen the whole sequence.

        Forward, that is the step before a row's length; backward, the first. Zeros for a row of length 0.
        """
        forward, *backward = (trace.output for trace in recorded.traces[-1])
        if lengths is None:
            final = forward[-1]
        else:
            place = (lengths - 1).clamp(min=0)[None, :, None].expand(1, -1, forward.shape[-1])
            final = forward.gather(0, place)[0]
        return torch.cat([final, *(output[0] for output in backward)], -1)
