"""Training networks of the size of the first character models: a handful of rows, short windows."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import partial

from torch import nn

from benchmarks.contest import Contest, Goal, Point
from benchmarks.training import layers_contest

SUMMARY = "small layers, 1 to 4 rows, 25 steps, float32, beside torch's"
KINDS: dict[str, type[nn.RNNBase]] = {"LSTM": nn.LSTM, "GRU": nn.GRU, "Elman": nn.RNN}
GOALS = tuple(Goal(f"nn.{kind.__name__}", ">= 4") for kind in KINDS.values())


def points() -> Iterator[Point]:
    for threads, kind, H, B in itertools.product((1, 2), KINDS, (64, 100, 128), (1, 2, 4)):
        yield Point(f"{kind} float32", {"T": 25, "B": B, "H": H}, partial(contest, kind, H, B), threads)


def contest(kind: str, H: int, B: int) -> Contest:
    return layers_contest(KINDS[kind](H, H), 25, B)
