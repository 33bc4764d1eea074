"""Recomputation gives what the whole gives, masks included, and holds √T of it."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from unrolled import states
from unrolled.batch import Batch
from unrolled.cells.elman import Elman
from unrolled.cells.gru import GRU
from unrolled.cells.lru import LRU
from unrolled.cells.lstm import LSTM
from unrolled.diagnostics.memory import Memory, peak_bytes
from unrolled.layers.recomputation import in_segments
from unrolled.layers.recurrent import Recurrent
from unrolled.models.language_model import LanguageModel

F, H, B = 4, 5, 3
NOISE = {"dropout": 0.3, "recurrent_dropout": 0.2, "zoneout": 0.2, "weight_drop": 0.2}


def everything(stack: Recurrent, x, lengths, record=("states", "gates")) -> dict[str, torch.Tensor]:
    """Outputs, final states, traces, all gradients, and a number drawn afterwards."""
    stack.zero_grad()
    torch.manual_seed(8)
    x = x.detach().clone().requires_grad_()
    start = states.map_state(lambda leaf: leaf.detach().clone().requires_grad_(), stack.initial_state(x.shape[1]))
    recorded = stack.record(x, start, lengths, record=record)
    given = {"output": recorded.output, "drawn": torch.rand(1)}
    given |= {f"state {name}": leaf for name, leaf in states.leaves(recorded.state)}
    for place, trace in enumerate(itertools.chain(*recorded.traces)):
        given[f"{place} output"] = trace.output
        given |= {f"{place} final {name}": leaf for name, leaf in states.leaves(trace.state)}
        given |= {f"{place} every {name}": leaf for name, leaf in states.leaves(trace.states or ())}
        given |= {f"{place} gate {name}": gate for name, gate in (trace.gates or {}).items()}
    followed = [value for value in given.values() if value.requires_grad]
    wanted = [x, *(leaf for _, leaf in states.leaves(start)), *stack.parameters()]
    weights = [torch.randn(v.shape, generator=torch.Generator().manual_seed(1), dtype=v.dtype) for v in followed]
    grads = torch.autograd.grad(followed, wanted, weights, allow_unused=True)
    return given | {f"gradient {n}": grad for n, grad in enumerate(grads) if grad is not None}


@pytest.mark.parametrize("two_directions", [False, True])
@pytest.mark.parametrize("options", [{}, NOISE, {"connections": "dense", "dropout": 0.5, "variational": True}])
@pytest.mark.parametrize("ragged", [False, True])
def test_outputs_states_traces_and_gradients_are_those_of_the_whole(two_directions, options, ragged):
    torch.manual_seed(0)
    for T in (1, 2, 7, 16):
        whole = Recurrent(LSTM, F, [H, H], two_directions, kernel="reference", **options).double()
        parts = Recurrent(LSTM, F, [H, H], two_directions, kernel="reference", recompute=True, **options).double()
        parts.load_state_dict(whole.state_dict())
        x = torch.randn(T, B, F).double()
        lengths = torch.tensor([T, 0, T // 2]) if ragged else None
        expected, given = everything(whole, x, lengths), everything(parts, x, lengths)
        assert expected.keys() == given.keys()
        for name, value in expected.items():
            torch.testing.assert_close(given[name], value, rtol=1e-10, atol=1e-12, msg=f"{name}, T = {T}")


@pytest.mark.parametrize(("cell", "kernel"), [(GRU, "fused"), (LSTM, "fused"), (LRU, "auto"), (GRU, "auto")])
@pytest.mark.parametrize("two_directions", [False, True])
def test_any_kernel_serves_the_segments(cell, kernel, two_directions):
    torch.manual_seed(0)
    options = {"weight_drop": 0.3} if cell is not LRU else {"zoneout": 0.3}
    whole = Recurrent(cell, F, [H, H], two_directions, kernel="auto", **options).double()
    parts = Recurrent(cell, F, [H, H], two_directions, kernel=kernel, recompute=True, **options).double()
    parts.load_state_dict(whole.state_dict())
    x, lengths = torch.randn(10, B, F).double(), torch.tensor([10, 3, 0])
    expected, given = everything(whole, x, lengths, ()), everything(parts, x, lengths, ())
    assert expected.keys() == given.keys() and len(expected) > 10
    for name, value in expected.items():
        torch.testing.assert_close(given[name], value, msg=name)


@pytest.mark.parametrize("T", [1, 2, 3, 16, 17, 50])
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_a_sequence_is_cut_into_about_as_many_segments_as_each_has_steps(T, direction):
    seen = []

    def run(steps, piece, state):
        (values,) = piece
        seen.append(steps)
        assert values.tolist() == list(steps)
        return list(steps), state + len(steps)

    given = in_segments(run, (torch.arange(T),), torch.zeros(()), T, direction)
    assert [step for part in given for step in part] == list(range(T))
    assert seen == sorted(seen, key=lambda steps: steps.start, reverse=direction == "backward")
    assert max(map(len, seen)) == math.ceil(math.sqrt(T)) >= len(seen)


def held(recompute: bool, lengths: list[int], two_directions: bool = False, sizes=(8, 8)) -> Memory:
    stack = Recurrent(Elman, F, sizes, two_directions, kernel="reference", recompute=recompute)
    kept = []
    for T in lengths:
        x = torch.randn(T, 2, F)
        kept.append(peak_bytes(lambda x=x: stack(x)[0][-1].sum().backward(), [x, *stack.parameters()]))
    return Memory(tuple(lengths), tuple(kept))


def test_the_bytes_held_grow_as_the_root_of_t_and_without_it_as_t():
    lengths = [64, 512, 4096]
    assert held(True, lengths).slope() == pytest.approx(0.5, abs=0.1)
    assert held(False, lengths).slope() == pytest.approx(1, abs=0.1)


def test_one_layer_of_two_directions_holds_the_root_too():
    assert held(True, [64, 512], two_directions=True, sizes=(8,)).slope() == pytest.approx(0.5, abs=0.1)


def test_a_language_model_trains_alike():
    symbols = torch.randint(F, (13, B))
    batch = Batch({"symbols": symbols[:-1], "targets": symbols[1:]})
    grads = []
    for recompute in (False, True):
        torch.manual_seed(0)
        model = LanguageModel(
            LSTM, F, 0, [H, H], recompute=recompute, learnt_initial_state=True, layer_dropout=0.3, **NOISE
        ).double()
        model.loss(batch, model.initial_state(B)).total.backward()
        assert model.recurrent.recompute == recompute
        grads.append({name: p.grad for name, p in model.named_parameters()})
    for name, grad in grads[0].items():
        assert grad.any(), name
        torch.testing.assert_close(grads[1][name], grad, msg=name)


def test_under_autocast_and_without_gradients():
    torch.manual_seed(0)
    stack = Recurrent(GRU, F, [H, H], recompute=True)
    x = torch.randn(16, B, F)
    with torch.autocast("cpu", torch.bfloat16):
        output, state = stack(x)
    assert {leaf.dtype for _, leaf in states.leaves(state)} == {torch.float32}
    output.float().sum().backward()
    assert all(p.grad.isfinite().all() for p in stack.parameters())
    with torch.no_grad():
        torch.testing.assert_close(stack(x)[0], Recurrent.forward(stack, x)[0])
        assert not stack(x)[0].requires_grad
