"""How layers stand on each other: what each reads of those below, and what comes out on top.

    plain      x_l = y_{l-1}                 y_l = h_l                          out = y_L
    residual   x_l = y_{l-1}                 y_l = h_l + y_{l-1} from l = 2     out = y_L
    dense      x_l = [x; y_1; …; y_{l-1}]    y_l = h_l                          out = [y_1; …; y_L]

h_l is what the cells of layer l give for x_l; the input x is x_1; [a; b] are features side by side. Residual is He et
al. 2015 (arXiv:1512.03385), between recurrent layers as in Wu et al. 2016 (arXiv:1609.08144). Dense is Graves 2013
(arXiv:1308.0850): from the input to every layer, and from every layer to the output. Dropout between layers falls on
the y that a layer reads; neither on x, nor on the y that a residual layer adds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from unrolled import states
from unrolled.cells.cell import Cell, is_symbols
from unrolled.errors import OptionError
from unrolled.kernels.kernel import Stepper, past_length
from unrolled.layers import zoneout
from unrolled.layers.zoneout import Rates
from unrolled.states import State

Connections = Literal["plain", "residual", "dense"]


def check(connections: Connections) -> None:
    """OptionError unless this is one of the three."""
    if connections not in get_args(Connections):
        raise OptionError(f"connections are one of {', '.join(get_args(Connections))}; {connections!r} came")


def width_below(connections: Connections, widths: Sequence[int]) -> int:
    """Features of the y that the next layer reads, where those below it give `widths`."""
    return sum(widths if connections == "dense" else widths[-1:])


def check_sum(connections: Connections, width: int, widths: Sequence[int]) -> None:
    """OptionError where a layer of `width` has to be added to a y of another."""
    if connections == "residual" and widths and width != widths[-1]:
        raise OptionError(
            f"a residual layer adds what it reads to what it gives, so all layers must be of one width: layer "
            f"{len(widths)} gives {widths[-1]} features, layer {len(widths) + 1} {width}. Give them equal sizes, or "
            "take dense connections, which stand side by side"
        )


def read(
    connections: Connections,
    x: Tensor,
    below: Sequence[Tensor],
    lengths: Tensor | None,
    symbols: int,
    mask: Tensor | None,
) -> Tensor:
    """What the next layer reads: x (T, B, F) or whole numbers (T, B) below `symbols`, and the y of the layers below.

    mask: (T, B, ..., features of the y that it reads).
    """
    if not below:
        return x
    y = torch.cat(list(below), -1) if connections == "dense" else below[-1]
    if mask is not None:
        y = y * mask.to(y.dtype)
    if connections != "dense":
        return y
    if is_symbols(x):
        x = F.one_hot(past_length(x, lengths).long(), symbols).to(y.dtype)
    return torch.cat([x, y], -1)


def give(connections: Connections, h: Tensor, below: Sequence[Tensor]) -> Tensor:
    """y of a layer, from what its cells give and the y of the layers below."""
    return h + below[-1] if connections == "residual" and below else h


def out(connections: Connections, given: Sequence[Tensor]) -> Tensor:
    """The stack's output, from the y of all layers."""
    return torch.cat(list(given), -1) if connections == "dense" and len(given) > 1 else given[-1]


class StackStepper:
    """A stack of one direction, one step a call, as in evaluation: no dropout, zoneout's expectation.

    The state is that of the stack. input_size: F, or the number of symbols.
    """

    def __init__(
        self,
        steppers: Sequence[tuple[Cell, Stepper]],
        connections: Connections,
        input_size: int,
        zoneout_rates: Rates,
    ) -> None:
        self.steppers = steppers
        self.connections: Connections = connections
        self.input_size = input_size
        self.zoneout_rates = zoneout_rates

    def __call__(self, x_t: Tensor, state: State, condition: Tensor | None = None) -> tuple[Tensor, State]:
        """x_t (B, F) or symbols (B,), the stack's state → output (B, output_size), the new state."""
        new, given = [], []
        for (cell, stepper), (before,) in zip(self.steppers, state, strict=True):
            kept = zoneout.expected(cell, before, self.zoneout_rates, 1)
            now = None if kept is None else states.map_state(lambda leaf: None if leaf is None else leaf[0], kept)
            x = read(self.connections, x_t[None], [y[None] for y in given], None, self.input_size, None)[0]
            h, after, _ = stepper(x, before, condition, now)
            given.append(give(self.connections, h, given))
            new.append((after,))
        return out(self.connections, given), tuple(new)
