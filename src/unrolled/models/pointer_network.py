"""A pointer network: an answer about points in a plane, as a sequence of their numbers.

    e_1 … e_N, s_0 = encoder(points)                 any cell, in one direction or two
    d_t, s_t = decoder(x_t, s_{t-1})                 x_t: the e_j that was pointed at last, at first a learnt one
    p(j | before) = softmax_j(vᵀ tanh(W d_t + U e_j + b))    over what is possible (models/possible.py)
    loss = −Σ_t ln p(right j)                        in nats, summed over the pointers, the end among them

Vinyals, Fortunato & Jaitly 2015 (arXiv:1506.03134), whose x_t are the points themselves: with e_j, which knows of the
others too, it learns faster. When it trains, the right answer is known up to each step: the decoder reads one sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unrolled.batch import Batch
from unrolled.cells.cell import Cell
from unrolled.errors import ShapeError
from unrolled.kernels import choose
from unrolled.layers.dropout import Dropout
from unrolled.layers.pointer import END, Pointer
from unrolled.layers.recurrent import Recurrent
from unrolled.models.language_model import at_least_float32
from unrolled.models.model import Loss, Model, check_needs
from unrolled.models.possible import POSSIBLE
from unrolled.states import State

#: Coordinates of a point.
PLANE = 2


class Encoded(NamedTuple):
    """Points that were read. memory: (N, B, E). scores: (T, B, H) of the decoder → (T, B, N + 1). start: its state."""

    memory: Tensor
    scores: Callable[[Tensor], Tensor]
    start: State


class PointerNetwork(Model):
    """cell: called as cell(input_size, hidden_size).

    sizes: hidden units of each layer of the encoder, and of the decoder; the last is also that of the pointer.
    answer: what is asked, a name in `POSSIBLE`: "hull", "tour" or "triangles".
    two_directions: the encoder reads backwards too; the decoder starts from the forward half's state either way.
    dropout: between layers, and on what the decoder gives.
    vocabulary: 0 points. N answers by a softmax over the numbers up to N instead, an LSTM without pointers, to compare
        with: it looks at no point again, and can answer for N points at most.

    Batches have the fields `points` (N, B, 2) and `targets` (T, B), ragged, as data/pointing.py makes them.
    """

    def __init__(
        self,
        cell: Callable[[int, int], Cell],
        sizes: Sequence[int],
        answer: str,
        *,
        two_directions: bool = False,
        dropout: float = 0.0,
        vocabulary: int = 0,
        kernel: str = choose.AUTO,
    ) -> None:
        super().__init__()
        self.possible = POSSIBLE[answer]
        self.encoder = Recurrent(cell, PLANE, sizes, two_directions, dropout, kernel)
        self.decoder = Recurrent(cell, self.encoder.output_size, sizes, dropout=dropout, kernel=kernel)
        check_needs(self.encoder)
        self.dropout = Dropout(dropout)
        self.start = nn.Parameter(torch.zeros(self.encoder.output_size))
        query_size = self.decoder.output_size
        self.vocabulary = vocabulary
        self.pointer = None if vocabulary else Pointer(query_size, self.encoder.output_size, query_size)
        self.output = nn.Linear(query_size, vocabulary + 1) if vocabulary else None

    def initial_state(self, batch_size: int) -> State:
        """Nothing is carried from one set of points to the next."""
        return ()

    def loss(self, batch: Batch, state: State) -> Loss:
        """−Σ ln p of the right pointers, and how many there are."""
        points, targets = batch.tensor("points"), batch.ragged("targets")
        read = self.encode(points)
        symbols, asked = targets.values.masked_fill(~targets.mask(), END), targets.mask()
        x = torch.cat([self.start_of(read.memory), pointed_at(read.memory, symbols[:-1])])
        d, _ = self.decoder(x, read.start, targets.lengths)
        logits = at_least_float32(read.scores(self.dropout(d)))
        logits = logits.masked_fill(~self.possibilities(symbols, len(points)), -torch.inf)
        total = F.cross_entropy(logits[asked], symbols[asked], reduction="sum")
        return Loss(total, asked.sum().to(total.dtype), (), {})

    def encode(self, points: Tensor) -> Encoded:
        """points (N, B, 2), read."""
        memory, state = self.encoder(points)
        start = tuple(layer[:1] for layer in state)
        if self.output is not None:
            if len(points) > self.vocabulary:
                raise ShapeError(
                    f"a vocabulary of {self.vocabulary} numbers answers for as many points; {len(points)} came"
                )
            output, places = self.output, len(points) + 1
            return Encoded(memory, lambda d: output(d)[..., :places], start)
        assert self.pointer is not None  # one of the two is there
        pointer, prepared = self.pointer, self.pointer.prepare(memory)
        return Encoded(memory, lambda d: pointer(d, prepared), start)

    def start_of(self, memory: Tensor) -> Tensor:
        """(1, B, E), what the decoder reads first."""
        return self.start.to(memory.dtype).expand(1, memory.shape[1], -1)

    def possibilities(self, symbols: Tensor, points: int) -> Tensor:
        """(T, B, points + 1) bool: what was possible at each step of the answers (T, B)."""
        growing = self.possible(symbols.shape[1], points, symbols.device)
        masks = []
        for taken in symbols:
            masks.append(growing.mask())
            growing.take(taken)
        return torch.stack(masks)

    def predict(self, batch: Batch) -> Tensor:
        """The likeliest pointer at each step, (T, B) int64, END from each answer's end on; `targets` are not needed."""
        points = batch.tensor("points")
        memory, scores, state = self.encode(points)
        stepper = self.decoder.stepper()
        growing = self.possible(points.shape[1], len(points), points.device)
        x, answer = self.start_of(memory)[0], []
        while not bool(growing.ended.all()):
            d, state = stepper(x, state)
            u = scores(d[None])[0].masked_fill(~growing.mask(), -torch.inf)
            answer.append(u.argmax(-1))
            growing.take(answer[-1])
            x = pointed_at(memory, answer[-1][None])[0]
        return torch.stack(answer)


def pointed_at(memory: Tensor, symbols: Tensor) -> Tensor:
    """What memory (N, B, E) holds where symbols (T, B) point; anything for the end, after which nothing is asked."""
    places = (symbols - 1).clamp(min=0)[..., None].expand(-1, -1, memory.shape[-1])
    return memory.gather(0, places)
