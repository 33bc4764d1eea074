"""Training one LSTM layer in float32: this package beside torch's, which is fused."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import partial

from torch import nn

from benchmarks.contest import Contest, Goal, Point
from benchmarks.training import layers_contest

SUMMARY = "one LSTM layer forward and backward in float32, every gradient, beside nn.LSTM"
SIZES = (64, 128, 256, 512, 1024)
BATCHES = (16, 32, 64, 128)
LENGTHS = (50, 128, 256)
GOALS = (
    Goal("nn.LSTM", ">= 1.2"),
    Goal("nn.LSTM", ">= 1.5", "at H up to 128", lambda point: point.places["H"] <= 128),
)


def points() -> Iterator[Point]:
    for threads, (H, B, T) in itertools.product((1, 2), itertools.product(SIZES, BATCHES, LENGTHS)):
        yield Point("LSTM float32", {"T": T, "B": B, "H": H}, partial(contest, H, B, T), threads)


def contest(H: int, B: int, T: int) -> Contest:
    return layers_contest(nn.LSTM(H, H), T, B)
