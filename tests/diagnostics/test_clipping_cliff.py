"""The cliff: loss and gradient against plain arithmetic, clipping against that of training, what the picture shows."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from unrolled.diagnostics.clipping_cliff import clipping_cliff, descend, loss, slope
from unrolled.errors import OptionError
from unrolled.training.gradients import clip


def by_hand(w: float, b: float) -> tuple[float, float, float]:
    """Loss, ∂/∂w and ∂/∂b, carried forward with the state: x' = w s + b, dx' = s dw + db + w s (1 − s) dx."""
    x, dw, db = 0.5, 0.0, 0.0
    for _ in range(50):
        s = 1 / (1 + math.exp(-x))
        x, dw, db = w * s + b, s + w * s * (1 - s) * dw, 1 + w * s * (1 - s) * db
    s = 1 / (1 + math.exp(-x))
    slope = 2 * (s - 0.7) * s * (1 - s)
    return (s - 0.7) ** 2, slope * dw, slope * db


def test_the_loss_is_that_of_the_equations():
    w, b = torch.tensor([4.2, 5.5, 6.0]).double(), torch.tensor([-2.2, -2.4, -3.0, 1.0]).double()
    values = loss(w[None, :], b[:, None])
    assert values.shape == (4, 3)
    for i, own_b in enumerate(b.tolist()):
        for j, own_w in enumerate(w.tolist()):
            assert values[i, j].item() == pytest.approx(by_hand(own_w, own_b)[0], rel=1e-12)


@pytest.mark.parametrize(("w", "b"), [(5.5, -2.2), (4.0, -3.0), (5.2, -2.05), (-30.0, 8.0), (1e4, -2e3)])
def test_the_gradient_carried_forward_is_that_of_going_back(w, b):
    place = torch.tensor([w, b], dtype=torch.float64, requires_grad=True)
    value = loss(place[0], place[1])
    value.backward()
    found, gradient = slope(w, b)
    assert found == pytest.approx(value.item(), rel=1e-12)
    assert gradient == pytest.approx(place.grad.tolist(), rel=1e-8, abs=1e-300)


@pytest.mark.parametrize("norm", [0.0, 0.05])
def test_a_descent_takes_the_steps_of_the_equations(norm):
    found = descend(5.5, -2.2, 0.3, 12, norm)
    w, b = 5.5, -2.2
    clipped = 0
    for t in range(12):
        value, dw, db = by_hand(w, b)
        size = math.hypot(dw, db)
        assert found.weights[t].tolist() == pytest.approx([w, b], rel=1e-9)
        assert found.loss[t].item() == pytest.approx(value, rel=1e-8)
        assert found.gradient[t].item() == pytest.approx(size, rel=1e-7)
        share = norm / size if norm and size >= norm else 1.0
        clipped += share < 1
        w, b = w - 0.3 * share * dw, b - 0.3 * share * db
    assert (clipped > 0) == bool(norm)


def test_it_clips_as_training_does():
    found = descend(5.5, -2.2, 0.1, 97, 1.0)
    place = nn.Parameter(found.weights[94].clone())
    loss(place[0], place[1]).backward()
    assert found.gradient[94] > 50
    assert clip([place], norm=1.0) == pytest.approx(found.gradient[94].item())
    step = found.weights[94] - 0.1 * place.grad
    torch.testing.assert_close(found.weights[95], step)


@pytest.fixture(scope="module")
def cliff():
    return clipping_cliff(columns=40, rows=25)


def test_without_clipping_the_descent_is_thrown_off_the_cliff_and_with_it_it_is_not(cliff):
    thrown, kept = cliff.surface.paths
    assert "without" in thrown.name
    assert "norm 1" in kept.name

    def inside(path):
        return [-0.5 <= x <= 39.5 and -0.5 <= y <= 24.5 for x, y in zip(path.x, path.y, strict=True)]

    def longest_step(path):
        return max(math.dist(a, b) for a, b in pairwise(zip(path.x, path.y, strict=True)))

    # Both go the same way until the gradient is first larger than the norm.
    apart = next(i for i in range(400) if thrown.x[i] != kept.x[i])
    assert thrown.y[:apart] == kept.y[:apart]
    assert 50 < apart < 200
    assert all(inside(thrown)[:apart])
    # One step throws it off the map, and it never comes back; its loss is then what it would be for any large weights.
    assert not any(inside(thrown)[apart + 2 :])
    assert longest_step(thrown) > 40
    losses = {line.name: line.y for line in cliff.losses.series}
    assert losses[thrown.name][-1] == pytest.approx(0.09, abs=1e-3)
    # The other never leaves the map, and ends in the lowest place.
    assert all(inside(kept))
    assert longest_step(kept) < 4
    assert max(losses[kept.name][-20:]) < 0.02
    assert min(losses[kept.name]) < 1e-3


def test_the_surface_has_a_wall(cliff):
    """Somewhere the loss rises more from one place to the next than over the whole rest of its row."""
    assert (len(cliff.surface.rows), len(cliff.surface.columns)) == (25, 40)
    row = cliff.surface.values[19]  # from the top
    steps = [abs(b - a) for a, b in pairwise(row)]
    wall = max(steps)
    assert wall > 0.25
    assert sum(steps) - wall < wall
    assert cliff.surface.rows[0] == "b = −1.80"
    assert cliff.surface.rows[-1] == "b = −3.00"
    assert (cliff.surface.columns[0], cliff.surface.columns[-1]) == ("w = 4.00", "w = 6.20")
    assert cliff.surface.values[-1][0] == pytest.approx(by_hand(4.0, -3.0)[0])
    assert cliff.surface.values[0][-1] == pytest.approx(by_hand(6.2, -1.8)[0])
    # The start, (5.5, −2.2), in columns and rows.
    assert (cliff.surface.paths[0].x[0], cliff.surface.paths[0].y[0]) == pytest.approx((1.5 / 2.2 * 39, 0.4 / 1.2 * 24))
    assert cliff.losses.y_log


@pytest.mark.parametrize(
    "wrong",
    [{"rate": 0.0}, {"norm": -1.0}, {"updates": 0}, {"rows": 1}, {"w_range": (5.0, 4.0)}, {"b_range": (1.0, 1.0)}],
)
def test_what_is_out_of_range_is_refused(wrong):
    with pytest.raises(OptionError):
        clipping_cliff(**wrong)
