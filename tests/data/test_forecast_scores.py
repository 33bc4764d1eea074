"""Scores of forecasts: worked cases, and the definitions integrated and summed."""

from __future__ import annotations

import math

import numpy as np
import pytest

from unrolled.data import forecast_scores as scores


def test_what_mase_divides_by_worked() -> None:
    """Values 1, 3, 2, 7 from one to the next: (2 + 1 + 5)/3; over two: (1 + 4)/2; without the 3: what has no gap."""
    values, seen = np.array([1.0, 3, 2, 7]), np.ones(4, bool)
    assert scores.seasonal_scale(values, seen, 1) == pytest.approx(8 / 3)
    assert scores.seasonal_scale(values, seen, 2) == pytest.approx(5 / 2)
    assert scores.seasonal_scale(values, np.array([True, False, True, True]), 1) == pytest.approx(5)
    assert math.isnan(scores.seasonal_scale(values, seen, 4))


@pytest.mark.parametrize(("y", "mean", "sd"), [(0.3, 0.0, 1.0), (-2.5, 1.0, 0.4), (4.0, 4.0, 3.0)])
def test_the_crps_of_a_normal_distribution_is_its_integral(y: float, mean: float, sd: float) -> None:
    x = np.linspace(mean - 12 * sd - 5, mean + 12 * sd + 5, 400_001)
    inside = (scores.normal_cdf((x[::10] - mean) / sd) - (y <= x[::10])) ** 2
    integral = float(np.trapezoid(inside, x[::10]))
    assert float(scores.gaussian_crps(np.array(y), np.array(mean), np.array(sd))) == pytest.approx(integral, abs=1e-3)


def test_known_values_of_the_crps() -> None:
    """At its centre a standard normal has (√2 − 1)/√π; a forecast without a spread is a number, |y − μ|."""
    at_centre = float(scores.gaussian_crps(np.array(0.0), np.array(0.0), np.array(1.0)))
    assert at_centre == pytest.approx((math.sqrt(2) - 1) / math.sqrt(math.pi))
    assert float(scores.gaussian_crps(np.array(3.0), np.array(1.0), np.array(0.0))) == 2
    assert scores.normal_cdf(np.array([0.0, 1.959963985])).tolist() == pytest.approx([0.5, 0.975])


def test_the_crps_of_samples_is_the_double_sum() -> None:
    draw = np.random.default_rng(0)
    samples, y = draw.normal(size=(17, 3)), draw.normal(size=3)
    wanted = [
        np.mean([abs(a - y[k]) for a in samples[:, k]])
        - np.mean([abs(a - b) for a in samples[:, k] for b in samples[:, k]]) / 2
        for k in range(3)
    ]
    assert scores.sample_crps(y, samples).tolist() == pytest.approx(wanted)
    many = draw.normal(1.0, 2.0, size=(20_000, 1))
    exact = scores.gaussian_crps(np.array([0.5]), np.array([1.0]), np.array([2.0]))
    assert scores.sample_crps(np.array([0.5]), many)[0] == pytest.approx(float(exact[0]), abs=0.02)


def test_an_interval_holds_its_ends() -> None:
    assert scores.covered(np.array([1, 2, 3, 4.0]), np.array(2.0), np.array(3.0)).tolist() == [False, True, True, False]
