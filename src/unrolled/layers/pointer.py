"""Pointing: a distribution over the places of a memory, as many as there happen to be, and an end.

    u_j = vᵀ tanh(W d + U e_j + b)        p(j) = softmax_j(u)        over the places j that are possible

e_j: what an encoder gave at place j, from 1; e_0, the end, is learnt. d: what a decoder gives now. Vinyals et al.
2015 (Pointer Networks, arXiv:1506.03134), eq. 3: the weights of additive attention are the answer itself, instead of
mixing the memory.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from unrolled.layers.attention import Attention, Memory

#: The place that ends an answer.
END = 0


class Pointer(nn.Module):
    """query_size: features of d. memory_size: features of e_j. hidden_size: units of the score's layer."""

    def __init__(self, query_size: int, memory_size: int, hidden_size: int) -> None:
        super().__init__()
        self.attention = Attention(query_size, memory_size, "additive", hidden_size)
        self.end = nn.Parameter(torch.zeros(memory_size))

    def prepare(self, memory: Tensor) -> Memory:
        """memory (N, B, memory_size) → the N + 1 places, made ready once for all queries."""
        end = self.end.to(memory.dtype).expand(1, memory.shape[1], -1)
        return self.attention.prepare(torch.cat([end, memory]))

    def forward(self, query: Tensor, memory: Memory) -> Tensor:
        """query (T, B, query_size) → u (T, B, N + 1)."""
        return self.attention.scores(query, memory)
