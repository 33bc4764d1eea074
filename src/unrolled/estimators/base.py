"""What the estimators share: their training, which is the house's own loop, and sequences of every form as arrays."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from unrolled.batch import Ragged
from unrolled.data.examples import Fields, Shuffled
from unrolled.errors import OptionError
from unrolled.models.model import Model
from unrolled.training.checkpoint import Checkpoints
from unrolled.training.loop import train
from unrolled.training.settings import Budget, Settings

try:
    from sklearn.base import BaseEstimator
    from sklearn.utils import check_random_state
    from sklearn.utils.validation import validate_data  # type: ignore[missing-module-attribute]
except ImportError as error:
    raise OptionError("the estimators need the extra: pip install 'unrolled[estimators]'") from error

Trained = TypeVar("Trained", bound=Model)

#: Sequences side by side where they are only read.
BATCH = 250


class RecurrentEstimator(BaseEstimator):
    """A base: parameters as scikit-learn has them, stored as they came and looked at in `fit`. A subclass gives those.

    Every subclass has epochs, batch_size, rate, random_state and dropout; `fit` with the same random_state on the same
    data gives the same model.
    """

    epochs: float
    batch_size: int
    rate: float
    random_state: Any
    # What `fit` was given, by `read_sequences`, and F of sequences.
    kind_: str
    width_: int

    def _seed(self) -> int:
        """One number, from random_state: itself, or drawn from what it is."""
        if isinstance(self.random_state, (int, np.integer)):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _trained(
        self,
        make: Callable[[], Trained],
        gather: Callable[[np.ndarray], Fields],
        count: int,
        unit: str,
        lengths: np.ndarray | None = None,
    ) -> Trained:
        """The model that `make` gives, after its epochs over `count` rows, in evaluation mode and in float64, so that a
        row's answer does not depend on the rows beside it by more than the last digits.

        gather, unit, lengths: as `Shuffled` takes them. Weights, order and masks come from random_state alone, and the
        caller's random state stays as it is.
        """
        seed = self._seed()
        source = Shuffled(gather, count, min(self.batch_size, count), seed, unit, lengths=lengths)
        settings = Settings(
            budget=Budget(epochs=self.epochs), rate=self.rate, decay="linear", warmup_steps=10, seed=seed
        )
        with torch.random.fork_rng(devices=[]), tempfile.TemporaryDirectory() as folder:
            torch.manual_seed(seed)
            model = make()
            events = train(
                model,
                source,
                settings,
                checkpoints=Checkpoints(Path(folder)),
                validate=None,
                sample=None,
                stop=lambda: False,
            )
            for _ in events:
                pass
        return model.double().eval()


def read_sequences(estimator: RecurrentEstimator, X: Any, reset: bool) -> list[Any]:
    """Texts as they are; other sequences as arrays (T, F) of float64, one for each row of X.

    X: texts; arrays (T, F), each of a length of its own; (N, T, F); or (N, T), the form that every estimator of
    scikit-learn takes: N sequences of T numbers. reset: in `fit`, where what X is like is noted.

    Raises ValueError, as scikit-learn does, where X is none of these, or unlike what `fit` was given.
    """
    kind, rows = _kind(X)
    if kind == "numbers":
        checked = validate_data(estimator, X, reset=reset, ensure_min_samples=2 if reset else 1)
        rows = [row[:, None] for row in np.asarray(checked, dtype=np.float64)]
    if reset:
        estimator.kind_ = kind
    elif kind != estimator.kind_:
        raise ValueError(f"fit was given {estimator.kind_}, and here are {kind}: give the same form")
    if kind == "sequences":
        rows = [np.asarray(row, dtype=np.float64) for row in rows]
        widths = {row.shape[1:] for row in rows}
        if reset:
            estimator.width_ = rows[0].shape[-1]
        if widths != {(estimator.width_,)} or not all(np.isfinite(row).all() for row in rows):
            raise ValueError(f"arrays (T, {estimator.width_}) of finite numbers were expected, of any lengths T")
    return rows


def side_by_side(rows: Sequence[np.ndarray]) -> Ragged:
    """(T, B, F) float32 of arrays (T, F), zero past each length."""
    lengths = torch.tensor([len(row) for row in rows])
    values = torch.zeros(max(1, int(lengths.max())), len(rows), rows[0].shape[1])
    for number, row in enumerate(rows):
        values[: len(row), number] = torch.from_numpy(row).float()
    return Ragged(values, lengths)


def _kind(X: Any) -> tuple[str, list[Any]]:
    """What X is: "texts", "sequences" (arrays of two axes) or "numbers"; and its rows, of the first two."""
    if getattr(X, "ndim", 0) == 3:
        return "sequences", list(X)
    # Neither a table of pandas, whose iteration gives its columns' names, nor a sparse matrix.
    others = any(hasattr(X, name) for name in ("columns", "toarray")) or not hasattr(X, "__iter__")
    rows = [] if others else list(X)
    if rows and all(isinstance(row, str) for row in rows):
        return "texts", rows
    if rows and all(getattr(row, "ndim", 0) == 2 for row in rows):
        return "sequences", rows
    return "numbers", []
