"""The cliff: why a gradient is clipped. The loss of a network of one unit over its two weights, and two ways down.

    x_t = w σ(x_{t−1}) + b,   x_0 = ½          loss(w, b) = (σ(x_T) − 0.7)²,  T = 50
    descent:   θ ← θ − η g                     as it is
               θ ← θ − η g · min(1, κ/‖g‖)     the gradient g clipped to the norm κ

(Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063, from whom network, loss and T are; x_0, start, rate and κ are chosen
here.) Where the fixed point to which x goes changes, the loss rises like a wall, with a gradient hundreds of times that
on both sides of it: one step from there leads far away, unless the gradient is clipped.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from unrolled.errors import OptionError
from unrolled.figures import Curves, HeatMap, Series

#: x_0, and the number of steps after which the loss is taken.
START, STEPS = 0.5, 50
#: What σ(x_T) should be.
GOAL = 0.7


class Descent(NamedTuple):
    """Of each update, before it: weights (N, 2) as (w, b), loss (N,), ‖g‖ (N,)."""

    weights: Tensor
    loss: Tensor
    gradient: Tensor


class Cliff(NamedTuple):
    """surface: the loss over w (columns) and b (rows), with both descents on it. losses: of both, by update."""

    surface: HeatMap
    losses: Curves


def loss(w: Tensor, b: Tensor) -> Tensor:
    """(σ(x_T) − 0.7)², element by element."""
    x = torch.full_like(w + b, START)
    for _ in range(STEPS):
        x = w * torch.sigmoid(x) + b
    return (torch.sigmoid(x) - GOAL) ** 2


def slope(w: float, b: float) -> tuple[float, tuple[float, float]]:
    """The loss at (w, b), and its gradient, carried forward with the state (Williams & Zipser 1989).

        ∂x_t/∂w = σ(x_{t−1}) + w σ'(x_{t−1}) ∂x_{t−1}/∂w,   ∂x_t/∂b = 1 + w σ'(x_{t−1}) ∂x_{t−1}/∂b

    With two weights and one unit that is a few numbers a step, a hundred times quicker than to unroll and go back.
    """
    x, dw, db = START, 0.0, 0.0
    for _ in range(STEPS):
        s = _sigmoid(x)
        a = w * s * (1 - s)
        x, dw, db = w * s + b, s + a * dw, 1 + a * db
    s = _sigmoid(x)
    error = s - GOAL
    outer = 2 * error * s * (1 - s)
    return error**2, (outer * dw, outer * db)


def _sigmoid(x: float) -> float:
    # exp overflows above 709, where σ has long been 0 or 1 to the last bit.
    return 1 / (1 + math.exp(-min(max(x, -700.0), 700.0)))


def descend(w: float, b: float, rate: float, updates: int, norm: float = 0.0) -> Descent:
    """Gradient descent from (w, b). norm: what gradients are clipped to; 0 clips none."""
    weights, losses, gradients = [], [], []
    for _ in range(updates):
        found, (dw, db) = slope(w, b)
        size = math.hypot(dw, db)
        weights.append((w, b))
        losses.append(found)
        gradients.append(size)
        step = rate * (norm / size if norm and size >= norm else 1.0)
        w, b = w - step * dw, b - step * db
    return Descent(*(torch.tensor(found, dtype=torch.float64) for found in (weights, losses, gradients)))


def clipping_cliff(
    start: tuple[float, float] = (5.5, -2.2),
    rate: float = 0.1,
    norm: float = 1.0,
    updates: int = 400,
    w_range: tuple[float, float] = (4.0, 6.2),
    b_range: tuple[float, float] = (-3.0, -1.8),
    columns: int = 76,
    rows: int = 32,
) -> Cliff:
    """The surface, and two descents from `start` = (w, b), that differ in nothing but clipping to `norm`.

    The path without clipping comes to the foot of the cliff and is thrown off the map by one step, to a plain that it
    never leaves; the one with it goes on along the foot, to the lowest place.
    OptionError where a number is out of range.
    """
    if min(rate, norm) <= 0 or updates < 1 or min(columns, rows) < 2:
        raise OptionError("rate and norm are above 0, updates 1 or more, columns and rows 2 or more")
    if w_range[0] >= w_range[1] or b_range[0] >= b_range[1]:
        raise OptionError(f"a range goes from one number up to a higher one; {w_range} and {b_range} came")
    w = torch.linspace(*w_range, columns, dtype=torch.float64)
    b = torch.linspace(*b_range, rows, dtype=torch.float64).flip(0)  # the highest on top
    values = loss(w[None, :], b[:, None])
    ways = {
        "without clipping": descend(*start, rate, updates),
        f"clipped to norm {norm:g}": descend(*start, rate, updates, norm),
    }
    paths = tuple(
        Series(
            name,
            tuple(((way.weights[:, 0] - w[0]) / (w[1] - w[0])).tolist()),
            tuple(((way.weights[:, 1] - b[0]) / (b[1] - b[0])).tolist()),
        )
        for name, way in ways.items()
    )
    surface = HeatMap(
        "The loss of a recurrent unit over its weights, and two ways down",
        tuple(tuple(row) for row in values.tolist()),
        tuple(f"b = {value:.2f}".replace("-", "−") for value in b.tolist()),
        tuple(f"w = {value:.2f}".replace("-", "−") for value in w.tolist()),
        f"(σ(x_{STEPS}) − {GOAL})²",
        paths,
    )
    numbers = tuple(float(i) for i in range(updates))
    curves = tuple(Series(name, numbers, tuple(way.loss.tolist())) for name, way in ways.items())
    return Cliff(surface, Curves("Loss along both ways down", curves, "update", "loss", y_log=True))
