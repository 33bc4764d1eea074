"""The next values of a series, in scikit-learn's way: a regressor whose rows are windows.

X, y = windows(series, window=30, horizon=7)
mean, sd = RecurrentForecaster().fit(X, y).predict(X[-1:], return_std=True)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data  # type: ignore[missing-module-attribute]

from unrolled.batch import Batch
from unrolled.cells import registry
from unrolled.data.examples import Fields
from unrolled.estimators.base import BATCH, RecurrentEstimator
from unrolled.models.forecaster import Forecaster


def windows(series: Any, window: int, horizon: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Every `window` neighbouring values of series (N,), and the `horizon` values behind each.

    X (M, window), y (M, horizon), or (M,) where the horizon is 1; M = N − window − horizon + 1. ValueError where that
    is none.
    """
    values = np.asarray(series, dtype=np.float64)
    if values.ndim != 1 or window < 1 or horizon < 1 or len(values) < window + horizon:
        raise ValueError(
            f"a series of {window} + {horizon} numbers or more was expected, one axis long; {values.shape} came"
        )
    cut = np.lib.stride_tricks.sliding_window_view(values, window + horizon)
    X, y = cut[:, :window].copy(), cut[:, window:].copy()
    return X, y[:, 0] if horizon == 1 else y


class RecurrentForecaster(RegressorMixin, RecurrentEstimator):
    """`Forecaster` over windows (N, T): the K values of y (N, K), or the one of y (N,), each a normal distribution.

    cell: by name, or module:Class. sizes: hidden units of each layer. dropout: as in the model. epochs, batch_size,
    rate: of the training. random_state: a number gives the same again.

    After `fit`: model_, and the means and spreads by which windows and targets are standardised.
    """

    model_: Forecaster

    def __init__(
        self,
        cell: str = "gru",
        sizes: Sequence[int] = (32,),
        *,
        dropout: float = 0.0,
        epochs: float = 30,
        batch_size: int = 32,
        rate: float = 5e-3,
        random_state: Any = None,
    ) -> None:
        self.cell = cell
        self.sizes = sizes
        self.dropout = dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.rate = rate
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[missing-attribute]
        tags.target_tags.multi_output = True
        # Columns are steps of one series: on columns that have nothing to do with one another it is a poor regressor.
        tags.regressor_tags.poor_score = True
        return tags

    def fit(self, X: Any, y: Any) -> RecurrentForecaster:
        """X: windows (N, T), time from left to right; y: what came, (N,) or (N, K)."""
        X, y = validate_data(self, X, y, multi_output=True, y_numeric=True, ensure_min_samples=2, dtype=np.float64)
        self.one_ = y.ndim == 1
        targets = np.asarray(y, dtype=np.float64).reshape(len(X), -1)
        self.x_mean_, self.x_spread_ = X.mean(), X.std() or 1.0
        self.mean_, self.spread_ = targets.mean(), targets.std() or 1.0
        inputs = self._inputs(X).float()
        scaled = torch.from_numpy((targets - self.mean_) / self.spread_).float().T

        def gather(places: np.ndarray) -> Fields:
            return {
                "inputs": inputs[:, places],
                "targets": scaled[:, places],
                "asked": torch.ones(scaled.shape[0], len(places), dtype=torch.bool),
            }

        def make() -> Forecaster:
            return Forecaster(
                registry.find(self.cell),
                inputs.shape[2],
                X.shape[1],
                tuple(self.sizes),
                targets.shape[1],
                dropout=self.dropout,
            )

        self.model_ = self._trained(make, gather, len(X), "windows")
        return self

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Means, of the form of `fit`'s y; with return_std beside them the standard deviations."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float64)
        inputs = self._inputs(X)
        found = np.empty((2, len(X), self.model_.horizon))
        with torch.inference_mode():
            for first in range(0, len(X), BATCH):
                normal = self.model_.predict(Batch({"inputs": inputs[:, first : first + BATCH]}))
                found[:, first : first + BATCH] = torch.stack(normal).mT.numpy()
        mean, sd = found[0] * self.spread_ + self.mean_, found[1] * self.spread_
        if self.one_:
            mean, sd = mean[:, 0], sd[:, 0]
        return (mean, sd) if return_std else mean

    def _inputs(self, X: np.ndarray) -> torch.Tensor:
        """(T, N, 2): each value as targets are scaled, which a forecast adds its change to, and as windows are."""
        both = [(X - self.mean_) / self.spread_, (X - self.x_mean_) / self.x_spread_]
        return torch.from_numpy(np.stack(both, -1)).transpose(0, 1).contiguous()
