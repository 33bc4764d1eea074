"""The two recurrences of xLSTM: Beck et al. (2024), arXiv:2405.04517.

sLSTM has exponential input gates, and a normaliser state that holds what they sum to:

    i_t = exp ĩ_t,  f_t = σ(f̃_t),  z_t = tanh z̃_t,  o_t = σ(õ_t)       with (ĩ, f̃, z̃, õ)_t = W h_{t-1} + U x_t + b
    c_t = f_t ∘ c_{t-1} + i_t ∘ z_t                  cell state
    n_t = f_t ∘ n_{t-1} + i_t                        normaliser
    h_t = o_t ∘ c_t / n_t                            hidden state and output

mLSTM has a matrix for a memory in each of its heads, of d units, written by keys and read by queries; its gates are one
number a head and see x alone:

    q_t = W_q x_t + b_q,  k_t = W_k x_t/√d + b_k,  v_t = W_v x_t + b_v        query, key and value of each head (d)
    i_t = exp(w_i x_t + b_i),  f_t = σ(w_f x_t + b_f),  o_t = σ(W_o x_t + b_o)
    C_t = f_t C_{t-1} + i_t v_t k_tᵀ                 memory (d, d)
    n_t = f_t n_{t-1} + i_t k_t                      normaliser (d)
    h_t = o_t ∘ C_t q_t / max(|n_tᵀ q_t|, 1)         output

Exponentials overflow, so both keep a stabiliser, m_t = max(log f_t + m_{t-1}, log i_t), and c, C and n in units of e^m:
the gates that act, and that a step gives, are i′_t = exp(log i_t − m_t) and f′_t = exp(log f_t + m_{t-1} − m_t), and
the 1 in mLSTM's denominator becomes e^{−m_t}. h is the same for every m.
Forget gates are sigmoids here (the paper leaves σ or exp open). Their biases start evenly between 3 and 6, over mLSTM's
heads as in the authors' code and over sLSTM's units, so that short and long memories stand side by side.

Only the recurrences stand here. What the paper puts around them (projections up and down, a convolution before some of
the gates, a norm for each head, a gated MLP) are blocks of their own.
Parameters: 4·H·(F + H/heads + 1) for sLSTM; 4·H·(F + 1) + 2·heads·(F + 1) for mLSTM.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unrolled.cells.cell import Cell, LinearRecurrentCell, Step, fill_input_, fill_recurrent_, project_input
from unrolled.errors import ShapeError

#: Where forget biases start.
LEAST, MOST = 3.0, 6.0
#: m of a memory that holds nothing yet: log of a weight that is 0 in every number type.
NOTHING = -1e4


def _heads(cell: str, hidden_size: int, heads: int | None) -> int:
    """The paper's 4, or fewer where H does not divide by 4, unless the caller says how many."""
    heads = math.gcd(4, hidden_size) if heads is None else heads
    if heads < 1 or hidden_size % heads:
        raise ShapeError(f"{cell} splits its {hidden_size} units among its heads evenly; {heads} heads came")
    return heads


class SLSTMState(NamedTuple):
    hidden: Tensor  # (B, H)
    cell: Tensor  # (B, H), c in units of e^m
    normaliser: Tensor  # (B, H), n in units of e^m: 1 or more from the first step on
    stabiliser: Tensor  # (B, H), m


class SLSTMWeights(NamedTuple):
    U: Tensor  # (4·H, F)
    W: Tensor  # (4, heads, d, d)
    b: Tensor  # (4·H)


