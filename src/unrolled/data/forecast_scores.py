"""How good forecasts are, by the field's formulas; all take arrays that broadcast, and give one number for each value.

MASE: Hyndman & Koehler 2006, doi:10.1016/j.ijforecast.2006.03.001. CRPS: Gneiting & Raftery 2007,
doi:10.1198/016214506000001437.
"""

from __future__ import annotations

import math

import numpy as np


def seasonal_scale(values: np.ndarray, observed: np.ndarray, period: int) -> float:
    """What MASE divides by: the mean |y_t − y_{t−m}| over the training part, m = `period` (1: from value to value).

    values, observed: (N,); pairs of which one was not observed do not count. NaN where there is no pair.
    """
    pairs = observed[period:] & observed[:-period]
    differences = np.abs(values[period:] - values[:-period])[pairs]
    return float(differences.mean()) if len(differences) else math.nan


def gaussian_crps(y: np.ndarray, mean: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """CRPS(N(μ, σ²), y) = σ (z (2Φ(z) − 1) + 2φ(z) − 1/√π), z = (y − μ)/σ; |y − μ| where σ is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (y - mean) / sd
        density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
        crps = sd * (z * (2 * normal_cdf(z) - 1) + 2 * density - 1 / math.sqrt(math.pi))
    return np.where(sd > 0, crps, np.abs(y - mean))


def sample_crps(y: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """E|X − y| − ½ E|X − X′| of the distribution that M samples (M, ...) are, for y (...)."""
    M = len(samples)
    ordered = np.sort(samples, axis=0)
    # Σ_{i,j} |x_i − x_j| of sorted values, each weighted by how many lie below it less how many above.
    weights = (2 * np.arange(1, M + 1) - M - 1).reshape(-1, *[1] * (samples.ndim - 1))
    return np.abs(samples - y).mean(0) - (weights * ordered).sum(0) / M**2


def covered(y: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Whether y lies within the interval, its ends included."""
    return (low <= y) & (y <= high)


def normal_cdf(z: np.ndarray) -> np.ndarray:
    """Φ(z)."""
    return np.vectorize(math.erf, otypes=[float])(np.asarray(z, float) / math.sqrt(2)) / 2 + 0.5
