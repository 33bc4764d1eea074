"""Skip connections in time: the state also sees states further back, so that a gradient has a shorter way home.

    h_t = tanh(Σ_d W_d h_{t-d} + U x_t + b),       d in `distances`;  h is 0 before the start, output h_t

Delays as in NARX networks (Lin et al. 1996, doi:10.1109/72.548162), whose point this is: over n steps a gradient passes
through about n/d Jacobians instead of n. With the distances 1 and d it is the skip of Zhang et al. (2016),
arXiv:1602.08210, who measure it by a "recurrent skip coefficient".
Parameters: H·(D·H + F + 1) for D distances.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unrolled.cells.cell import LinearRecurrentCell, Step, fill_input_, fill_recurrent_, project_input
from unrolled.errors import OptionError


class TimeSkipState(NamedTuple):
    past: Tensor  # (B, longest distance, H), the newest state first


class TimeSkipWeights(NamedTuple):
    U: Tensor  # (H, F)
    W: Tensor  # (H, D·H), one block a distance, side by side
    b: Tensor  # (H)


class TimeSkip(LinearRecurrentCell):
    """Elman's network with more than one way back.

    distances: every d, each 1 or more and none twice. By default 1, 4 and 16: with steps of a fixed ratio, n steps
        are crossed in about n/16 + 6 jumps at most, where 1 and 16 alone would need up to 15 more for the rest, and
        a longer distance would see nothing but zeros in much of a window of some dozens of steps. W_d start
        orthogonal, divided by √D, so that D independent states of one length give a sum of that length.
        OptionError for another.

    The state is a line of the last states, moved on by one at each step. A ring with a pointer would save no copy:
    the old line has to stay for the gradient, and in a line all rows stand alike, however ragged they are.
    """

    NAME = "time-skip"
    GATES = ("candidate",)
    #: A unit that kept its old value at every place of the line would stand in the line twice.
    JOINT = ("past",)

    def __init__(self, input_size: int, hidden_size: int, distances: Sequence[int] = (1, 4, 16)) -> None:
        super().__init__(input_size, hidden_size)
        self.distances = tuple(distances)
        if not self.distances or min(self.distances) < 1 or len(set(self.distances)) < len(self.distances):
            raise OptionError(f"distances were {self.distances}; one at least, each 1 or more, and none twice")
        count = len(self.distances)
        self.U = nn.Parameter(torch.empty(hidden_size, input_size))
        self.W = nn.Parameter(torch.empty(hidden_size, count * hidden_size))
        self.b = nn.Parameter(torch.zeros(hidden_size))
        fill_input_(self.U, 1)
        for block in self.W.detach().chunk(count, 1):
            fill_recurrent_(block, 1)
            block.div_(count**0.5)

    def prepare(self) -> TimeSkipWeights:
        return TimeSkipWeights(self.U, self.W, self.b)

    def project(self, x: Tensor, weights: TimeSkipWeights, condition: Tensor | None = None) -> Tensor:
        return project_input(x, weights.U, weights.b)

    def initial_state(self, shape: Sequence[int], device: torch.device, dtype: torch.dtype) -> TimeSkipState:
        return TimeSkipState(torch.zeros(*shape, max(self.distances), self.hidden_size, device=device, dtype=dtype))

    def recur(self, state: TimeSkipState, weights: TimeSkipWeights) -> Tensor:
        seen = torch.cat([state.past[..., d - 1, :] for d in self.distances], -1)
        return F.linear(seen, weights.W)

    def combine(self, u_t: Tensor, r: Tensor, state: TimeSkipState) -> Step:
        h = torch.tanh(u_t + r)
        past = torch.cat([h.unsqueeze(-2).to(state.past.dtype), state.past[..., :-1, :]], -2)
        return Step(h, TimeSkipState(past), {"candidate": h})

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, distances={self.distances}"
