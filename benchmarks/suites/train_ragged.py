"""Training on sequences of uneven lengths, in both directions, in several layers, of sizes off the beaten track."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import partial

import torch
from torch import nn

from benchmarks.contest import Contest, Goal, Point
from benchmarks.training import layers_contest

SUMMARY = "lengths uniform in [1, T], one and two directions, 1 to 3 layers, float32, beside torch's packed sequences"
T, B = 128, 32
KINDS: dict[str, type[nn.RNNBase]] = {"LSTM": nn.LSTM, "GRU": nn.GRU}
GOALS = tuple(Goal(f"nn.{kind.__name__}", ">= 2.5") for kind in KINDS.values())


def points() -> Iterator[Point]:
    every = itertools.product((1, 2), KINDS, (65, 100, 200), (1, 2), (1, 2, 3))
    for threads, kind, H, directions, layers in every:
        places = {"T": T, "B": B, "H": H, "directions": directions, "layers": layers}
        yield Point(f"{kind} ragged", places, partial(contest, kind, H, directions, layers), threads)


def contest(kind: str, H: int, directions: int, layers: int) -> Contest:
    lengths = torch.randint(1, T + 1, (B,))
    lengths[0] = T
    module = KINDS[kind](H, H, layers, bidirectional=directions == 2)
    return layers_contest(module, T, B, lengths=lengths)
