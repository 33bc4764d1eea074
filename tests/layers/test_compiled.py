"""Whole stacks under torch.compile, with no break in the graph and no warning: what they give, and their gradients."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from unrolled import states
from unrolled.cells.elman import Elman
from unrolled.cells.gru import GRU, ResetBeforeGRU
from unrolled.cells.lstm import LSTM
from unrolled.cells.min_recurrences import MinGRU
from unrolled.kernels import native_core
from unrolled.layers.recurrent import Recurrent

T, B, F, H = 5, 3, 3, 4
#: Asked for by name where it is there, so that nothing else can run in its place.
TRACED = "traced" if native_core.is_built() else "auto"


class Stacks(nn.Module):
    """One of each way in which a stack may run, side by side: most of compiling is the same for all."""

    def __init__(self) -> None:
        super().__init__()
        self.stacks = nn.ModuleDict(
            {
                "with dropout": Recurrent(LSTM, F, [H, H], dropout=0.5),
                "both ways": Recurrent(GRU, F, [H], two_directions=True),
                "plain": Recurrent(Elman, F, [H]),
                "scanned": Recurrent(MinGRU, F, [H]),
                "traced": Recurrent(ResetBeforeGRU, F, [H], kernel=TRACED),
            }
        )
        self.symbols = Recurrent(GRU, F, [H])

    def forward(self, x, symbols, lengths):
        given = {}
        for name, stack in self.stacks.items():
            given[name], state = stack(x, lengths=lengths)
            given |= {f"{name} {leaf}": value for leaf, value in states.leaves(state)}
        given["symbols"], _ = self.symbols(symbols)
        return given


# Of an autograd function, which the scan is where there is no native core, torch makes one itself while it compiles.
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
def test_every_kernel_gives_the_same_compiled_forward_and_backward():
    torch.manual_seed(0)
    model = Stacks().double()
    symbols, lengths = torch.arange(T * B).reshape(T, B) % F, torch.tensor([T, 0, 3])
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    results = []
    for run in (model, compiled):
        torch.manual_seed(1)  # the same masks
        x = torch.randn(T, B, F, dtype=torch.float64, requires_grad=True)
        given = run(x, symbols, lengths)
        inputs = {"x": x, **dict(model.named_parameters())}
        total = sum((value * torch.linspace(-1, 1, value.numel()).view_as(value)).sum() for value in given.values())
        gradients = torch.autograd.grad(total, list(inputs.values()))
        results.append({**given, **dict(zip(inputs, gradients, strict=True))})
    plain, found = results
    for name, value in plain.items():
        assert torch.allclose(found[name], value, rtol=1e-12, atol=1e-14), name
    with pytest.raises(RuntimeError, match="lengths must be from 0 to T"):
        compiled(x, symbols, lengths + 1)


@pytest.mark.parametrize("lengths", [None, torch.tensor([T, 0, 3])])
def test_without_gradients_it_is_compiled_too(lengths):
    stack, x = Recurrent(LSTM, F, [H]).eval(), torch.randn(T, B, F)
    with torch.no_grad():
        found, right = (
            run(x, lengths=lengths)[0] for run in (torch.compile(stack, fullgraph=True, backend="eager"), stack)
        )
    assert torch.allclose(found, right)
