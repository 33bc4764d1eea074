"""From one sequence to another: an encoder reads the whole source, a decoder writes the target from it.

    e_1 … e_T = encoder(x_1 … x_T), in one direction or two        s_0 = bridge(the encoder's final states)

    without attention     s_i = decoder(E[y_{i−1}], s_{i−1})                    o_i = tanh(R h_i)
    attention "after"     the same, then c_i = Σ_t α_it e_t with α from h_i      o_i = tanh(R [h_i; c_i])
    attention "fed"       s_i = decoder([E[y_{i−1}]; o_{i−1}], s_{i−1}), c_i and o_i as before
    attention "before"    c_i with α from h_{i−1}, s_i = decoder([E[y_{i−1}]; c_i], s_{i−1}), o_i = tanh(R [h_i; c_i])

    p(y_i | y_1 … y_{i−1}, x) = softmax(V o_i + c)        loss = −Σ_i ln p(y_i | …)   in nats

Without attention it is Sutskever et al. 2014 (arXiv:1409.3215); "fed" is the input feeding of Luong et al. 2015
(arXiv:1508.04025), "after" the same without it, all steps at once; "before" is Bahdanau et al. 2014 (arXiv:1409.0473).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unrolled.batch import Batch
from unrolled.cells.cell import Cell
from unrolled.errors import OptionError
from unrolled.kernels import choose
from unrolled.kernels.kernel import past_length
from unrolled.layers.attention import Attention, Memory, Score
from unrolled.layers.bridge import Bridge
from unrolled.layers.dropout import Dropout, draw_bernoulli
from unrolled.layers.recurrent import Recurrent
from unrolled.layers.stack import StackStepper
from unrolled.models.language_model import at_least_float32
from unrolled.models.model import Advance, Loss, Model, check_needs
from unrolled.states import State

Place = Literal["after", "fed", "before"]


class Decoding(NamedTuple):
    """Where decoders stand, one a row: what drawing and searching carry.

    memory: what is looked at; empty without attention. state: of the recurrent stack.
    fed: (B, ·) what the next step reads of this one, o_i or h_i; empty where it reads nothing.
    seen: (B, T) Σ α over all steps so far, with coverage; else empty.
    weights: (B, T) α of the last step, to be looked at; empty without attention.
    place: (B,) int64, the next one of the source; empty where symbols do not move on.
    """

    memory: Memory | tuple[()]
    state: State
    fed: Tensor | tuple[()]
    seen: Tensor | tuple[()]
    weights: Tensor | tuple[()]
    place: Tensor | tuple[()] = ()


class EncoderDecoder(Model):
    """Embeddings, two recurrent stacks, a bridge, attention, softmax.

    cell: called as cell(input_size, hidden_size), for encoder and decoder.
    source_size, target_size: symbols of each. embedding_size: features of a symbol, and of o_i.
    sizes: hidden units of each layer, of the encoder (in each direction) and of the decoder.
    attention: a score, or "" for none. place: where it stands, see above. coverage: see `Attention`.
    dropout: on embeddings, between layers, on the memory and on o_i.
    tied: whether V is the target's embedding (Press & Wolf 2016, arXiv:1608.05859).
    label_smoothing: the share of each target that is spread over all symbols, in training only.
    scheduled_sampling: the share of symbols that the decoder reads as it would have written them itself, in training
        (Bengio et al. 2015, arXiv:1506.03099), risen to from 0 over `sampling_steps` updates; what it would have
        written is found by reading the true ones first (Mihaylova & Martins 2019, arXiv:1906.07651).
    moves: for each target symbol, whether it moves on to the next place of the source, as a step that takes a word
        does. A decoder with attention then reads, beside y_{i−1}, what the encoder wrote of the place that comes next.

    Batches have three ragged fields: `source` (T, B), or (T, B, K) where each place has K symbols, whose embeddings are
    added; `symbols` (S, B), what the decoder reads; `targets` (S, B), what it should write.
    """

    def __init__(
        self,
        cell: Callable[[int, int], Cell],
        source_size: int,
        target_size: int,
        embedding_size: int,
        sizes: Sequence[int],
        *,
        two_directions: bool = True,
        attention: Score | Literal[""] = "general",
        place: Place = "after",
        coverage: bool = False,
        dropout: float = 0.0,
        tied: bool = False,
        label_smoothing: float = 0.0,
        scheduled_sampling: float = 0.0,
        sampling_steps: int = 1000,
        moves: Sequence[bool] = (),
        kernel: str = choose.AUTO,
    ) -> None:
        super().__init__()
        if coverage and (not attention or place == "after"):
            raise OptionError(
                "coverage needs an attention of which each step sees those before it: with the score additive, and "
                "fed or before"
            )
        self.vocabulary_size = target_size
        self.place: Place = place
        self.label_smoothing = label_smoothing
        self.scheduled_sampling, self.sampling_steps = scheduled_sampling, sampling_steps
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))
        self.moves = torch.tensor(moves, dtype=torch.int64) if moves and attention else None
        self.source_embedding = nn.Embedding(source_size, embedding_size)
        self.target_embedding = nn.Embedding(target_size, embedding_size)
        self.encoder = Recurrent(
            cell, embedding_size, sizes, two_directions=two_directions, dropout=dropout, kernel=kernel
        )
        check_needs(self.encoder)
        memory_size = self.encoder.output_size
        read = {"after": 0, "fed": embedding_size, "before": memory_size}[place] if attention else 0
        read += 0 if self.moves is None else memory_size
        self.decoder = Recurrent(cell, embedding_size + read, sizes, dropout=dropout, kernel=kernel)
        self.bridge = Bridge(self.encoder, self.decoder)
        self.attention = None
        if attention:
            query_size = self.decoder.output_size
            self.attention = Attention(query_size, memory_size, attention, max(sizes), coverage=coverage)
        self.coverage = coverage
        self.readout = nn.Linear(self.decoder.output_size + (memory_size if attention else 0), embedding_size)
        self.softmax = nn.Linear(embedding_size, target_size)
        nn.init.zeros_(self.softmax.bias)
        if tied:
            nn.init.normal_(self.target_embedding.weight, std=embedding_size**-0.5)
            self.softmax.weight = self.target_embedding.weight
        self.embedding_dropout = Dropout(dropout, through_time=True)
        self.dropout = Dropout(dropout)

    def initial_state(self, batch_size: int) -> State:
        """Empty: every row starts from its source, by `encode`."""
        return ()

    def encode(self, source: Tensor, lengths: Tensor) -> Decoding:
        """source (T, B) or (T, B, K), lengths (B,) → decoders that have written nothing yet."""
        x = self.source_embedding(past_length(source, lengths))
        if source.dim() == 3:
            x = x.sum(-2)
        output, final = self.encoder(self.embedding_dropout(x), None, lengths)
        T, B, _ = output.shape
        state = self.bridge(final, self.decoder.initial_state(B))
        if self.attention is None:
            return Decoding((), state, (), (), ())
        memory = self.attention.prepare(self.dropout(output), lengths)
        width = {"after": 0, "fed": self.readout.out_features, "before": self.decoder.output_size}[self.place]
        weights = output.new_zeros(B, T)
        return Decoding(
            memory,
            state,
            output.new_zeros(B, width) if width else (),
            weights if self.coverage else (),
            weights,
            () if self.moves is None else torch.zeros_like(lengths),
        )

    def loss(self, batch: Batch, state: State) -> Loss:
        """−Σ ln p of `targets`, each given `source` and the `symbols` up to it."""
        source, symbols, targets = (batch.ragged(name) for name in ("source", "symbols", "targets"))
        at = self.encode(source.values, source.lengths)
        read = past_length(symbols.values, symbols.lengths)
        if self.training and self.scheduled_sampling:
            read = self._partly_own(read, symbols.lengths, at)
        o, _ = self.decode(read, symbols.lengths, at)
        counted = targets.mask()
        logits = at_least_float32(self.softmax(self.dropout(o)[counted]))
        smoothing = self.label_smoothing if self.training else 0.0
        total = F.cross_entropy(logits, targets.values[counted], reduction="sum", label_smoothing=smoothing)
        return Loss(total, counted.sum(), (), {})

    def align(self, batch: Batch) -> Tensor:
        """α (S, B, T) of each target's step, with the true symbols read. OptionError for a model without attention."""
        if self.attention is None:
            raise OptionError("a model without attention looks nowhere: train one with --attention general")
        source, symbols = batch.ragged("source"), batch.ragged("symbols")
        at = self.encode(source.values, source.lengths)
        _, weights = self.decode(past_length(symbols.values, symbols.lengths), symbols.lengths, at)
        return past_length(weights, symbols.lengths)

    def decode(self, symbols: Tensor, lengths: Tensor | None, at: Decoding) -> tuple[Tensor, Tensor]:
        """symbols (S, B) → o (S, B, embedding_size) and α (S, B, T), T = 0 without attention; from where `at` is."""
        y, _ = self._read(symbols, at)
        if self.attention is None or self.place == "after":
            h, _ = self.decoder(y, at.state, lengths)
            return self._read_out(h, at)[:2]
        stack = self.decoder.stepper()
        every_o, every_weights = [], []
        for y_i in y:
            o, at = self._step(stack, y_i, at)
            every_o.append(o)
            every_weights.append(at.weights)
        return torch.stack(every_o), torch.stack(every_weights)  # type: ignore[arg-type]

    def stepper(self) -> Advance:
        """With weights packed once: symbols (B,), a Decoding → logits (B, V), the Decoding after them."""
        stack = self.decoder.stepper()

        def advance(token: Tensor, at: Decoding) -> tuple[Tensor, Decoding]:
            y, place = self._read(token[None], at)
            o, at = self._step(stack, y[0], at._replace(place=place))
            return at_least_float32(self.softmax(o)), at

        return advance

    def _read(self, symbols: Tensor, at: Decoding) -> tuple[Tensor, Tensor | tuple[()]]:
        """symbols (S, B) → what the decoder reads of them (S, B, ·), and the place after them."""
        y = self.embedding_dropout(self.target_embedding(symbols))
        if self.moves is None:
            return y, ()
        assert isinstance(at.place, Tensor) and isinstance(at.memory, Memory)
        place = at.place + self.moves.to(symbols.device)[symbols].cumsum(0)
        values, there = at.memory.values, at.memory.there
        index = place.clamp(max=there.shape[1] - 1).t()
        coming = values.gather(1, index[..., None].expand(-1, -1, values.shape[-1])).transpose(0, 1)
        # Behind the last place nothing comes.
        coming = coming.masked_fill((place >= there.sum(1))[..., None], 0)
        return torch.cat([y, coming.to(y.dtype)], -1), place[-1]

    def _step(self, stack: StackStepper, y: Tensor, at: Decoding) -> tuple[Tensor, Decoding]:
        """y (B, embedding_size) → o (B, embedding_size) and where that leads."""
        seen = at.seen if self.coverage else None
        if self.attention is None or self.place == "after":
            h, state = stack(y, at.state)
            o, weights = self._read_out(h[None], at)
            return o[0], at._replace(state=state, weights=weights[0] if self.attention else ())
        assert isinstance(at.fed, Tensor) and isinstance(at.memory, Memory)
        if self.place == "fed":
            h, state = stack(torch.cat([y, at.fed], -1), at.state)
            context, weights = self.attention(h[None], at.memory, seen)
        else:
            context, weights = self.attention(at.fed[None], at.memory, seen)
            h, state = stack(torch.cat([y, context[0]], -1), at.state)
        o = torch.tanh(self.readout(torch.cat([h, context[0]], -1)))
        return o, at._replace(
            state=state,
            fed=(o if self.place == "fed" else h).to(at.fed.dtype),
            seen=() if seen is None else seen + weights[0],
            weights=weights[0],
        )

    def _read_out(self, h: Tensor, at: Decoding) -> tuple[Tensor, Tensor]:
        """h (S, B, ·) → o, and α, of an attention that looks from h, or of none."""
        if self.attention is None:
            return torch.tanh(self.readout(h)), h.new_zeros(*h.shape[:2], 0)
        assert isinstance(at.memory, Memory)
        context, weights = self.attention(h, at.memory)
        return torch.tanh(self.readout(torch.cat([h, context], -1))), weights

    def _partly_own(self, symbols: Tensor, lengths: Tensor, at: Decoding) -> Tensor:
        """The symbols that the decoder reads, some of them its own; the first is always the start."""
        self.updates += 1
        rate = self.scheduled_sampling * min(1.0, int(self.updates) / self.sampling_steps)
        with torch.no_grad():
            o, _ = self.decode(symbols, lengths, at)
            own = self.softmax(o).argmax(-1)
        taken = draw_bernoulli(symbols[1:].shape, rate, o.new_empty(0, dtype=torch.float32), batch_dim=1) > 0
        return torch.cat([symbols[:1], torch.where(taken, own[:-1], symbols[1:])])
