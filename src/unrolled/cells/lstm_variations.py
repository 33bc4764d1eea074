"""The LSTM with one thing changed: what its gates see, how many there are, how wide its hidden state is.

All keep the letters, the two states and the order of gates of `unrolled.cells.lstm`:

    i_t, f_t, o_t = σ(W h_{t-1} + U x_t + b)      c̃_t = tanh(W_c h_{t-1} + U_c x_t + b_c)
    c_t = f_t ∘ c_{t-1} + i_t ∘ c̃_t               h_t = o_t ∘ tanh c_t

Each class says where it differs. Greff et al. (2015), arXiv:1503.04069, compare the first three with the LSTM.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unrolled.cells.cell import LinearRecurrentCell, Step, fill_input_, fill_recurrent_, project_input
from unrolled.cells.lstm import LSTM, LSTMState, LSTMWeights
from unrolled.errors import ShapeError


class PeepholeLSTM(LSTM):
    """Gates see the cell state, each unit its own (Gers & Schmidhuber 2000, doi:10.1109/IJCNN.2000.861302).

        i_t = σ(… + p_i ∘ c_{t-1})    f_t = σ(… + p_f ∘ c_{t-1})    o_t = σ(… + p_o ∘ c_t)

    as Graves (2013), arXiv:1308.0850, writes it. The peepholes p start at zero, from where this is the LSTM.
    forget_bias: b_f at the start.
    Parameters: 4·H·(H + F + 1) + 3·H.
    """

    NAME = "peephole-lstm"

    def __init__(self, input_size: int, hidden_size: int, forget_bias: float = 1.0) -> None:
        super().__init__(input_size, hidden_size, forget_bias)
        self.p = nn.Parameter(torch.zeros(3 * hidden_size))

    def combine(self, u_t: Tensor, r: Tensor, state: LSTMState) -> Step:
        # Not in `recur`: a mask on the recurrent product is meant for h, and the output gate sees the new c.
        p_i, p_f, p_o = self.p.chunk(3)
        i, f, candidate, o = (u_t + r).chunk(4, -1)
        i, f = torch.sigmoid(i + p_i * state.cell), torch.sigmoid(f + p_f * state.cell)
        candidate = torch.tanh(candidate)
        c = f * state.cell + i * candidate
        o = torch.sigmoid(o + p_o * c)
        h = o * torch.tanh(c)
        return Step(h, LSTMState(h, c), {"input": i, "forget": f, "candidate": candidate, "output": o})


class _GatedCell(LinearRecurrentCell):
    """The two states, and weights for the blocks of `GATES`; a subclass combines them.

    recurrent_size: of the hidden state that comes round, H or fewer.
    """

    def __init__(self, input_size: int, hidden_size: int, recurrent_size: int) -> None:
        super().__init__(input_size, hidden_size)
        blocks = len(self.GATES)
        self.U = nn.Parameter(torch.empty(blocks * hidden_size, input_size))
        self.W = nn.Parameter(torch.empty(blocks * hidden_size, recurrent_size))
        self.b = nn.Parameter(torch.zeros(blocks * hidden_size))
        fill_input_(self.U, blocks)
        fill_recurrent_(self.W, blocks)

    def _open_forget_gate(self, forget_bias: float) -> None:
        with torch.no_grad():
            self.b.view(len(self.GATES), self.hidden_size)[self.GATES.index("forget")] = forget_bias

    def prepare(self) -> LSTMWeights:
        return LSTMWeights(self.U, self.W, self.b)

    def project(self, x: Tensor, weights: LSTMWeights, condition: Tensor | None = None) -> Tensor:
        return project_input(x, weights.U, weights.b)

    def initial_state(self, shape: Sequence[int], device: torch.device, dtype: torch.dtype) -> LSTMState:
        h = torch.zeros(*shape, self.output_size, device=device, dtype=dtype)
        return LSTMState(h, torch.zeros(*shape, self.hidden_size, device=device, dtype=dtype))

    def recur(self, state: LSTMState, weights: LSTMWeights) -> Tensor:
        return F.linear(state.hidden, weights.W)


class CoupledLSTM(_GatedCell):
    """What is forgotten makes room for what comes in: i_t = 1 − f_t, one gate fewer.

        c_t = f_t ∘ c_{t-1} + (1 − f_t) ∘ c̃_t

    "CIFG" in Greff et al. (2015). |c| stays below 1 if it starts there.
    forget_bias: b_f at the start.
    Parameters: 3·H·(H + F + 1).
    """

    NAME = "coupled-lstm"
    GATES = ("forget", "candidate", "output")

    def __init__(self, input_size: int, hidden_size: int, forget_bias: float = 1.0) -> None:
        super().__init__(input_size, hidden_size, hidden_size)
        self.forget_bias = forget_bias
        self._open_forget_gate(forget_bias)

    def combine(self, u_t: Tensor, r: Tensor, state: LSTMState) -> Step:
        f, candidate, o = (u_t + r).chunk(3, -1)
        f, candidate, o = torch.sigmoid(f), torch.tanh(candidate), torch.sigmoid(o)
        c = f * state.cell + (1 - f) * candidate
        h = o * torch.tanh(c)
        return Step(h, LSTMState(h, c), {"forget": f, "candidate": candidate, "output": o})


class NoForgetLSTM(_GatedCell):
    """The first LSTM (Hochreiter & Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735): f_t = 1, a cell never forgets.

        c_t = c_{t-1} + i_t ∘ c̃_t

    The paper squashes with 4σ(a) − 2 and 2σ(c) − 1; here both are tanh, so that it differs from the LSTM in one thing.
    Its gradient was cut within the gates; here it is whole.
    Parameters: 3·H·(H + F + 1).
    """

    NAME = "no-forget-lstm"
    GATES = ("input", "candidate", "output")

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size, hidden_size)

    def combine(self, u_t: Tensor, r: Tensor, state: LSTMState) -> Step:
        i, candidate, o = (u_t + r).chunk(3, -1)
        i, candidate, o = torch.sigmoid(i), torch.tanh(candidate), torch.sigmoid(o)
        c = state.cell + i * candidate
        h = o * torch.tanh(c)
        return Step(h, LSTMState(h, c), {"input": i, "candidate": candidate, "output": o})


class ProjectedLSTM(_GatedCell):
    """A wide memory behind a narrow door (Sak et al. 2014, arXiv:1402.1128, without its peepholes, as in torch).

        h_t = P (o_t ∘ tanh c_t)

    c has H units, h and the output have `projection_size`, so that W is (4·H, projection_size) and P is
    (projection_size, H). torch.nn.LSTM(F, H, proj_size=projection_size) is its twin.

    projection_size: from 1 to H − 1; None is half of H.
    forget_bias: b_f at the start.
    Parameters: 4·H·(projection_size + F + 1) + projection_size·H. Raises ShapeError for a projection_size out of range.
    """

    NAME = "projected-lstm"
    GATES = ("input", "forget", "candidate", "output")

    def __init__(
        self, input_size: int, hidden_size: int, projection_size: int | None = None, forget_bias: float = 1.0
    ) -> None:
        size = hidden_size // 2 if projection_size is None else projection_size
        if not 1 <= size < max(hidden_size, 2):
            raise ShapeError(f"projection_size of {type(self).__name__} was {size}; below hidden_size, {hidden_size}")
        super().__init__(input_size, hidden_size, size)
        self.projection_size = size
        self.forget_bias = forget_bias
        self._open_forget_gate(forget_bias)
        self.P = nn.Parameter(torch.empty(size, hidden_size))
        fill_recurrent_(self.P, 1)

    @property
    def output_size(self) -> int:
        return self.projection_size

    def combine(self, u_t: Tensor, r: Tensor, state: LSTMState) -> Step:
        i, f, candidate, o = (u_t + r).chunk(4, -1)
        i, f, candidate, o = torch.sigmoid(i), torch.sigmoid(f), torch.tanh(candidate), torch.sigmoid(o)
        c = f * state.cell + i * candidate
        h = F.linear(o * torch.tanh(c), self.P)
        return Step(h, LSTMState(h, c), {"input": i, "forget": f, "candidate": candidate, "output": o})

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, projection_size={self.projection_size}"
