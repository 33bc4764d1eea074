"""Many to many, in step, over words: tags for each word of a sentence, from the words and the letters in them.

x_t = E[word_t] beside what a small recurrent network of two directions makes of word_t's letters
h_t = recurrent stack over x_1 … x_T, in two directions or one        e_t = V h_t + c

A column of tags (parts of speech, chunks) has a share of e_t of its own. With a conditional random field over it
(layers/crf.py) a column's tags are chosen together, loss = −ln p(y_1 … y_T); else one by one, loss = −Σ_t ln p(y_t).
In nats, summed over columns; what counts is words.

Lample et al. 2016, Neural Architectures for Named Entity Recognition, arXiv:1603.01360.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn

from unrolled.batch import Batch
from unrolled.cells.cell import Cell
from unrolled.kernels import choose
from unrolled.layers.crf import CRF, OneByOne, TagLine
from unrolled.layers.recurrent import Recurrent
from unrolled.models.answering import AnsweringModel
from unrolled.models.language_model import at_least_float32
from unrolled.states import State


class WordTagger(AnsweringModel):
    """words, characters: how many of each are known; 0 of the characters is none at all, and stands past a word's end.

    sizes: hidden units of each layer over the words. tags: how many tags each column has.
    embedding_size: features of a word. character_size: features of a letter, and hidden units of each direction over
        the letters. The rest is as for `AnsweringModel`.

    Batches have `inputs`, (T, B) words, and `characters`, (T, B, C); `targets` is (T, B, columns) int64, of which what
    stands past a length does not count; `inputs` and `targets` are plain or ragged.
    """

    def __init__(
        self,
        cell: Callable[[int, int], Cell],
        words: int,
        characters: int,
        sizes: Sequence[int],
        tags: Sequence[int],
        *,
        embedding_size: int = 100,
        character_size: int = 25,
        two_directions: bool = True,
        crf: bool = True,
        dropout: float = 0.0,
        symbol_dropout: float = 0.0,
        kernel: str = choose.AUTO,
    ) -> None:
        super().__init__(
            cell,
            words,
            sizes,
            sum(tags),
            embedding_size=embedding_size,
            two_directions=two_directions,
            dropout=dropout,
            symbol_dropout=symbol_dropout,
            beside=2 * character_size,
            kernel=kernel,
        )
        # Small: a word that few examples have moved is then told by its letters.
        if self.embedding is not None:
            nn.init.normal_(self.embedding.weight, std=0.1)
        self.characters = nn.Embedding(characters, character_size)
        self.spelling = Recurrent(cell, character_size, (character_size,), two_directions=True, kernel=kernel)
        self.lines = nn.ModuleList([CRF(count) if crf else OneByOne(count) for count in tags])

    def answer(self, batch: Batch, state: State) -> tuple[Tensor, State]:
        """e (T, B, all tags of all columns), of no meaning past a length, and the state after."""
        recorded = self.read(batch, state)
        return at_least_float32(self.output(self.dropout(recorded.output))), recorded.state

    def vectors(self, batch: Batch) -> Tensor:
        """Each word's embedding, and beside it what its letters say, (T, B, F)."""
        values, _ = self.inputs(batch)
        if values.is_floating_point():
            return values
        return torch.cat([super().vectors(batch), self.dropout(self._spelt(batch.tensor("characters")))], -1)

    def _spelt(self, characters: Tensor) -> Tensor:
        """(T, B, C) → (T, B, 2 · character_size): both directions over each word's letters, each word but once."""
        T, B, C = characters.shape
        different, which = characters.reshape(T * B, C).unique(dim=0, return_inverse=True)
        lengths = (different > 0).sum(1)
        recorded = self.spelling.record(self.characters(different.T), lengths=lengths, record=())
        return self.last(recorded, lengths)[which].reshape(T, B, -1)

    def score(self, answer: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """−Σ ln p over columns and sentences, and the number of words."""
        _, lengths = self.inputs(batch)
        field = batch["targets"]
        targets = field if isinstance(field, Tensor) else field.values
        total = answer.new_zeros(())
        for number, (line, e) in enumerate(self._columns(answer)):
            total = total - line.log_likelihood(e, targets[..., number], lengths).sum()
        T, B = targets.shape[:2]
        return total, torch.tensor(float(T * B)) if lengths is None else lengths.sum().to(answer.dtype)

    def best(self, answer: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(T, B, columns) int64: the likeliest tags of an answer, NOT_ASKED past a length."""
        return torch.stack([line.best(e, lengths) for line, e in self._columns(answer)], -1)

    def marginals(self, answer: Tensor, lengths: Tensor | None = None) -> list[Tensor]:
        """For each column (T, B, its tags): p(y_t = tag), zero past a length."""
        return [line.marginals(e, lengths) for line, e in self._columns(answer)]

    def _columns(self, answer: Tensor) -> Iterable[tuple[TagLine, Tensor]]:
        """What each column says of its share of an answer."""
        lines: list[TagLine] = list(self.lines)  # type: ignore[assignment]
        return zip(lines, answer.split([line.tags for line in lines], -1), strict=True)
