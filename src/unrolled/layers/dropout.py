"""Dropout (Srivastava et al. 2014); one mask for a whole sequence where asked (Gal & Ghahramani 2016, 1512.05287).

Masks are drawn for the rows of the whole global batch and cut to the rows at hand, so that one process and several
draw the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import local

import torch
from torch import Tensor, nn

from unrolled import states
from unrolled.errors import ShapeError
from unrolled.states import State


class _Here(local):
    """Of one thread. (What is an attribute, torch.compile can look at.)"""

    rows: tuple[int, int] | None = None


_here = _Here()


@contextmanager
def rows_of(rows: tuple[int, int] | None) -> Iterator[None]:
    """Within it, a batch is rows `first …` of a global batch of `total`: (first, total), or None for all."""
    before, _here.rows = _here.rows, rows
    try:
        yield
    finally:
        _here.rows = before


def draw_bernoulli(shape: Sequence[int], probability: float, like: Tensor, batch_dim: int = 0) -> Tensor:
    """Ones with `probability`, else zeros, of the dtype and device of `like`, for the rows at hand."""
    first, total = _here.rows or (0, shape[batch_dim])
    whole = list(shape)
    whole[batch_dim] = total
    drawn = torch.empty(whole, device=like.device, dtype=like.dtype).bernoulli_(probability)
    return drawn.narrow(batch_dim, first, shape[batch_dim])


def draw_mask(shape: Sequence[int], rate: float, like: Tensor, batch_dim: int = 0) -> Tensor:
    """Zeros with probability `rate`, else 1/(1 − rate), for the rows at hand."""
    return draw_bernoulli(shape, 1 - rate, like, batch_dim).div_(1 - rate)


def draw_state_mask(state: State, rate: float) -> State:
    """Multipliers (B, ...) for each leaf of a state that has gradients, for a whole sequence; ones elsewhere."""

    def drawn(leaf: Tensor) -> Tensor:
        if not states.differentiable(leaf):
            return torch.ones_like(leaf)
        return draw_mask(leaf.shape, rate, torch.empty(0, dtype=states.real_type(leaf), device=leaf.device))

    return states.map_state(drawn, state)


def check_rate(rate: float, what: str = "a dropout rate") -> float:
    """The rate; ShapeError unless it is at least 0 and below 1."""
    if not 0 <= rate < 1:
        raise ShapeError(f"{what} is at least 0 and below 1; {rate} came")
    return rate


class Dropout(nn.Module):
    """Sets features of x (T, B, ..., F) to zero with probability `rate` while training, and scales up the rest.

    through_time: one mask for all T of a sequence, instead of one for each step.
    """

    def __init__(self, rate: float, through_time: bool = False) -> None:
        super().__init__()
        self.rate = check_rate(rate)
        self.through_time = through_time

    def draw(self, shape: Sequence[int], like: Tensor) -> Tensor | None:
        """The mask for an x of this shape, of the dtype and device of `like`; None where nothing is dropped."""
        if not self.training or self.rate == 0:
            return None
        T, *rest = shape
        return draw_mask((1 if self.through_time else T, *rest), self.rate, like, batch_dim=1).expand(T, *rest)

    def forward(self, x: Tensor) -> Tensor:
        mask = self.draw(x.shape, x)
        return x if mask is None else x * mask

    def extra_repr(self) -> str:
        return f"{self.rate}{', through time' if self.through_time else ''}"
