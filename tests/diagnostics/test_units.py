"""What units did, against the cell unrolled in NumPy, for several layers, cells and windows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from unrolled.cells.cell import DiagonalCell
from unrolled.cells.gru import GRU
from unrolled.cells.lstm import LSTM
from unrolled.diagnostics import units
from unrolled.errors import DataError, OptionError
from unrolled.models.language_model import LanguageModel

SYMBOLS = torch.tensor([0, 3, 3, 1, 4, 2, 0, 1])


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


@pytest.mark.parametrize("window", [1, 3, 512])
def test_an_lstm_of_two_layers_is_what_numpy_unrolls(window, monkeypatch):
    monkeypatch.setattr(units, "WINDOW", window)
    model = LanguageModel(LSTM, 5, 4, (6, 3), dropout=0.5)
    model.train()
    found = units.activity(model, SYMBOLS)
    assert model.training
    assert [list(layer) for layer in found] == [["hidden", "cell", "input", "forget", "candidate", "output"]] * 2
    weights = {name: value.detach().double().numpy() for name, value in model.state_dict().items()}
    x = weights["embedding.weight"][SYMBOLS.numpy()]
    for number, size in enumerate((6, 3)):
        U, W, b = (weights[f"recurrent.layers.{number}.0.{letter}"] for letter in "UWb")
        h, c, rows = np.zeros(size), np.zeros(size), []
        for x_t in x:
            i, f, g, o = np.split(U @ x_t + W @ h + b, 4)
            i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
            c = f * c + i * g
            h = o * np.tanh(c)
            rows.append((h, c, i, f, g, o))
        for name, wanted in zip(found[number], zip(*rows, strict=True), strict=True):
            np.testing.assert_allclose(found[number][name].numpy(), np.stack(wanted), atol=1e-6)
        x = found[number]["hidden"].double().numpy()


class Turning(DiagonalCell):
    """A complex state, which is one tensor without a name, and a gate that is called as it is shown."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.U = nn.Parameter(torch.randn(hidden_size, input_size))

    def prepare(self):
        return None

    def project(self, x, weights, condition=None):
        return nn.functional.linear(nn.functional.one_hot(x, self.input_size).to(self.U.dtype), self.U)

    def initial_state(self, shape, device, dtype):
        return torch.zeros(*shape, self.hidden_size, device=device, dtype=dtype.to_complex())

    def coefficients(self, u):
        return torch.full_like(u, 0.5).to(u.dtype.to_complex()) * 1j, u.to(u.dtype.to_complex())

    def readout(self, h, u):
        return h.real + h.imag

    def step(self, u_t, state, weights):
        return super().step(u_t, state, weights)._replace(gates={"state": u_t})


def test_a_complex_state_without_a_name_has_two_parts_and_gates_keep_their_own():
    model = LanguageModel(Turning, 5, 0, (3,))
    (layer,) = units.activity(model, SYMBOLS)
    assert list(layer) == ["state real", "state imaginary", "state gate"]
    (cell,) = model.recurrent.cells()[0]
    h, U = np.zeros(3, complex), cell.U.detach().double().numpy()
    for t, symbol in enumerate(SYMBOLS.tolist()):
        h = 0.5j * h + U[:, symbol]
        np.testing.assert_allclose(layer["state real"][t].numpy(), h.real, atol=1e-6)
        np.testing.assert_allclose(layer["state imaginary"][t].numpy(), h.imag, atol=1e-6)
        np.testing.assert_allclose(layer["state gate"][t].numpy(), U[:, symbol], atol=1e-6)


def test_a_unit_over_a_text_and_all_of_them():
    model = LanguageModel(GRU, 5, 4, (6,))
    layers = units.activity(model, SYMBOLS)
    name, values = units.find_signal(layers, 1)
    assert name == "hidden"
    one = units.unit_text(units.find_unit(values, 2), "addbecab", "t", "hidden")
    assert one.values == pytest.approx(values[:, 1].tolist())
    assert "".join(one.tokens) == "addbecab"
    reach = values[:, 1].abs().max().item()
    assert one.scale == pytest.approx((-reach, reach))
    every = units.unit_map(values, "addbecab", "t", "hidden")
    assert np.array(every.values) == pytest.approx(values.t().numpy())
    assert every.rows[0] == "1" and every.rows[-1] == "6" and "".join(every.columns) == "addbecab"

    gate = units.unit_text(torch.tensor([0.25, 0.5, 0.75]), "abc", "t", "update")
    assert gate.scale == (0.25, 0.75)
    assert units.unit_text(torch.tensor([0.5, 0.5]), "ab", "t", "update").scale == (0.0, 1.0)


def test_what_is_not_there():
    model = LanguageModel(GRU, 5, 4, (6,))
    layers = units.activity(model, SYMBOLS)
    with pytest.raises(OptionError, match=r"--layer 2: the network has 1 layer, counted from 1"):
        units.find_signal(layers, 2)
    with pytest.raises(OptionError, match=r"--layer 0"):
        units.find_signal(layers, 0)
    with pytest.raises(OptionError, match=r"--gate updat: .* Did you mean 'update'\? It has hidden, reset, update"):
        units.find_signal(layers, 1, "updat")
    with pytest.raises(OptionError, match=r"--unit 7: there are 6 units"):
        units.find_unit(layers[0]["hidden"], 7)
    with pytest.raises(DataError, match="1 symbol or more"):
        units.activity(model, SYMBOLS[:0])
