from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from tiny_training import Tiny, settings
from torch import nn

from unrolled.cells.lstm import LSTM
from unrolled.cells.orthogonal import ExpRNN
from unrolled.errors import CheckpointError
from unrolled.training import optimisers
from unrolled.training.gradients import clip


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.matrix = nn.Parameter(torch.randn(3, 2))
        self.vector = nn.Parameter(torch.randn(3))

    def pull(self, seed: int) -> dict[str, np.ndarray]:
        """Random gradients put in place."""
        torch.manual_seed(seed)
        for p in self.parameters():
            p.grad = torch.randn_like(p)
        return {name: p.grad.numpy().astype(np.float64) for name, p in self.named_parameters()}


def values(model: nn.Module) -> dict[str, np.ndarray]:
    return {name: p.detach().numpy().astype(np.float64) for name, p in model.named_parameters()}


def test_adamw_by_hand() -> None:
    model = Small()
    optimiser = optimisers.build(model, settings(rate=1.0, betas=(0.8, 0.95), weight_decay=0.1))
    p, m, v = values(model), {}, {}
    for t, rate in enumerate((0.1, 0.05, 0.02), start=1):
        for name, g in model.pull(t).items():
            m[name] = 0.8 * m.get(name, 0) + 0.2 * g
            v[name] = 0.95 * v.get(name, 0) + 0.05 * g * g
            decay = 0.1 if name == "matrix" else 0.0  # on matrices only
            step = (m[name] / (1 - 0.8**t)) / (np.sqrt(v[name] / (1 - 0.95**t)) + 1e-8)
            p[name] = p[name] * (1 - rate * decay) - rate * step
        optimiser.step(rate)
    for name, found in values(model).items():
        np.testing.assert_allclose(found, p[name], rtol=1e-5, atol=1e-6)


def test_adagrad_has_its_constant_under_the_root() -> None:
    """As in min-char-rnn: with g² far below 1e-8 the step is g·10⁴·rate; torch's own would make it rate."""
    model = Small()
    optimiser = optimisers.build(model, settings(rate=0.1, optimiser="adagrad", weight_decay=0.1))
    p, memory = values(model), {name: np.zeros_like(value) for name, value in values(model).items()}
    for t in range(3):
        for name, pulled in model.pull(t).items():
            g = pulled * (1e-6 if name == "vector" else 1)
            model.get_parameter(name).grad.copy_(torch.from_numpy(g))
            memory[name] += g * g
            p[name] *= 1 - 0.1 * (0.1 if name == "matrix" else 0)
            p[name] -= 0.1 * g / np.sqrt(memory[name] + 1e-8)
        optimiser.step(1.0)
    for name, found in values(model).items():
        np.testing.assert_allclose(found, p[name], rtol=1e-5, atol=1e-7)