class SLSTM(LinearRecurrentCell):
    """sLSTM. Gate blocks stand in the order of `GATES`.

    heads: recurrent weights connect the units of one head (block-diagonal); 1 connects all. Unsaid, it is the paper's
        4, or the 2 or 1 that divides H.
    """

    NAME = "slstm"
    GATES = ("input", "forget", "candidate", "output")
    JOINT = ("cell", "normaliser", "stabiliser")

    def __init__(self, input_size: int, hidden_size: int, heads: int | None = None) -> None:
        super().__init__(input_size, hidden_size)
        self.heads = _heads("SLSTM", hidden_size, heads)
        self.U = nn.Parameter(torch.empty(4 * hidden_size, input_size))
        self.W = nn.Parameter(torch.empty(4 * hidden_size, hidden_size // self.heads))
        self.b = nn.Parameter(torch.zeros(4 * hidden_size))
        fill_input_(self.U, 4)
        fill_recurrent_(self.W, 4 * self.heads)
        with torch.no_grad():
            self.b.view(4, hidden_size)[self.GATES.index("forget")] = torch.linspace(LEAST, MOST, hidden_size)

    def prepare(self) -> SLSTMWeights:
        width = self.hidden_size // self.heads
        return SLSTMWeights(self.U, self.W.view(4, self.heads, width, width), self.b)

    def project(self, x: Tensor, weights: SLSTMWeights, condition: Tensor | None = None) -> Tensor:
        return project_input(x, weights.U, weights.b)

    def initial_state(self, shape: Sequence[int], device: torch.device, dtype: torch.dtype) -> SLSTMState:
        zeros = torch.zeros(*shape, self.hidden_size, device=device, dtype=dtype)
        return SLSTMState(zeros, zeros.clone(), zeros.clone(), torch.full_like(zeros, NOTHING))

    def recur(self, state: SLSTMState, weights: SLSTMWeights) -> Tensor:
        by_head = state.hidden.unflatten(-1, (self.heads, -1))
        return torch.einsum("ghij,...hj->...ghi", weights.W, by_head).flatten(-3)

    def combine(self, u_t: Tensor, r: Tensor, state: SLSTMState) -> Step:
        log_i, f, z, o = (u_t + r).chunk(4, -1)
        log_f = F.logsigmoid(f) + state.stabiliser
        m = torch.maximum(log_f, log_i)
        i, f, z, o = torch.exp(log_i - m), torch.exp(log_f - m), torch.tanh(z), torch.sigmoid(o)
        c = f * state.cell + i * z
        n = f * state.normaliser + i
        h = o * c / n
        return Step(h, SLSTMState(h, c, n, m), {"input": i, "forget": f, "candidate": z, "output": o})

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, heads={self.heads}"


class MLSTMState(NamedTuple):
    memory: Tensor  # (B, heads, d, d), C in units of e^m: values by keys
    normaliser: Tensor  # (B, heads, d), n in units of e^m
    stabiliser: Tensor  # (B, heads), m


class MLSTMWeights(NamedTuple):
    U: Tensor  # (4·H, F), the keys' block divided by √d
    b: Tensor  # (4·H)
    U_gates: Tensor  # (2·heads, F)
    b_gates: Tensor  # (2·heads)


class MLSTMInput(NamedTuple):
    query: Tensor  # (T, B, heads, d)
    key: Tensor  # (T, B, heads, d)
    value: Tensor  # (T, B, heads, d)
    output: Tensor  # o, (T, B, heads, d)
    log_i: Tensor  # (T, B, heads)
    log_f: Tensor  # (T, B, heads)


class MLSTM(Cell):
    """mLSTM, one step a time; `unrolled.kernels.chunked` runs whole sequences of it.

    Blocks of U and b stand in the order of the first four of `GATES`; those of U_gates and b_gates, of a row for each
    head, in that of the last two.

    heads: H/heads = d units each, so the memories hold H·d numbers a row. Unsaid, it is the paper's 4, or the 2 or 1
        that divides H.
    """

    NAME = "mlstm"
    GATES = ("query", "key", "value", "output", "input", "forget")
    JOINT = ("memory", "normaliser", "stabiliser")

    def __init__(self, input_size: int, hidden_size: int, heads: int | None = None) -> None:
        super().__init__(input_size, hidden_size)
        self.heads = _heads("MLSTM", hidden_size, heads)
        self.U = nn.Parameter(torch.empty(4 * hidden_size, input_size))
        self.b = nn.Parameter(torch.zeros(4 * hidden_size))
        self.U_gates = nn.Parameter(torch.empty(2 * self.heads, input_size))
        self.b_gates = nn.Parameter(torch.cat([torch.zeros(self.heads), torch.linspace(LEAST, MOST, self.heads)]))
        fill_input_(self.U, 4)
        fill_input_(self.U_gates, 2)

    def prepare(self) -> MLSTMWeights:
        query, key, value, output = self.U.chunk(4)
        U = torch.cat([query, key * (self.hidden_size // self.heads) ** -0.5, value, output])
        return MLSTMWeights(U, self.b, self.U_gates, self.b_gates)

    def project(self, x: Tensor, weights: MLSTMWeights, condition: Tensor | None = None) -> MLSTMInput:
        u = project_input(x, weights.U, weights.b).unflatten(-1, (4, self.heads, -1))
        query, key, value, output = u.unbind(-3)
        # What stands in exponents is kept in full where autocast narrows the products.
        log_i, f = project_input(x, weights.U_gates, weights.b_gates).to(self.b.dtype).chunk(2, -1)
        return MLSTMInput(query, key, value, torch.sigmoid(output), log_i, F.logsigmoid(f))

    def initial_state(self, shape: Sequence[int], device: torch.device, dtype: torch.dtype) -> MLSTMState:
        width = self.hidden_size // self.heads
        memory = torch.zeros(*shape, self.heads, width, width, device=device, dtype=dtype)
        return MLSTMState(memory, memory[..., 0].clone(), memory[..., 0, 0].clone())

    def step(self, u_t: MLSTMInput, state: MLSTMState, weights: MLSTMWeights) -> Step:
        query, key, value, output, log_i, log_f = u_t
        m = torch.maximum(log_f + state.stabiliser, log_i)
        i, f = torch.exp(log_i - m), torch.exp(log_f + state.stabiliser - m)
        taken = i[..., None] * key
        memory = f[..., None, None] * state.memory + value[..., :, None] * taken[..., None, :]
        n = f[..., None] * state.normaliser + taken
        read = torch.matmul(memory, query.to(memory.dtype)[..., None])[..., 0]
        h = output * read / denominator((n * query).sum(-1), m)[..., None]
        gates = {"query": query, "key": key, "value": value, "output": output, "input": i, "forget": f}
        return Step(h.flatten(-2), MLSTMState(memory, n, m), gates)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, heads={self.heads}"


def denominator(overlap: Tensor, m: Tensor) -> Tensor:
    """max(|nᵀ q|, 1) in units of e^m, of n and q in theirs: overlap (…) their product, m (…)."""
    # Beyond e^80 the output is zero to every digit, and float32 has no number for the bound.
    return torch.maximum(overlap.abs(), torch.exp(-m.clamp(min=-80)))
