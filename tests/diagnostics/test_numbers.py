"""Every number of an unrolled network, against the equations in NumPy. One layer: tests/recipes/test_hello.py."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from unrolled.cells.elman import Elman
from unrolled.diagnostics.numbers import step_table, weight_tables
from unrolled.errors import DataError
from unrolled.models.language_model import LanguageModel


def test_two_layers_and_an_embedding() -> None:
    model = LanguageModel(Elman, 3, 2, (4, 5)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
    symbols = [2, 0, 0, 1]
    table = step_table(model, torch.tensor(symbols), "abc")
    shown = {row[0]: row[1:] for row in table.rows}
    assert table.columns == ("", "step 1", "step 2", "step 3")
    assert shown["input letter"] == ("c", "a", "a") and shown["target letter"] == ("a", "a", "b")
    assert shown["x  c"] == (1, 0, 0) and shown["x  a"] == (0, 1, 1)

    assert model.embedding is not None
    E, V, c = (p.detach().numpy() for p in (model.embedding.weight, model.softmax.weight, model.softmax.bias))
    layers = [[cell.get_parameter(name).detach().numpy() for name in "UWb"] for (cell,) in model.recurrent.cells()]
    states, loss = [np.zeros(4), np.zeros(5)], 0.0
    for t in range(3):
        below = E[symbols[t]]
        for number, (U, W, b) in enumerate(layers):
            below = states[number] = np.tanh(W @ states[number] + U @ below + b)
            for j, value in enumerate(below, 1):
                assert shown[f"h{number + 1}  {j}"][t] == pytest.approx(value, abs=1e-6)
        y = V @ below + c
        p = np.exp(y) / np.exp(y).sum()
        for k, name in enumerate("abc"):
            assert shown[f"y  {name}"][t] == pytest.approx(y[k], abs=1e-6)
            assert shown[f"p  {name}"][t] == pytest.approx(p[k], abs=1e-6)
        assert shown["−ln p[target]"][t] == pytest.approx(-math.log(p[symbols[t + 1]]), abs=1e-6)
        loss -= math.log(p[symbols[t + 1]])
    assert table.title == f"loss = −Σ ln p[target] = {loss:.4f} nats"


def test_one_symbol_is_too_few() -> None:
    with pytest.raises(DataError, match="2 symbols or more"):
        step_table(LanguageModel(Elman, 3, 2, (4,)), torch.tensor([1]), "abc")


def test_the_weights_of_two_layers_carry_their_number() -> None:
    model = LanguageModel(Elman, 3, 2, (4, 5))
    tables = {table.title: table for table in weight_tables(model)}
    assert list(tables) == [
        *("E: 3 × 2", "U1: 4 × 2", "W1: 4 × 4", "b1: 4", "U2: 5 × 4", "W2: 5 × 5", "b2: 5", "V: 3 × 5", "c: 3"),
    ]
    ((first,), (second,)) = model.recurrent.cells()
    for title, weight in (("W1: 4 × 4", first.W), ("U2: 5 × 4", second.U), ("V: 3 × 5", model.softmax.weight)):
        letter = title.split(":")[0]
        assert tables[title].columns == ("", *(str(j + 1) for j in range(weight.shape[1])))
        assert [row[0] for row in tables[title].rows] == [f"{letter} {i + 1}" for i in range(weight.shape[0])]
        assert [list(row[1:]) for row in tables[title].rows] == weight.tolist()
    assert [row[1] for row in tables["c: 3"].rows] == model.softmax.bias.tolist()
