"""A recurrent language model: the next symbol from all before it.

x_t = E[s_t]  (or the symbol itself, one-hot)      h_t = recurrent stack (x_t, h_{t-1})
p(s_{t+1} | s_1 … s_t) = softmax(V h_t + c)        loss = −Σ_t ln p(s_{t+1})   in nats
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unrolled.batch import Batch, Ragged
from unrolled.cells.cell import Cell
from unrolled.kernels import choose
from unrolled.kernels.kernel import Record, Trace, past_length
from unrolled.layers.dropout import Dropout
from unrolled.layers.recurrent import Recurrent
from unrolled.layers.stack import Connections
from unrolled.layers.zoneout import Rates
from unrolled.models.model import Advance, Loss, SteppedModel, check_needs
from unrolled.states import State


class Read(NamedTuple):
    """logits (T, B, V), the state after, and the traces [layer][direction]."""

    logits: Tensor
    state: State
    traces: list[list[Trace]]


class LanguageModel(SteppedModel):
    """Embedding, recurrent stack, softmax.

    cell: called as cell(input_size, hidden_size).
    vocabulary_size: V.
    embedding_size: features of a symbol; 0 feeds the symbol one-hot.
    sizes: hidden units of each layer.
    dropout: before the softmax. embedding_dropout: on the embedding. Both draw one mask for a whole window.
    layer_dropout: between layers, with a mask for each step, or with `variational` one for a whole window.
    connections, recurrent_dropout, zoneout, weight_drop, learnt_initial_state, recompute: the stack's, see `Recurrent`.
    """

    def __init__(
        self,
        cell: Callable[[int, int], Cell],
        vocabulary_size: int,
        embedding_size: int,
        sizes: Sequence[int],
        dropout: float = 0.0,
        embedding_dropout: float = 0.0,
        kernel: str = choose.AUTO,
        *,
        layer_dropout: float = 0.0,
        connections: Connections = "plain",
        variational: bool = False,
        recurrent_dropout: float = 0.0,
        zoneout: Rates = 0.0,
        weight_drop: float = 0.0,
        learnt_initial_state: bool = False,
        recompute: bool = False,
    ) -> None:
        super().__init__()
        self.vocabulary_size = vocabulary_size
        self.embedding_size = embedding_size
        self.embedding = nn.Embedding(vocabulary_size, embedding_size) if embedding_size else None
        self.recurrent = Recurrent(
            cell,
            embedding_size or vocabulary_size,
            sizes,
            dropout=layer_dropout,
            kernel=kernel,
            connections=connections,
            variational=variational,
            recurrent_dropout=recurrent_dropout,
            zoneout=zoneout,
            weight_drop=weight_drop,
            learnt_initial_state=learnt_initial_state,
            recompute=recompute,
        )
        check_needs(self.recurrent)
        self.embedding_dropout = Dropout(embedding_dropout, through_time=True)
        self.dropout = Dropout(dropout, through_time=True)
        self.softmax = nn.Linear(self.recurrent.output_size, vocabulary_size)
        nn.init.zeros_(self.softmax.bias)

    def initial_state(self, batch_size: int) -> State:
        """One state a layer, of the form of `Recurrent.initial_state`; a learnt one has its gradient."""
        return self.recurrent.initial_state(batch_size)

    def read(
        self, symbols: Tensor, state: State, lengths: Tensor | None = None, record: Collection[Record] = ()
    ) -> Read:
        """symbols (T, B) int64 → the logits after each, (T, B, V)."""
        symbols = past_length(symbols, lengths)  # what stands there need not be a symbol
        x = symbols if self.embedding is None else self.embedding_dropout(self.embedding(symbols))
        output, state, traces = self.recurrent.record(x, state, lengths, record=record)
        return Read(self.softmax(self.dropout(output)), state, traces)

    def loss(self, batch: Batch, state: State) -> Loss:
        """−Σ ln p of the field `targets` (T, B) after the field `symbols` (T, B), both plain or both ragged."""
        symbols, targets = batch["symbols"], batch["targets"]
        if isinstance(symbols, Ragged) and isinstance(targets, Ragged):
            logits, state, _ = self.read(symbols.values, state, symbols.lengths)
            counted = targets.mask()
            logits, expected = logits[counted], targets.values[counted]
        else:
            logits, state, _ = self.read(batch.tensor("symbols"), state)
            logits, expected = logits.flatten(0, 1), batch.tensor("targets").flatten()
        total = F.cross_entropy(at_least_float32(logits), expected, reduction="sum")
        return Loss(total, torch.tensor(float(expected.numel())), state, {})

    def stepper(self) -> Advance:
        """Weights packed once, no dropout, zoneout's expectation: symbols (B,), state → logits (B, V), state."""
        stack = self.recurrent.stepper()

        def advance(token: Tensor, state: State) -> tuple[Tensor, State]:
            x = token if self.embedding is None else self.embedding(token)
            output, state = stack(x, state)
            return at_least_float32(self.softmax(output)), state

        return advance


def at_least_float32(logits: Tensor) -> Tensor:
    """Sums over a vocabulary want more than half precision; float64 stays."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
