"""min-char-rnn against a NumPy program written from the published algorithm."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from unrolled.batch import Batch
from unrolled.recipes import min_char_rnn
from unrolled.recipes.min_char_rnn import MinCharRNNOptions
from unrolled.training.events import Updated
from unrolled.workshop.train import TrainRequest, train_events

from .stand_in import write_text


def loss_and_gradients(p: dict, inputs: list[int], targets: list[int], h: np.ndarray) -> tuple[float, dict, np.ndarray]:
    """Forward and backward through one window, column vectors, one symbol at a time."""
    V = p["Why"].shape[0]
    xs, hs, ps, loss = [], [h], [], 0.0
    for i, j in zip(inputs, targets, strict=True):
        x = np.zeros((V, 1))
        x[i] = 1
        xs.append(x)
        hs.append(np.tanh(p["Wxh"] @ x + p["Whh"] @ hs[-1] + p["bh"]))
        y = p["Why"] @ hs[-1] + p["by"]
        ps.append(np.exp(y) / np.exp(y).sum())
        loss -= math.log(ps[-1][j, 0])
    gradients = {name: np.zeros_like(value) for name, value in p.items()}
    dh_next = np.zeros_like(h)
    for t in reversed(range(len(inputs))):
        dy = ps[t].copy()
        dy[targets[t]] -= 1
        gradients["Why"] += dy @ hs[t + 1].T
        gradients["by"] += dy
        dh = p["Why"].T @ dy + dh_next
        draw = (1 - hs[t + 1] ** 2) * dh
        gradients["bh"] += draw
        gradients["Wxh"] += draw @ xs[t].T
        gradients["Whh"] += draw @ hs[t].T
        dh_next = p["Whh"].T @ draw
    return loss, {name: np.clip(value, -5, 5) for name, value in gradients.items()}, hs[-1]


#: The published program's names for our parameters.
NAMES = {
    "recurrent.layers.0.0.U": "Wxh",
    "recurrent.layers.0.0.W": "Whh",
    "recurrent.layers.0.0.b": "bh",
    "softmax.weight": "Why",
    "softmax.bias": "by",
}


def vocabulary_of(text: str) -> dict:
    from unrolled.data.vocabulary import CharacterVocabulary

    return {"vocabulary": CharacterVocabulary.of(text).to_assets()}


def test_gradient_equals_the_published_algorithm() -> None:
    torch.manual_seed(1)
    model = min_char_rnn.model(MinCharRNNOptions(hidden=7), vocabulary_of("abcdefgh")).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.5)
    assert set(NAMES) == {name for name, _ in model.named_parameters()}
    p = {}
    for name, parameter in model.named_parameters():
        value = parameter.detach().numpy()
        p[NAMES[name]] = value.reshape(value.shape[0], -1).copy()

    draw = np.random.default_rng(0)
    symbols = draw.integers(0, 8, 26).tolist()
    h = draw.normal(size=(7, 1))
    loss, gradients, last = loss_and_gradients(p, symbols[:-1], symbols[1:], h)

    ids = torch.tensor(symbols)[:, None]
    state = ((type(model.initial_state(1)[0][0])(torch.tensor(h.T)),),)
    ours = model.loss(Batch({"symbols": ids[:-1], "targets": ids[1:]}), state)
    ours.total.backward()
    torch.nn.utils.clip_grad_value_(model.parameters(), 5.0)
    assert float(ours.total.detach()) == pytest.approx(loss, rel=1e-12)
    np.testing.assert_allclose(ours.state[0][0].hidden.detach().numpy(), last.T, rtol=1e-12)
    for name, parameter in model.named_parameters():
        ours_gradient = parameter.grad.numpy().reshape(gradients[NAMES[name]].shape)
        np.testing.assert_allclose(ours_gradient, gradients[NAMES[name]], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("characters", ["".join(chr(48 + k) for k in range(74)), "etaoin shrdlu"])
def test_first_loss_is_25_ln_V(characters: str, tmp_path: Path) -> None:
    """To four digits, on two texts, as the recipe really trains; 107.60 for V = 74."""
    draw = np.random.default_rng(0)
    text = characters + "".join(draw.choice(list(characters), 2000))
    (tmp_path / "text.txt").write_text(text)
    options = MinCharRNNOptions(data=str(tmp_path / "text.txt"), steps=1, threads=1)
    events = list(train_events(TrainRequest("min-char-rnn", options, runs=str(tmp_path / "runs"))))
    first = next(event for event in events if isinstance(event, Updated))
    V = len(set(characters))
    if V == 74:
        assert 25 * math.log(V) == pytest.approx(107.60, abs=0.005)
    assert first.loss == pytest.approx(25 * math.log(V), rel=2e-4)


def test_smoothed_loss_falls(tmp_path: Path) -> None:
    """The published smoothing, 0.999 old and 0.001 new, from 25·ln V: well below it after a thousand windows."""
    file = write_text(tmp_path / "text.txt", 20_000)
    options = MinCharRNNOptions(data=str(file), steps=1200, threads=1)
    smoothed = 25 * math.log(len(set(file.read_text())))
    start = smoothed
    for event in train_events(TrainRequest("min-char-rnn", options, runs=str(tmp_path / "runs"))):
        if isinstance(event, Updated):
            smoothed = 0.999 * smoothed + 0.001 * event.loss
    assert smoothed < 0.75 * start


@pytest.mark.parametrize(("characters", "windows"), [(75, 2), (76, 2), (77, 3)])
def test_a_pass_ends_where_the_published_loop_ends_it(characters: int, windows: int, tmp_path: Path) -> None:
    """It starts anew where p + 25 + 1 >= len(data): with 76 characters the third window would just fit, and is left."""
    file = write_text(tmp_path / "text.txt", characters)
    assert min_char_rnn.data(MinCharRNNOptions(data=str(file)), tmp_path, None).train.batches_per_epoch == windows
