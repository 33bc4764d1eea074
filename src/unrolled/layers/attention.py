"""Attention: at each step of a decoder, a mean of what an encoder wrote, weighted by how well each place answers.

    α_s = softmax_t score(e_t, d_s)        c_s = Σ_t α_st e_t

    dot        e_tᵀ d_s                            (Luong et al. 2015, arXiv:1508.04025)
    general    e_tᵀ W d_s                          (the same)
    additive   vᵀ tanh(W d_s + U e_t + b)          (Bahdanau et al. 2014, arXiv:1409.0473)
    coverage   vᵀ tanh(W d_s + U e_t + g C_st + b), with C_st = Σ_{r<s} α_rt: what has been looked at already
               (Tu et al. 2016, arXiv:1601.04811; See et al. 2017, arXiv:1704.04368)

e (T, B, E) memory, d (S, B, D) queries; places past a row's length get no weight and no gradient.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unrolled.errors import OptionError, ShapeError
from unrolled.kernels.kernel import past_length

Score = Literal["dot", "general", "additive"]


class Memory(NamedTuple):
    """What is looked at, made ready once for all queries. Batch first in each leaf: it may stand in a state.

    values: (B, T, E), zero past each length. keys: (B, T, K), what scores need of them.
    there: (B, T) bool, true up to each length.
    """

    values: Tensor
    keys: Tensor
    there: Tensor


class Attended(NamedTuple):
    """context: (S, B, E), the weighted means. weights: (S, B, T), each row's sum 1, or 0 where a length is 0."""

    context: Tensor
    weights: Tensor


class Attention(nn.Module):
    """Scores, weights and means.

    query_size: D. memory_size: E, equal to D for the score "dot".
    hidden_size: units of the additive score's layer.
    coverage: whether the additive score is told what has been looked at already.
    """

    def __init__(
        self,
        query_size: int,
        memory_size: int,
        score: Score = "general",
        hidden_size: int = 128,
        *,
        coverage: bool = False,
    ) -> None:
        super().__init__()
        if score not in get_args(Score):
            raise OptionError(f"a score is one of {', '.join(get_args(Score))}; {score!r} came")
        if score == "dot" and query_size != memory_size:
            raise ShapeError(
                f"the score dot needs queries and memory of one size; {query_size} and {memory_size} came. "
                "The score general takes any two"
            )
        if coverage and score != "additive":
            raise OptionError(f"coverage stands inside the additive score; with the score {score!r} there is none")
        self.query_size, self.memory_size = query_size, memory_size
        self.score: Score = score
        if score == "general":
            self.W = nn.Parameter(torch.empty(query_size, memory_size))
            nn.init.xavier_uniform_(self.W)
        elif score == "additive":
            self.W = nn.Parameter(torch.empty(hidden_size, query_size))
            self.U = nn.Parameter(torch.empty(hidden_size, memory_size))
            self.b = nn.Parameter(torch.zeros(hidden_size))
            self.v = nn.Parameter(torch.empty(hidden_size))
            nn.init.xavier_uniform_(self.W)
            nn.init.xavier_uniform_(self.U)
            nn.init.normal_(self.v, std=hidden_size**-0.5)
        self.g = nn.Parameter(torch.zeros(hidden_size)) if coverage else None

    def prepare(self, memory: Tensor, lengths: Tensor | None = None) -> Memory:
        """memory (T, B, E), lengths (B,) → what every query needs of it. What stands past a length is not read."""
        if memory.dim() != 3 or memory.shape[-1] != self.memory_size:
            raise ShapeError(f"memory must be (T, B, {self.memory_size}), time first; {tuple(memory.shape)} came")
        T, B, _ = memory.shape
        values = past_length(memory, lengths).transpose(0, 1).contiguous()
        if lengths is None:
            there = torch.ones(B, T, dtype=torch.bool, device=memory.device)
        else:
            there = torch.arange(T, device=memory.device) < lengths[:, None]
        match self.score:
            case "dot":
                keys = values
            case "general":
                keys = F.linear(values, self.W)
            case "additive":
                keys = F.linear(values, self.U, self.b)
        return Memory(values, keys, there)

    def scores(self, query: Tensor, memory: Memory, coverage: Tensor | None = None) -> Tensor:
        """query (S, B, D) → (S, B, T), −∞ past each length: logits over the places, for a pointer network as well.

        coverage: (B, T), the weights of all steps before; for a layer with coverage, and only for it.
        """
        B, T, _ = memory.values.shape
        if query.dim() != 3 or query.shape[1:] != (B, self.query_size):
            raise ShapeError(f"queries must be (S, {B}, {self.query_size}), time first; {tuple(query.shape)} came")
        if (coverage is None) != (self.g is None):
            raise ShapeError(
                "a layer with coverage must be given it, and one without takes none; "
                f"{'none' if coverage is None else tuple(coverage.shape)} came"
            )
        if self.score == "additive":
            keys = memory.keys
            if coverage is not None and self.g is not None:
                if coverage.shape != (B, T):
                    raise ShapeError(f"coverage must be ({B}, {T}); {tuple(coverage.shape)} came")
                keys = keys + coverage[..., None] * self.g
            scores = torch.tanh(F.linear(query, self.W)[:, :, None] + keys) @ self.v
        else:
            scores = (query.transpose(0, 1) @ memory.keys.transpose(1, 2)).transpose(0, 1)
        return scores.masked_fill(~memory.there, -torch.inf)

    def forward(self, query: Tensor, memory: Memory, coverage: Tensor | None = None) -> Attended:
        """query (S, B, D) → contexts (S, B, E) and the weights that made them; coverage as for `scores`."""
        scores = self.scores(query, memory, coverage)
        # A row with nothing in it has no softmax: its weights are zeros.
        scores = scores.masked_fill(~memory.there.any(-1, keepdim=True), 0)
        weights = scores.softmax(-1).masked_fill(~memory.there, 0)
        context = weights.transpose(0, 1).to(memory.values.dtype) @ memory.values
        return Attended(context.transpose(0, 1), weights)

    def extra_repr(self) -> str:
        return f"{self.query_size}, {self.memory_size}, {self.score!r}{', coverage' if self.g is not None else ''}"
