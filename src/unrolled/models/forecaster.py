"""Forecasts of a series out of its last values, each a normal distribution.

    h = network(x_1 … x_W)            a recurrent stack's last output, an MLP or a CNN over the window
    μ_k = x_W + (V h + c)_k           σ_k = softplus((V′ h + c′)_k)            k = 1 … K steps ahead
    loss = Σ_k −ln N(y_k; μ_k, σ_k²)  in nats, of scaled values, summed over those that were observed

Direct: K is the horizon, and every step ahead has outputs of its own. Recursive: K = 1, and further steps are forecast
from the forecasts before them; what may then come is drawn, path by path.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unrolled.batch import Batch
from unrolled.cells.cell import Cell
from unrolled.errors import OptionError, ShapeError
from unrolled.kernels import choose
from unrolled.layers.dropout import Dropout
from unrolled.layers.recurrent import Recurrent
from unrolled.layers.window import WindowCNN, WindowMLP
from unrolled.models.language_model import at_least_float32
from unrolled.models.model import Loss, Model, check_needs
from unrolled.states import State

Network = Literal["rnn", "mlp", "cnn"]

#: Below this spread, in units of the training part's own, two forecasts are the same number.
LEAST_SPREAD = 1e-4
#: The value's place among the features of a step; sine and cosine of its phase stand behind it.
VALUE = 0


class Normal(NamedTuple):
    """Means and standard deviations, (K, B) each."""

    mean: Tensor
    sd: Tensor


class Forecaster(Model):
    """cell: called as cell(input_size, hidden_size), for the network "rnn".

    input_size: F, features of a step: the value first. window: W. sizes: hidden units of each recurrent layer; the MLP
    and the CNN take the last. horizon: K; 1 for recursive forecasts.

    Batches have the fields of data/windows.py: `inputs`, `phases`, `targets`, `asked`.
    """

    def __init__(
        self,
        cell: Callable[[int, int], Cell],
        input_size: int,
        window: int,
        sizes: Sequence[int],
        horizon: int,
        *,
        network: Network = "rnn",
        dropout: float = 0.0,
        kernel: str = choose.AUTO,
    ) -> None:
        super().__init__()
        self.input_size, self.window, self.horizon = input_size, window, horizon
        self.recurrent, self.over_window = None, None
        match network:
            case "rnn":
                self.recurrent = Recurrent(cell, input_size, sizes, dropout=dropout, kernel=kernel)
                check_needs(self.recurrent)
                size = self.recurrent.output_size
            case "mlp" | "cnn":
                kind = WindowMLP if network == "mlp" else WindowCNN
                self.over_window = kind(window, input_size, sizes[-1])
                size = sizes[-1]
            case _:
                raise OptionError(f"a network is one of rnn, mlp, cnn; {network!r} came")
        self.dropout = Dropout(dropout)
        self.output = nn.Linear(size, 2 * horizon)
        # At first: what was last will stay, give or take a spread.
        nn.init.zeros_(self.output.weight)
        with torch.no_grad():
            self.output.bias.copy_(torch.tensor([0.0, 0.5]).repeat_interleave(horizon))

    def initial_state(self, batch_size: int) -> State:
        """Nothing is carried from window to window."""
        return ()

    def loss(self, batch: Batch, state: State) -> Loss:
        """−Σ ln N of what was observed, and how many values that is."""
        mean, sd = self.predict(batch)
        targets, asked = batch.tensor("targets")[: self.horizon], batch.tensor("asked")[: self.horizon]
        nats = F.gaussian_nll_loss(mean, targets.to(mean.dtype), sd**2, full=True, reduction="none", eps=0.0)
        return Loss(nats[asked].sum(), asked.sum().to(mean.dtype), (), {})

    def predict(self, batch: Batch) -> Normal:
        """The distributions of the first `horizon` values after each window, (K, B)."""
        return self.ahead(batch.tensor("inputs"))

    def ahead(self, x: Tensor) -> Normal:
        """Windows x (W, B, F) → (K, B)."""
        if self.recurrent is not None:
            h = self.recurrent(x)[0][-1]
        else:
            assert self.over_window is not None  # one of the two is there
            h = self.over_window(x)
        change, spread = at_least_float32(self.output(self.dropout(h[None])[0])).T.chunk(2)
        return Normal(x[-1, :, VALUE] + change, F.softplus(spread) + LEAST_SPREAD)

    def recursive(self, x: Tensor, phases: Tensor, noise: Tensor | None = None) -> Tensor:
        """Windows x (W, B, F), phases (K, B, F − 1) of the times to come → K values one after the other, (K, B).

        Each is forecast from a window that ends with those before it. noise: (K, B), standard normal, draws a path;
        without it each value is the mean.
        """
        if phases.shape[-1] != self.input_size - 1:
            raise ShapeError(f"phases of {self.input_size - 1} features were expected; {tuple(phases.shape)} came")
        values = []
        for k, phase in enumerate(phases):
            mean, sd = (one[0] for one in self.ahead(x))
            values.append(mean if noise is None else mean + sd * noise[k])
            x = torch.cat([x[1:], torch.cat([values[-1][:, None].to(x.dtype), phase], -1)[None]])
        return torch.stack(values)
