"""Gradient clipping (Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063; by value as in min-char-rnn)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


@torch.no_grad()
def clip(parameters: Sequence[Tensor], norm: float = 0.0, value: float = 0.0) -> float:
    """‖g‖ over all parameters, as it was before: g becomes g·θ/‖g‖ where ‖g‖ ≥ θ.

    norm: θ; 0 clips none. value: each gradient is then held within ±value; 0 clips none.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    if not gradients:
        return 0.0
    whole = float(torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g) for g in gradients])))
    if norm and whole >= norm:
        for g in gradients:
            g.mul_(norm / whole)
    if value:
        for g in gradients:
            (torch.view_as_real(g) if g.is_complex() else g).clamp_(-value, value)
    return whole
