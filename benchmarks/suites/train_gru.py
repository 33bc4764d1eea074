"""Training one GRU layer in float32: this package beside torch's, which takes a step at a time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import partial

from torch import nn

from benchmarks.contest import Contest, Goal, Point
from benchmarks.suites.train_lstm import BATCHES, LENGTHS, SIZES
from benchmarks.training import layers_contest

SUMMARY = "one GRU layer forward and backward in float32, every gradient, beside nn.GRU"
GOALS = (Goal("nn.GRU", ">= 1.9"),)


def points() -> Iterator[Point]:
    for threads, (H, B, T) in itertools.product((1, 2), itertools.product(SIZES, BATCHES, LENGTHS)):
        yield Point("GRU float32", {"T": T, "B": B, "H": H}, partial(contest, H, B, T), threads)


def contest(H: int, B: int, T: int) -> Contest:
    return layers_contest(nn.GRU(H, H), T, B)
