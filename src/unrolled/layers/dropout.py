"""Dropout (Srivastava et al. 2014); one mask for a whole sequence where asked (Gal & Ghahramani 2016, 1512.05287).

Masks are drawn for the rows of the whole global batch and cut to the rows at hand, so that one process and several
draw the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor, nn

from unrolled.errors import ShapeError

_rows: ContextVar[tuple[int, int] | None] = ContextVar("rows", default=None)


@contextmanager
def rows_of(rows: tuple[int, int] | None) -> Iterator[None]:
    """Within it, a batch is rows `first …` of a global batch of `total`: (first, total), or None for all."""
    token = _rows.set(rows)
    try:
        yield
    finally:
        _rows.reset(token)


def draw_mask(shape: tuple[int, ...], rate: float, like: Tensor, batch_dim: int = 0) -> Tensor:
    """Zeros with probability `rate`, else 1/(1 − rate), for the rows at hand."""
    first, total = _rows.get() or (0, shape[batch_dim])
    whole = list(shape)
    whole[batch_dim] = total
    mask = torch.empty(whole, device=like.device, dtype=like.dtype).bernoulli_(1 - rate).div_(1 - rate)
    return mask.narrow(batch_dim, first, shape[batch_dim])


class Dropout(nn.Module):
    """Sets features of x (T, B, ..., F) to zero with probability `rate` while training, and scales up the rest.

    through_time: one mask for all T of a sequence, instead of one for each step.
    """

    def __init__(self, rate: float, through_time: bool = False) -> None:
        super().__init__()
        if not 0 <= rate < 1:
            raise ShapeError(f"a dropout rate is at least 0 and below 1; {rate} came")
        self.rate = rate
        self.through_time = through_time

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return x
        T, *rest = x.shape
        return x * draw_mask((1 if self.through_time else T, *rest), self.rate, x, batch_dim=1)

    def extra_repr(self) -> str:
        return f"{self.rate}{', through time' if self.through_time else ''}"
