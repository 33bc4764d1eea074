"""A class for each sequence or text, in scikit-learn's way.

RecurrentClassifier().fit(texts, stars).score(more_texts, their_stars)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d

from unrolled.batch import Batch, Ragged
from unrolled.cells import registry
from unrolled.data.examples import Fields
from unrolled.data.tokens import TokenVocabulary, padded, words
from unrolled.estimators.base import BATCH, RecurrentEstimator, read_sequences, side_by_side
from unrolled.models.sequence_classifier import SequenceClassifier


class RecurrentClassifier(ClassifierMixin, RecurrentEstimator):
    """`SequenceClassifier` over texts (word by word), sequences (T, F) of any lengths, or rows of numbers (N, T).

    cell: by name, or module:Class. sizes: hidden units of each layer. pooling: "last", "mean" or "largest".
    embedding: features of a word. dropout: as in the model. epochs, batch_size, rate: of the training.
    random_state: a number gives the same again.

    After `fit`: classes_, model_, and of numbers mean_ and scale_, by which they are standardised.
    """

    model_: SequenceClassifier

    def __init__(
        self,
        cell: str = "gru",
        sizes: Sequence[int] = (32,),
        *,
        two_directions: bool = True,
        pooling: str = "mean",
        embedding: int = 32,
        dropout: float = 0.0,
        epochs: float = 30,
        batch_size: int = 32,
        rate: float = 1e-2,
        random_state: Any = None,
    ) -> None:
        self.cell = cell
        self.sizes = sizes
        self.two_directions = two_directions
        self.pooling = pooling
        self.embedding = embedding
        self.dropout = dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.rate = rate
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[missing-attribute]
        tags.input_tags.three_d_array = True
        tags.input_tags.string = True
        return tags

    def fit(self, X: Any, y: Any) -> RecurrentClassifier:
        """X: as `estimators.base.read_sequences` says; y: a class for each, of any kind."""
        rows = read_sequences(self, X, reset=True)
        y = column_or_1d(y, warn=True)
        check_consistent_length(rows, y)
        check_classification_targets(y)
        self.classes_, numbers = np.unique(y, return_inverse=True)
        if self.kind_ == "texts":
            tokens = [words(row) for row in rows]
            self.vocabulary_ = TokenVocabulary.of(tokens, least=2)
            size, embedding = self.vocabulary_.size, self.embedding
        else:
            everything = np.concatenate(rows)
            self.mean_, self.scale_ = everything.mean(0), everything.std(0)
            self.scale_ = np.where(self.scale_ > 0, self.scale_, 1.0)
            size, embedding = everything.shape[1], 0
        items = self._items(rows)

        def gather(places: np.ndarray) -> Fields:
            targets = torch.from_numpy(numbers[places].astype(np.int64))[None]
            return {"inputs": self._inputs([items[place] for place in places]), "targets": targets}

        def make() -> SequenceClassifier:
            return SequenceClassifier(
                registry.find(self.cell),
                size,
                tuple(self.sizes),
                len(self.classes_),
                pooling=self.pooling,  # type: ignore[arg-type]
                embedding_size=embedding,
                two_directions=self.two_directions,
                dropout=self.dropout,
            )

        lengths = np.array([len(item) for item in items])
        self.model_ = self._trained(make, gather, len(items), "sequences", lengths)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """(N, classes): the probability of each class, in the order of `classes_`."""
        check_is_fitted(self)
        items = self._items(read_sequences(self, X, reset=False))
        found = np.empty((len(items), len(self.classes_)))
        order = np.argsort([len(item) for item in items], kind="stable")
        for first in range(0, len(order), BATCH):
            own = order[first : first + BATCH]
            field = self._inputs([items[place] for place in own])
            values = field.values.double() if field.values.is_floating_point() else field.values
            with torch.inference_mode():
                found[own] = self.model_.predict(Batch({"inputs": Ragged(values, field.lengths)})).softmax(-1).numpy()
        return found

    def predict(self, X: Any) -> np.ndarray:
        """(N,): the likeliest class of each."""
        check_is_fitted(self)
        return self.classes_[self.predict_proba(X).argmax(1)]

    def _items(self, rows: list[Any]) -> list[np.ndarray]:
        """What the model reads, one after the other."""
        if self.kind_ == "texts":
            return [self.vocabulary_.encode(words(row)) for row in rows]
        return [(row - self.mean_) / self.scale_ for row in rows]

    def _inputs(self, items: list[np.ndarray]) -> Ragged:
        if self.kind_ != "texts":
            return side_by_side(items)
        values, lengths = padded(items)
        return Ragged(torch.from_numpy(values), torch.from_numpy(lengths))
