"""Windows of a series: what was seen, and what came then. Scaled by the training part's own mean and spread.

Fields of a batch: `inputs` (W, B, F), the last W values and beside each the phase of its time, as sine and cosine;
`phases` (K, B, 2) of the K times to come, which are known beforehand; `targets` and `asked` (K, B), the values there,
and whether they were observed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from unrolled.data.examples import Fields
from unrolled.data.randomness import Purpose, draws
from unrolled.errors import DataError

#: Features of a step: the value, and sine and cosine of its phase.
FEATURES = 3
#: Parts of a series in the order of time.
PARTS = ("train", "valid", "test")


@dataclass(frozen=True)
class Scale:
    """A value is learnt as (value − mean)/spread."""

    mean: float
    spread: float

    @classmethod
    def of(cls, values: np.ndarray) -> Scale:
        """Mean and standard deviation; of a constant series, spread 1."""
        return cls(float(values.mean()), float(values.std()) or 1.0)


@dataclass(frozen=True)
class Windows:
    """All windows of a series whose first value to forecast lies at one of `origins`.

    values, observed: (N,), the whole series. window: W. horizon: K. period: of the phase, in steps; 0 gives none.
    shuffled: the steps of each window stand in an order of their own: the control for whether order matters.
    first: what the place of the first value counts as, for its phase.
    """

    values: np.ndarray
    observed: np.ndarray
    scale: Scale
    window: int
    horizon: int
    period: float
    origins: np.ndarray
    shuffled: bool = False
    first: int = 0

    def gather(self, numbers: np.ndarray) -> Fields:
        """The fields of the windows with these numbers (B,): places in `origins`."""
        origins = self.origins[numbers]
        past = origins + np.arange(-self.window, 0)[:, None]
        future = origins + np.arange(self.horizon)[:, None]
        scaled = (self.values - self.scale.mean) / self.scale.spread
        inputs = np.concatenate([scaled[past][..., None], phases(self.first + past, self.period)], -1)
        if self.shuffled:
            order = np.stack([draws(0, Purpose.PERMUTATION, int(o)).permutation(self.window) for o in origins], 1)
            inputs = np.take_along_axis(inputs, order[..., None], 0)
        return {
            "inputs": _tensor(inputs),
            "phases": _tensor(phases(self.first + future, self.period)),
            "targets": _tensor(scaled[future]),
            "asked": torch.from_numpy(self.observed[future]),
        }


def phases(places: np.ndarray, period: float) -> np.ndarray:
    """(..., 2), sine and cosine of 2π · place/period; zeros where there is no period."""
    if not period:
        return np.zeros((*places.shape, 2))
    angle = 2 * math.pi * (places % period) / period
    return np.stack([np.sin(angle), np.cos(angle)], -1)


def cut(count: int, shares: tuple[float, float, float]) -> dict[str, range]:
    """The places of each part of a series of `count` values, one behind the other, as the shares say."""
    first = round(count * shares[0])
    second = first + round(count * shares[1])
    return dict(zip(PARTS, (range(first), range(first, second), range(second, count)), strict=True))


def origins(part: range, window: int, horizon: int) -> np.ndarray:
    """Where forecasts of a part begin: all their values lie in it; what is seen may lie before it."""
    return np.arange(max(part.start, window), part.stop - horizon + 1)


def checked_origins(name: str, parts: dict[str, range], window: int, horizon: int) -> dict[str, np.ndarray]:
    """`origins` of each part. DataError, naming the series, where one has none."""
    found = {part: origins(places, window, horizon) for part, places in parts.items()}
    for part, starts in found.items():
        if len(starts) == 0:
            total = sum(map(len, parts.values()))
            raise DataError(
                f"{name}: {total:,} values are too few: the {part} part has no window of {window} values with "
                f"{horizon} to forecast; give a longer series, or less --window, --horizon"
            )
    return found


def _tensor(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(values.astype(np.float32))
