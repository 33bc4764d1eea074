"""hello: every number of the lecture's example, checked by hand-worked arithmetic."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

import unrolled
from unrolled.batch import Batch
from unrolled.errors import OptionError
from unrolled.recipes import hello
from unrolled.recipes.hello import HelloOptions

#: The logits written in the lecture's drawing, step by step, in the order h, e, l, o.
LECTURE_LOGITS = [[1.0, 2.2, -3.0, 4.1], [0.5, 0.3, -1.0, 1.2], [0.1, 0.5, 1.9, -1.1], [0.2, -1.5, -0.1, 2.2]]


def test_numbers_are_those_of_the_equations() -> None:
    """h = tanh(W h + U x + b), y = V h + c, p = softmax(y): worked in NumPy from the weights."""
    assets = {"word": "hello", "letters": "helo"}
    torch.manual_seed(4)
    model = hello.model(HelloOptions(), assets)
    U, W, b = (model.recurrent.layers[0][0].get_parameter(name).detach().numpy() for name in "UWb")
    V, c = model.softmax.weight.detach().numpy(), model.softmax.bias.detach().numpy()
    table = hello.numbers(model, assets)
    shown = {row[0]: row[1:] for row in table.rows}

    h, loss = np.zeros(3), 0.0
    for t, (letter, target) in enumerate(zip("hell", "ello", strict=True)):
        x = np.eye(4)["helo".index(letter)]
        h = np.tanh(W @ h + U @ x + b)
        y = V @ h + c
        p = np.exp(y) / np.exp(y).sum()
        loss -= math.log(p["helo".index(target)])
        assert shown["input letter"][t] == letter and shown["target letter"][t] == target
        for k, name in enumerate("helo"):
            assert shown[f"x  {name}"][t] == x[k]
            assert shown[f"y  {name}"][t] == pytest.approx(y[k], abs=1e-6)
            assert shown[f"p  {name}"][t] == pytest.approx(p[k], abs=1e-6)
        for j in range(3):
            assert shown[f"h  {j + 1}"][t] == pytest.approx(h[j], abs=1e-6)
        assert shown["−ln p[target]"][t] == pytest.approx(-math.log(p["helo".index(target)]), abs=1e-6)
    assert f"= {loss:.4f} nats" in table.title


def test_the_lectures_own_logits() -> None:
    """A network made to give the logits of the lecture's drawing has the loss that those numbers have by hand."""
    by_hand = 0.0
    for logits, target in zip(LECTURE_LOGITS, "ello", strict=True):
        by_hand += math.log(sum(math.exp(y) for y in logits)) - logits["helo".index(target)]

    torch.manual_seed(0)
    model = hello.model(HelloOptions(hidden=4), {"word": "hello", "letters": "helo"}).double()
    ids = torch.tensor(["helo".index(letter) for letter in "hello"])[:, None]
    with torch.no_grad():
        h = model.read(ids[:-1], model.initial_state(1)).traces[0][0].output[:, 0]
        model.softmax.weight.copy_(torch.linalg.solve(h, torch.tensor(LECTURE_LOGITS, dtype=torch.float64)).T)
        model.softmax.bias.zero_()
        loss = model.loss(Batch({"symbols": ids[:-1], "targets": ids[1:]}), model.initial_state(1))
    assert float(loss.count) == 4
    assert float(loss.total) == pytest.approx(by_hand, rel=1e-6)


def test_it_learns_the_word_and_prints_all(tmp_path: Path) -> None:
    run = unrolled.train("hello", steps=200, threads=1, runs=str(tmp_path))
    assert run.sample("h", length=4, temperature=0) == "ello"
    assert run.evaluate()["loss on the word"] < 0.1
    printed = run.recipe.sample(run.model, run.assets, 0)
    assert "after 'h' it writes 'hello'" in printed
    for name in ("input letter", "x  h", "h  3", "y  o", "p  o", "target letter", "−ln p[target]", "U 1", "W 3", "V 4"):
        assert name in printed
    for size in ("U: 3 × 4", "W: 3 × 3", "b: 3", "V: 4 × 3", "c: 4"):
        assert size in printed


def test_another_word(tmp_path: Path) -> None:
    run = unrolled.train("hello", word="abracadabra", hidden=12, steps=400, threads=1, runs=str(tmp_path))
    assert run.sample("a", length=10, temperature=0) == "bracadabra"


def test_mistakes() -> None:
    with pytest.raises(OptionError, match="two letters"):
        HelloOptions(word="h")
    with pytest.raises(OptionError, match="one word"):
        HelloOptions(data="book.txt")
