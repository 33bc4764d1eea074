"""Lines of tags, chosen one by one, or together: a conditional random field (Lafferty et al. 2001).

    s(y) = start[y_1] + Σ_t e_t[y_t] + Σ_{t>1} A[y_{t−1}, y_t] + end[y_T]          e_t: (K,), what the network says at t
    ln p(y) = s(y) − ln Z                       Z = Σ over all K^T lines of tags y of exp s(y)

    α_1 = start + e_1      α_t[j] = e_t[j] + ln Σ_i exp(α_{t−1}[i] + A[i, j])      ln Z = ln Σ_j exp(α_T[j] + end[j])

The best line (Viterbi 1967) has max in the place of ln Σ exp. A marginal, p(y_t = k), is ∂ ln Z / ∂ e_t[k].
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from unrolled.batch import NOT_ASKED, Ragged
from unrolled.errors import ShapeError
from unrolled.kernels.kernel import past_length


class TagLine(nn.Module, ABC):
    """What can be said of lines of tags, y_1 … y_T, each one of K.

    Emissions are (T, B, K), lengths (B,) from 0 to T, or None where all are T; what stands past a length changes
    nothing. A line of length 0 has ln p = 0. Arithmetic is in float32 at least.
    """

    def __init__(self, tags: int) -> None:
        super().__init__()
        if tags < 1:
            raise ShapeError(f"lines are of one tag or more; {tags} came")
        self.tags = tags

    @abstractmethod
    def log_likelihood(self, emissions: Tensor, tags: Tensor, lengths: Tensor | None = None) -> Tensor:
        """ln p of tags (T, B) int64, (B,)."""

    @abstractmethod
    def best(self, emissions: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(T, B) int64: the likeliest line of tags, NOT_ASKED past its length."""

    @abstractmethod
    def marginals(self, emissions: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(T, B, K): p(y_t = k), zero past a length; without gradients."""

    def prepared(self, emissions: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
        """Both as they are computed with: nothing past a length, and a length for each line."""
        if emissions.dim() != 3 or emissions.shape[2] != self.tags or not len(emissions):
            raise ShapeError(
                f"emissions (T, B, {self.tags}) with T of 1 or more were expected; {tuple(emissions.shape)} came"
            )
        emissions = emissions.to(torch.promote_types(emissions.dtype, torch.float32))
        if lengths is None:
            lengths = torch.full(emissions.shape[1:2], emissions.shape[0], device=emissions.device)
        return past_length(emissions, lengths), lengths


class OneByOne(TagLine):
    """Tags that are chosen one by one: ln p(y) = Σ_t ln softmax(e_t)[y_t]."""

    def log_likelihood(self, emissions: Tensor, tags: Tensor, lengths: Tensor | None = None) -> Tensor:
        emissions, lengths = self.prepared(emissions, lengths)
        own = emissions.log_softmax(-1).gather(2, past_length(tags, lengths)[..., None])[..., 0]
        return past_length(own, lengths).sum(0)

    def best(self, emissions: Tensor, lengths: Tensor | None = None) -> Tensor:
        emissions, lengths = self.prepared(emissions, lengths)
        return emissions.argmax(-1).masked_fill(~Ragged(emissions, lengths).mask(), NOT_ASKED)

    def marginals(self, emissions: Tensor, lengths: Tensor | None = None) -> Tensor:
        emissions, lengths = self.prepared(emissions.detach(), lengths)
        return past_length(emissions.softmax(-1), lengths)


class CRF(TagLine):
    """Tags that are chosen together; all transitions begin as likely as each other."""

    def __init__(self, tags: int) -> None:
        super().__init__(tags)
        self.start = nn.Parameter(torch.zeros(tags))
        self.A = nn.Parameter(torch.zeros(tags, tags))  # from i (row) to j (column)
        self.end = nn.Parameter(torch.zeros(tags))

    def log_partition(self, emissions: Tensor, lengths: Tensor | None = None) -> Tensor:
        """ln Z, (B,)."""
        return self._log_partition(*self.prepared(emissions, lengths))

    def log_likelihood(self, emissions: Tensor, tags: Tensor, lengths: Tensor | None = None) -> Tensor:
        emissions, lengths = self.prepared(emissions, lengths)
        return self._score(emissions, tags, lengths) - self._log_partition(emissions, lengths)

    def marginals(self, emissions: Tensor, lengths: Tensor | None = None) -> Tensor:
        with torch.inference_mode(False), torch.enable_grad():
            e = emissions.detach().clone().requires_grad_()
            return torch.autograd.grad(self.log_partition(e, None if lengths is None else lengths.clone()).sum(), e)[0]

    def best(self, emissions: Tensor, lengths: Tensor | None = None) -> Tensor:
        emissions, lengths = self.prepared(emissions.detach(), lengths)
        T, _, K = emissions.shape
        stay = torch.arange(K, device=emissions.device)
        A, delta = self.A.detach(), self.start.detach() + emissions[0]
        came_from = []
        for t in range(1, T):
            highest, place = (delta[:, :, None] + A).max(1)
            inside = (t < lengths)[:, None]
            # Past its length a line stays where it is, so that its last tag is found at T all the same.
            delta = torch.where(inside, highest + emissions[t], delta)
            came_from.append(torch.where(inside, place, stay))
        tag = (delta + self.end.detach()).argmax(1)
        line = [tag]
        for pointers in reversed(came_from):
            tag = pointers.gather(1, tag[:, None])[:, 0]
            line.append(tag)
        return torch.stack(line[::-1]).masked_fill(~Ragged(emissions, lengths).mask(), NOT_ASKED)

    def _score(self, emissions: Tensor, tags: Tensor, lengths: Tensor) -> Tensor:
        """s(y), (B,)."""
        inside = Ragged(emissions, lengths).mask().to(emissions.dtype)
        tags = past_length(tags, lengths)  # what stands there need not be a tag
        own = (emissions.gather(2, tags[..., None])[..., 0] * inside).sum(0)
        steps = (self.A[tags[:-1], tags[1:]] * inside[1:]).sum(0)
        last = tags.gather(0, (lengths - 1).clamp(min=0)[None])[0]
        return own + steps + (self.start[tags[0]] + self.end[last]) * inside[0]

    def _log_partition(self, emissions: Tensor, lengths: Tensor) -> Tensor:
        alpha = self.start + emissions[0]
        for t in range(1, emissions.shape[0]):
            following = (alpha[:, :, None] + self.A).logsumexp(1) + emissions[t]
            alpha = torch.where((t < lengths)[:, None], following, alpha)
        return (alpha + self.end).logsumexp(1) * (lengths > 0)
