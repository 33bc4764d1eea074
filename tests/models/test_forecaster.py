"""Forecasters: the loss of the formula, and forecasts whose future is known exactly."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from unrolled.batch import Batch
from unrolled.cells.gru import GRU
from unrolled.data.windows import Scale, Windows
from unrolled.errors import OptionError, ShapeError
from unrolled.layers.window import WindowCNN, WindowMLP
from unrolled.models import forecasting
from unrolled.models.forecaster import LEAST_SPREAD, Forecaster, Network


def model(network: Network = "rnn", horizon: int = 2, window: int = 6, size: int = 5) -> Forecaster:
    torch.manual_seed(1)
    return Forecaster(GRU, 3, window, [size], horizon, network=network).double()


def batch(rows: int = 4, window: int = 6, horizon: int = 2) -> Batch:
    draw = torch.Generator().manual_seed(0)
    fields = {
        "inputs": torch.randn(window, rows, 3, generator=draw, dtype=torch.float64),
        "phases": torch.randn(horizon, rows, 2, generator=draw, dtype=torch.float64),
        "targets": torch.randn(horizon, rows, generator=draw, dtype=torch.float64),
        "asked": torch.rand(horizon, rows, generator=draw) > 0.3,
    }
    return Batch(fields)


@pytest.mark.parametrize("network", ["rnn", "mlp", "cnn"])
def test_the_loss_is_that_of_normal_distributions(network: Network) -> None:
    one, own = model(network), batch()
    with torch.no_grad():
        one.output.weight.normal_()
    mean, sd = one.predict(own)
    y, asked = own.tensor("targets"), own.tensor("asked")
    total = sum(
        0.5 * math.log(2 * math.pi) + math.log(s) + (v - m) ** 2 / (2 * s**2)
        for v, m, s in zip(y[asked].tolist(), mean[asked].tolist(), sd[asked].tolist(), strict=True)
    )
    loss = one.loss(own, ())
    assert float(loss.total.detach()) == pytest.approx(total)
    assert int(loss.count) == int(asked.sum()) < asked.numel()


@pytest.mark.parametrize("network", ["rnn", "mlp", "cnn"])
def test_gradients_are_those_of_finite_differences(network: Network) -> None:
    one, own = model(network, size=3), batch()
    with torch.no_grad():
        one.output.weight.normal_()
    names, weights = zip(*one.named_parameters(), strict=True)
    one.forward = lambda given: one.loss(given, ()).total  # type: ignore[method-assign]

    def loss(*values: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(one, dict(zip(names, values, strict=True)), (own,))

    assert torch.autograd.gradcheck(loss, tuple(w.detach().clone().requires_grad_() for w in weights))


def test_before_training_what_was_last_stays() -> None:
    for network in ("rnn", "mlp", "cnn"):
        mean, sd = model(network).predict(batch())
        assert torch.equal(mean, batch().tensor("inputs")[-1, :, 0].expand(2, -1))
        assert (sd > LEAST_SPREAD).all() and torch.allclose(sd, sd[0, 0])


def exact(values: list[list[float]], window: int) -> Forecaster:
    """An MLP whose K outputs are given linear functions of the window's values, one row of weights for each.

    relu(a) − relu(−a) = a: every value passes both layers in two units.
    """
    K = len(values)
    made = Forecaster(GRU, 3, window, [2 * window], K, network="mlp").double()
    assert isinstance(made.over_window, WindowMLP)
    with torch.no_grad():
        for weight in made.parameters():
            weight.zero_()
        for t in range(window):
            made.over_window.first.weight[2 * t, 3 * t] = 1
            made.over_window.first.weight[2 * t + 1, 3 * t] = -1
        made.over_window.second.weight.copy_(torch.eye(2 * window))
        for k, row in enumerate(values):
            for t, weight in enumerate(row):
                # What is said is a change of the last value.
                own = weight - (t == window - 1)
                made.output.weight[k, 2 * t], made.output.weight[k, 2 * t + 1] = own, -own
        made.output.bias[K:] = -40.0
    return made


def linear_ahead(recursion: list[float], window: int, horizon: int) -> list[list[float]]:
    """The k-th next value of a linear recursion as weights of the window's values, for k = 1 … horizon."""
    rows = [[float(i == t) for i in range(window)] for t in range(window)]
    for _ in range(horizon):
        last = rows[-len(recursion) :]
        rows.append([sum(r * row[i] for r, row in zip(recursion, last, strict=True)) for i in range(window)])
    return rows[window:]


