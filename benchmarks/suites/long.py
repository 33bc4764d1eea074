"""Long sequences: time and memory of one forward and backward pass, as T grows and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

import torch
from torch import Tensor, nn

from benchmarks.contest import Agreement, Contest, Goal, Point, agreement
from unrolled.cells.lstm import LSTM
from unrolled.interchange.torch_modules import to_torch
from unrolled.layers.recurrent import Recurrent

SUMMARY = "One LSTM of 64, B 1, forward and backward over T steps: time should grow as T, memory as T, recomputed as √T"
GOALS = (Goal("nn.LSTM", ">= 1.2", "without recomputation", lambda point: point.series == "lstm"),)
LENGTHS = (1_000, 3_162, 10_000, 31_623, 100_000)
WIDTH = 64


def points() -> Iterator[Point]:
    for series, recompute in (("lstm", False), ("lstm recomputed", True)):
        for T in LENGTHS:
            yield Point(series, {"T": T, "B": 1, "H": WIDTH}, partial(contest, T, recompute))


def contest(T: int, recompute: bool) -> Contest:
    torch.manual_seed(0)
    stack = Recurrent(LSTM, WIDTH, [WIDTH], recompute=recompute)
    module = to_torch(stack)
    assert isinstance(module, nn.LSTM)
    x, cotangent = torch.randn(T, 1, WIDTH), torch.randn(T, 1, WIDTH)
    weights = [*stack.parameters(), *module.parameters()]

    def change() -> None:
        """A little less of every weight: what was packed for the last call is of no use in this one."""
        with torch.no_grad():
            for weight in weights:
                weight.mul_(1 - 1e-6)

    return Contest(
        partial(gradients, stack, x, cotangent),
        {"nn.LSTM": {"float32": partial(gradients, module, x, cotangent)}},
        partial(agreements, stack, module, x, cotangent),
        flops=24 * WIDTH * 2 * WIDTH * T,
        before=change,
    )


def gradients(module: nn.Module, x: Tensor, cotangent: Tensor) -> list[Tensor]:
    """The output, and the gradients of all weights. Those of U and W are the first two on either side."""
    output = module(x)[0]
    return [output, *torch.autograd.grad(output, list(module.parameters()), cotangent)]


def agreements(stack: nn.Module, module: nn.LSTM, x: Tensor, cotangent: Tensor) -> Iterable[Agreement]:
    exact = nn.LSTM(WIDTH, WIDTH).double()
    exact.load_state_dict(module.state_dict())
    true = gradients(exact, x.double(), cotangent.double())
    for what, *sides in zip(
        ("the output", "the gradient of U", "the gradient of W"),
        *(gradients(one, x, cotangent) for one in (stack, module)),
        true,
        strict=False,
    ):
        yield agreement(what, *sides)
