"""A tag for each word of each sentence, in scikit-learn's way.

RecurrentTagger().fit(sentences, tags).score(more_sentences, their_tags)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted

from unrolled.batch import Batch
from unrolled.cells import registry
from unrolled.data.examples import Fields
from unrolled.data.spelling import SentenceReader, sentence_fields
from unrolled.data.tokens import class_numbers
from unrolled.estimators.base import BATCH, RecurrentEstimator
from unrolled.models.word_tagger import WordTagger


class RecurrentTagger(RecurrentEstimator):
    """`WordTagger` over sentences, each a list of words, with a list of tags each.

    head: "crf" chooses the tags of a sentence together, "softmax" each by itself. embedding: features of a word.
    letters: of a letter. least: a word that comes less often in training is told by its letters alone. The others are
    as for `RecurrentClassifier`.

    After `fit`: tags_, sorted, and model_.
    """

    model_: WordTagger

    def __init__(
        self,
        cell: str = "lstm",
        sizes: Sequence[int] = (64,),
        *,
        two_directions: bool = True,
        head: str = "crf",
        embedding: int = 50,
        letters: int = 16,
        least: int = 2,
        dropout: float = 0.0,
        epochs: float = 30,
        batch_size: int = 16,
        rate: float = 1e-2,
        random_state: Any = None,
    ) -> None:
        self.cell = cell
        self.sizes = sizes
        self.two_directions = two_directions
        self.head = head
        self.embedding = embedding
        self.letters = letters
        self.least = least
        self.dropout = dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.rate = rate
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[missing-attribute]
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.target_tags.required = True
        return tags

    def fit(self, X: Sequence[Sequence[str]], y: Sequence[Sequence[str]]) -> RecurrentTagger:
        """X: sentences in words; y: as many tags for each. ValueError where they do not go together."""
        sentences, lines = _sentences(X), [[str(tag) for tag in line] for line in y]
        if [len(one) for one in sentences] != [len(line) for line in lines] or not any(lines):
            raise ValueError("as many tags as words were expected for each sentence, and one word at least")
        self.tags_ = np.array(sorted({tag for line in lines for tag in line}))
        self.reader_ = SentenceReader.of(sentences, self.least)
        encoded = [
            self.reader_.encode(one, class_numbers(line, self.tags_.tolist())[:, None])
            for one, line in zip(sentences, lines, strict=True)
            if one
        ]

        def gather(places: np.ndarray) -> Fields:
            return sentence_fields([encoded[place] for place in places])

        def make() -> WordTagger:
            return WordTagger(
                registry.find(self.cell),
                self.reader_.words.size,
                self.reader_.letters,
                tuple(self.sizes),
                [len(self.tags_)],
                embedding_size=self.embedding,
                character_size=self.letters,
                two_directions=self.two_directions,
                crf=self.head == "crf",
                dropout=self.dropout,
            )

        lengths = np.array([len(one.words) for one in encoded])
        self.model_ = self._trained(make, gather, len(encoded), "words", lengths)
        return self

    def predict(self, X: Sequence[Sequence[str]]) -> list[list[str]]:
        """For each sentence a tag for each word."""
        check_is_fitted(self)
        sentences = _sentences(X)
        found: list[list[str]] = [[] for _ in sentences]
        order = sorted((place for place, one in enumerate(sentences) if one), key=lambda place: len(sentences[place]))
        for first in range(0, len(order), BATCH):
            own = order[first : first + BATCH]
            batch = Batch(sentence_fields([self.reader_.encode(sentences[place]) for place in own]))
            with torch.inference_mode():
                best = self.model_.best(self.model_.predict(batch), batch.ragged("inputs").lengths)[..., 0]
            for row, place in enumerate(own):
                found[place] = self.tags_[best[: len(sentences[place]), row].numpy()].tolist()
        return found

    def score(self, X: Sequence[Sequence[str]], y: Sequence[Sequence[str]]) -> float:
        """The share of words whose tag is right."""
        pairs = [
            str(one) == other
            for line, said in zip(y, self.predict(X), strict=True)
            for one, other in zip(line, said, strict=True)
        ]
        return float(np.mean(pairs))


def _sentences(X: Any) -> list[list[str]]:
    if any(isinstance(sentence, str) for sentence in X):
        raise ValueError("each sentence is a list of words; a text came: split it first")
    return [[str(word) for word in sentence] for sentence in X]