def series(recursion: list[float], start: list[float], count: int) -> np.ndarray:
    values = list(start)
    while len(values) < count:
        values.append(sum(r * v for r, v in zip(recursion, values[-len(recursion) :], strict=True)))
    return np.array(values)


SINE = [-1.0, 2 * math.cos(0.7)]  # sin(a + 0.7 t) = 2 cos 0.7 · the last − the one before it


@pytest.mark.parametrize(
    ("recursion", "start"), [(SINE, [0.0, math.sin(0.7)]), ([0.2, -0.5, 0.9], [1.0, -2.0, 0.5]), ([1.02], [3.0])]
)
def test_direct_and_recursive_forecasts_of_a_known_future_are_that_future(
    recursion: list[float], start: list[float]
) -> None:
    window, horizon = 5, 12
    values = series(recursion, start, 40)
    if recursion == SINE:
        assert values == pytest.approx(np.sin(0.7 * np.arange(40)))
    scale = Scale(0.0, 1.7)  # linear recursions stay so where nothing is added
    cut = Windows(values, np.ones(40, bool), scale, window, horizon, 0.0, np.array([window, 11, 28]))
    fields = {name: torch.as_tensor(value).double() for name, value in cut.gather(np.arange(3)).items()}
    future = np.stack([values[origin : origin + horizon] for origin in cut.origins], 1)

    one_step = exact(linear_ahead(recursion, window, 1), window)
    followed = forecasting.scaled(forecasting.recursive(one_step, fields["inputs"], fields["phases"], 0, 100), 0.0, 1.7)
    at_once = exact(linear_ahead(recursion, window, horizon), window)
    direct = forecasting.scaled(forecasting.direct(at_once, fields["inputs"]), 0.0, 1.7)
    for found in (followed, direct):
        assert found.mean.detach().numpy() == pytest.approx(future, abs=2e-5)
        for level in forecasting.LEVELS:
            assert (found.high[level] - found.low[level]).abs().max() < 0.05
            assert (found.low[level] <= found.mean + 1e-3).all() and (found.mean <= found.high[level] + 1e-3).all()


@torch.no_grad()
def test_intervals_of_a_random_walk_widen_as_the_root_of_the_steps() -> None:
    one = model("mlp", horizon=1)
    sd = math.log1p(math.exp(0.5)) + LEAST_SPREAD
    inputs, phases = torch.zeros(6, 3, 3, dtype=torch.float64), torch.zeros(9, 3, 2, dtype=torch.float64)
    found = forecasting.recursive(one, inputs.repeat(1, 30, 1), phases.repeat(1, 30, 1), seed=4, paths=100)
    assert found.paths is not None and found.paths.shape == (100, 9, 90)
    for k in (0, 3, 8):
        assert float(found.paths[:, k].std()) == pytest.approx(sd * math.sqrt(k + 1), rel=0.03)
        width = float((found.high[0.8][k] - found.low[0.8][k]).mean().detach())
        assert width == pytest.approx(2 * 1.2816 * sd * math.sqrt(k + 1), rel=0.06)
    again = forecasting.recursive(one, inputs.repeat(1, 30, 1), phases.repeat(1, 30, 1), seed=4, paths=100)
    assert torch.equal(again.paths, found.paths)
    direct = forecasting.direct(one, inputs)
    assert float(direct.high[0.95][0, 0].detach()) == pytest.approx(1.959964 * sd)


def test_a_window_of_another_length_is_refused() -> None:
    for layer in (WindowMLP(6, 3, 4), WindowCNN(6, 3, 4)):
        with pytest.raises(ShapeError, match=r"a window of 6 steps, \(6, B, F\), was expected; \(5, 2, 3\) came"):
            layer(torch.zeros(5, 2, 3))
    with pytest.raises(ShapeError, match="phases of 2 features were expected"):
        model().recursive(torch.zeros(6, 1, 3), torch.zeros(4, 1, 5))
    with pytest.raises(OptionError, match="a network is one of rnn, mlp, cnn; 'transformer' came"):
        Forecaster(GRU, 3, 6, [4], 1, network="transformer")  # type: ignore[arg-type]


def test_convolutions_see_every_step() -> None:
    for window in (2, 7, 30):
        layer = WindowCNN(window, 1, 6).double()
        x = torch.ones(window, 2, 1, dtype=torch.float64, requires_grad=True)
        with torch.no_grad():
            for weight in layer.parameters():
                weight.abs_()
        h = layer(x)
        assert h.shape == (2, 6)
        h[0].sum().backward()
        assert x.grad is not None and (x.grad[:, 0] > 0).all() and (x.grad[:, 1] == 0).all()
