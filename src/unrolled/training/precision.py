"""How exactly the numbers are held: the one place that knows of dtypes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn

from unrolled.batch import Batch
from unrolled.training.settings import Settings


def convert(model: nn.Module, settings: Settings) -> None:
    """Weights in float64 if that is asked for; else they stay as they are, float32 also under bfloat16."""
    if settings.dtype == "float64":
        model.double()


def place(batch: Batch, device: torch.device, settings: Settings) -> Batch:
    """The batch on the model's device, with real fields in float64 if weights are."""
    if device.type == "cpu" and settings.dtype != "float64":
        return batch

    def move(tensor: Tensor) -> Tensor:
        wide = settings.dtype == "float64" and tensor.is_floating_point()
        return tensor.to(device, torch.float64 if wide else tensor.dtype, non_blocking=True)

    return batch.map(move)


def forward(device: torch.device, settings: Settings) -> AbstractContextManager:
    """Entered around the forward pass: under bfloat16, autocast, with float32 weights, states and sums."""
    if settings.dtype == "bfloat16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


@contextmanager
def flushed_denormals() -> Iterator[None]:
    """Numbers too small to be normal become zero: on a CPU they cost a hundred times more and change nothing seen."""
    before = _flushing()
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def _flushing() -> bool:
    smallest_normal = torch.tensor(torch.finfo(torch.float64).tiny, dtype=torch.float64)
    return bool(smallest_normal / 2 == 0)
