"""One step after the other, as a closed loop takes them, and known steps in one call: our stepper beside torch and ONNX
Runtime, for LSTM and GRU."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from functools import partial

import torch
from torch import Tensor, nn

from benchmarks import onnx
from benchmarks.contest import LIMIT, Agreement, Contest, Goal, Point, Side, distance
from unrolled.cells.gru import GRU, GRUState
from unrolled.cells.lstm import LSTM, LSTMState
from unrolled.interchange.torch_modules import cell_to_torch, from_torch
from unrolled.kernels.kernel import Precision
from unrolled.kernels.native_stream import NativeStepper

SUMMARY = "Steps of one layer, F = H, from a given state: one a call (T 1), or T known ones in one call; microseconds"
GOALS = (
    Goal("nn.LSTM", ">= 5"),
    Goal("nn.LSTMCell", ">= 1.5"),
    Goal("nn.GRU", ">= 5"),
    Goal("ONNX Runtime", ">= 1.5"),
    Goal(LIMIT, "<= 1.5", "at B 1", lambda point: point.places["B"] == 1),
    *(
        Goal(rival, target, "at B 1 and H of 256 or more", lambda p: p.places["B"] == 1 and p.places["H"] >= 256)
        for rival, target in (("nn.LSTM", ">= 5"), ("nn.GRU", ">= 5"), ("ONNX Runtime", ">= 1.5"), (LIMIT, "<= 1.5"))
    ),
)
SIZES = (64, 256, 512, 1024)
ROWS = (1, 4)
STEPS = (1, 16, 256)
PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16", "int8")
BYTES = {"float32": 4, "bfloat16": 2, "int8": 1}


def points() -> Iterator[Point]:
    # ONNX Runtime quantises no GRU, and torch's bfloat16 is no faster there: the LSTM stands for the precisions.
    for kind, precision in (*itertools.product(("lstm",), PRECISIONS), ("gru", "float32")):
        for H, B, T in itertools.product(SIZES, ROWS, STEPS):
            for threads in (1, 2) if H >= 512 else (1,):
                make = partial(contest, kind, precision, H, B, T, threads)
                yield Point(f"{kind} {precision}", {"T": T, "B": B, "H": H}, make, threads)


def contest(kind: str, precision: Precision, H: int, B: int, T: int, threads: int) -> Contest:
    torch.manual_seed(0)
    module = (nn.LSTM if kind == "lstm" else nn.GRU)(H, H)
    x, leaves = torch.randn(T, B, H), tuple(torch.randn(1, B, H) * 0.5 for _ in range(2 if kind == "lstm" else 1))
    ((cell,),) = from_torch(module).cells()
    stepper = NativeStepper(cell, precision)
    state = (LSTMState if kind == "lstm" else GRUState)(*(leaf[0] for leaf in leaves))
    ours = partial(stepper, x[0], state) if T == 1 else partial(stepper.run, x, state)
    session = onnx.session(module, precision == "int8", threads)
    blocks, size = (4 if kind == "lstm" else 3), BYTES[precision]
    return Contest(
        quietly(ours),
        {
            f"nn.{type(module).__name__}": torch_ways(module, precision, x, leaves),
            **({"nn.LSTMCell": {"a loop of cells": quietly(loop(cell, x, leaves))}} if kind == "lstm" else {}),
            "ONNX Runtime": {"int8" if precision == "int8" else "float32": onnx.runner(session, x, leaves)},
        },
        lambda: agreements(module, stepper, precision, x, state, session),
        flops=2 * blocks * H * 2 * H * T * B,
        number="" if precision == "int8" else precision,
        # W at each step; U once for the steps that are taken in together.
        bytes=blocks * H * H * size * (T + -(-T * B // 48)),
        working_set=2 * blocks * H * H * size,
        latency=T == 1,
        teams=("ONNX Runtime",),
    )


def quietly(side: Side) -> Side:
    """The same, as whoever streams calls it: without autograd's book-keeping."""

    def call() -> object:
        with torch.inference_mode():
            return side()

    return call


def torch_ways(module: nn.RNNBase, precision: Precision, x: Tensor, leaves: tuple[Tensor, ...]) -> dict[str, Side]:
    """torch's module as it is, and in bfloat16 where that is what is compared."""
    ways = {"float32": quietly(partial(module, x, _given(leaves)))}
    if precision != "float32":
        less = _given(tuple(leaf.bfloat16() for leaf in leaves))
        ways["bfloat16"] = quietly(partial(as_type(module, torch.bfloat16), x.bfloat16(), less))
    return ways


def as_type(module: nn.RNNBase, dtype: torch.dtype) -> nn.RNNBase:
    """The same module in another type."""
    other = type(module)(module.input_size, module.hidden_size).to(dtype)
    other.load_state_dict(module.state_dict())
    return other


def _given(leaves: tuple[Tensor, ...]) -> Tensor | tuple[Tensor, ...]:
    """A state as torch's modules take it."""
    return leaves if len(leaves) == 2 else leaves[0]


def loop(cell: LSTM | GRU, x: Tensor, leaves: tuple[Tensor, ...]) -> Side:
    """torch's cell, called once a step."""
    module = cell_to_torch(cell)
    start = leaves[0][0], leaves[1][0]

    def call() -> object:
        state = start
        for x_t in x:
            state = module(x_t, state)
        return state

    return call


def agreements(
    module: nn.RNNBase,
    stepper: NativeStepper,
    precision: Precision,
    x: Tensor,
    state: tuple[Tensor, ...],
    session: object,
) -> Iterable[Agreement]:
    """Of the outputs, with the rival's own error in the same precision: ONNX Runtime's, or in bfloat16, which that has
    not, torch's. In float32 ours may be off by twice that, or 1e-6; in narrower types by one and a half times it.
    """
    leaves = tuple(leaf[None] for leaf in state)
    wide, narrow = as_type(module, torch.float64), as_type(module, torch.bfloat16)
    with torch.inference_mode():
        # Plain, saturating every gate, and denormal.
        for words, scale in (("", 1.0), (", saturated", 30.0), (", denormal", 1e-40)):
            exact = wide(x.double() * scale, _given(tuple(leaf.double() for leaf in leaves)))[0]
            ours = stepper.run(x * scale, type(state)(*state))[0]
            if precision == "bfloat16":
                theirs = narrow((x * scale).bfloat16(), _given(tuple(leaf.bfloat16() for leaf in leaves)))[0]
            else:
                theirs = torch.from_numpy(onnx.outputs(session, x * scale, leaves)[0])
            own, other = distance(ours, exact), distance(theirs, exact)
            most = max(1e-6, 2 * other) if precision == "float32" else 1.5 * other
            yield Agreement(f"the output{words}", own, other, most)