def polished(block: np.ndarray) -> np.ndarray:
    """The polynomials applied to the singular values themselves."""
    U, S, Vt = np.linalg.svd(block, full_matrices=False)
    s = S / (optimisers.SAFETY * np.sqrt((S**2).sum()))
    for a, b, c in optimisers.POLYNOMIALS:
        s = a * s + b * s**3 + c * s**5
    return U @ np.diag(s) @ Vt


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (8, 2)])
def test_muon_by_hand_on_two_gate_blocks(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    parameter = nn.Parameter(torch.randn(shape, dtype=torch.float64))
    group = {"params": [parameter], "blocks": 2}
    muon = optimisers.Muon([group], lr=0.02, weight_decay=0.1, precision=torch.float64)
    p, m = parameter.detach().numpy().copy(), np.zeros(shape)
    rows, columns = shape[0] // 2, shape[1]
    for _ in range(4):
        parameter.grad = torch.randn(shape, dtype=torch.float64)
        g = parameter.grad.numpy()
        m = 0.95 * m + 0.05 * g
        d = 0.05 * g + 0.95 * m
        step = np.concatenate([polished(block) for block in np.split(d, 2)])
        p *= 1 - 0.02 * 0.1
        p -= 0.02 * math.sqrt(max(1, rows / columns)) * step
        muon.step()
    np.testing.assert_allclose(parameter.detach().numpy(), p, rtol=1e-9, atol=1e-12)


def test_what_is_orthogonalised_has_singular_values_near_one_at_any_scale() -> None:
    torch.manual_seed(0)
    blocks = torch.randn(3, 5, 8) * torch.tensor([1e-4, 1.0, 1e4])[:, None, None]
    for flat in (blocks, blocks.mT):
        singular = torch.linalg.svdvals(optimisers.orthogonalised(flat, torch.float32))
        assert 0.8 < float(singular.mean()) < 1.6
        assert float(singular.max()) < 1.9
    assert bool((optimisers.orthogonalised(torch.zeros(1, 3, 3), torch.float32) == 0).all())


def test_muon_takes_the_cells_matrices_and_leaves_the_rest_to_adamw() -> None:
    model = Tiny()
    model.second = LSTM(5, 7)
    found = {name: optimisers.recurrent_matrices(model).get(p) for name, p in model.named_parameters()}
    assert found == {
        "cell.U": 1, "cell.W": 1, "cell.b": None, "readout.weight": None, "readout.bias": None,
        "second.U": 4, "second.W": 4, "second.b": None,
    }  # fmt: skip
    optimiser = optimisers.build(model, settings(optimiser="muon", rate=0.1, muon_rate=0.3))
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for p in model.parameters():
        p.grad = torch.randn_like(p)
    optimiser.step(0.5)
    moved = {name: p.detach() - before[name] for name, p in model.named_parameters()}
    # AdamW's first step is its rate, whatever the gradient; Muon's is its rate times nearly orthogonal blocks.
    torch.testing.assert_close(moved["second.b"].abs(), torch.full((28,), 0.05), rtol=1e-3, atol=0)
    for block in moved["second.W"].chunk(4):
        assert float(torch.linalg.svdvals(block).mean()) == pytest.approx(0.15, rel=0.5)
    names = set(optimiser.tensors())
    assert "second.W/momentum" in names
    assert "second.b/exp_avg" in names


@pytest.mark.parametrize("kind", ["adamw", "muon", "adagrad"])
def test_tensors_out_and_in(kind: str) -> None:
    torch.manual_seed(0)
    models = [Tiny(), Tiny()]
    built = [optimisers.build(model, settings(optimiser=kind, weight_decay=0.1)) for model in models]

    def step(i: int, seed: int) -> None:
        torch.manual_seed(seed)
        for p in models[i].parameters():
            p.grad = torch.randn_like(p)
        built[i].step(0.7)

    step(0, 1)
    models[1].load_state_dict(models[0].state_dict())
    built[1].load(built[0].tensors(), "here")
    step(0, 2)
    step(1, 2)
    for a, b in zip(models[0].parameters(), models[1].parameters(), strict=True):
        assert torch.equal(a, b)


def test_another_optimisers_tensors_are_refused() -> None:
    first, second = (optimisers.build(Tiny(), settings(optimiser=kind)) for kind in ("adamw", "adagrad"))
    for p in first.names:
        p.grad = torch.ones_like(p)
    first.step(0.1)
    with pytest.raises(CheckpointError, match="step-1 was made with another optimiser or model"):
        second.load(first.tensors(), "step-1")
    tensors = first.tensors()
    with pytest.raises(CheckpointError, match=r"'cell\.W/exp_avg' has the shape \(2,\)"):
        first.load(tensors | {"cell.W/exp_avg": torch.zeros(2)}, "step-1")
    del tensors["cell.W/exp_avg"]
    with pytest.raises(CheckpointError, match=r"lacks \['exp_avg'\] of 'cell\.W'"):
        first.load(tensors, "step-1")


def with_gradients(*gradients: list[float]) -> list[nn.Parameter]:
    parameters = [nn.Parameter(torch.zeros(len(g))) for g in gradients]
    for p, g in zip(parameters, gradients, strict=True):
        p.grad = torch.tensor(g)
    return parameters


def test_clipping_by_norm_by_hand() -> None:
    """‖(3, 4, 12)‖ = 13."""
    parameters = with_gradients([3.0, 4.0], [12.0])
    assert clip(parameters, norm=6.5) == 13.0
    assert torch.cat([p.grad for p in parameters]).tolist() == pytest.approx([1.5, 2.0, 6.0])
    parameters = with_gradients([3.0, 4.0], [12.0])
    assert clip(parameters, norm=13.5) == 13.0
    assert torch.cat([p.grad for p in parameters]).tolist() == [3.0, 4.0, 12.0]


def test_clipping_by_value_by_hand() -> None:
    parameters = with_gradients([3.0, -7.0], [0.5])
    assert clip(parameters, value=5.0) == pytest.approx(math.sqrt(9 + 49 + 0.25))
    assert torch.cat([p.grad for p in parameters]).tolist() == [3.0, -5.0, 0.5]


@pytest.mark.parametrize("optimiser", ["adamw", "adagrad"])
def test_a_parameter_learns_at_the_share_that_its_cell_gives_it(optimiser: str) -> None:
    """The same gradients, at a tenth of the rate for A alone: it moves a tenth as far, the others as they would."""

    def moved(share: float) -> dict[str, np.ndarray]:
        torch.manual_seed(0)
        cell = ExpRNN(2, 4)
        cell.RATE_SHARES = {"A": share}
        before = values(cell)
        stepped = optimisers.build(cell, settings(rate=0.1, optimiser=optimiser, weight_decay=0.0))
        for p in cell.parameters():
            p.grad = torch.full_like(p, 0.5)
        stepped.step(0.5)
        return {name: value - before[name] for name, value in values(cell).items()}

    assert ExpRNN.RATE_SHARES == {"A": 0.1}
    whole, tenth = moved(1.0), moved(0.1)
    assert np.abs(whole["A"]).min() > 1e-3
    np.testing.assert_allclose(tenth["A"], whole["A"] / 10, rtol=1e-4)
    for name in ("U", "b"):
        np.testing.assert_array_equal(tenth[name], whole[name])
