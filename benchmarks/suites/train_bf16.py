"""Training one layer under bfloat16 autocast: this package beside the fastest that torch has."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import partial

import torch
from torch import nn

from benchmarks.contest import Contest, Goal, Point
from benchmarks.training import layers_contest

SUMMARY = "one layer forward and backward in bfloat16, beside torch's in float32, under autocast and in pure bfloat16"
KINDS: dict[str, type[nn.RNNBase]] = {"LSTM": nn.LSTM, "GRU": nn.GRU}
GOALS = (Goal("nn.LSTM", ">= 1.3"), Goal("nn.GRU", ">= 1.8"))


def points() -> Iterator[Point]:
    for threads, kind, H, B, T in itertools.product((1, 2), KINDS, (128, 256, 512, 1024), (32, 64, 128), (64, 256)):
        yield Point(f"{kind} bfloat16", {"T": T, "B": B, "H": H}, partial(contest, kind, H, B, T), threads)


def contest(kind: str, H: int, B: int, T: int) -> Contest:
    return layers_contest(KINDS[kind](H, H), T, B, torch.bfloat16)
