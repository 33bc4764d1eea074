"""Attention against its equations in NumPy, finite differences, and what padding must not change."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from unrolled.errors import OptionError, ShapeError
from unrolled.layers.attention import Attention

T, B, S, E, D, K = 5, 4, 3, 6, 6, 7
LENGTHS = torch.tensor([5, 1, 3, 0])
KINDS = [("dot", False), ("general", False), ("additive", False), ("additive", True)]
each_kind = pytest.mark.parametrize(("score", "coverage"), KINDS)


def make(score: str, coverage: bool) -> Attention:
    torch.manual_seed(1)
    layer = Attention(D, E, score, K, coverage=coverage).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_()
    return layer


def given(coverage: bool) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    torch.manual_seed(2)
    e, d = torch.randn(T, B, E, dtype=torch.float64), torch.randn(S, B, D, dtype=torch.float64)
    return e, d, torch.rand(B, T, dtype=torch.float64) if coverage else None


def oracle(layer: Attention, e: np.ndarray, d: np.ndarray, seen: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Number by number, from the papers' equations."""
    p = {name: value.detach().numpy() for name, value in layer.named_parameters()}
    context, weights = np.zeros((S, B, E)), np.zeros((S, B, T))
    for b, length in enumerate(LENGTHS.tolist()):
        for s in range(S):
            scores = []
            for t in range(length):
                if layer.score == "dot":
                    scores.append(e[t, b] @ d[s, b])
                elif layer.score == "general":
                    scores.append(d[s, b] @ p["W"] @ e[t, b])
                else:
                    inner = p["W"] @ d[s, b] + p["U"] @ e[t, b] + p["b"]
                    if seen is not None:
                        inner = inner + p["g"] * seen[b, t]
                    scores.append(p["v"] @ np.tanh(inner))
            if length:
                alpha = np.exp(scores) / np.exp(scores).sum()
                weights[s, b, :length] = alpha
                context[s, b] = sum(a * e[t, b] for t, a in enumerate(alpha))
    return context, weights


@each_kind
def test_it_is_its_equations(score: str, coverage: bool) -> None:
    layer = make(score, coverage)
    e, d, seen = given(coverage)
    found = layer(d, layer.prepare(e, LENGTHS), seen)
    context, weights = oracle(layer, e.numpy(), d.numpy(), None if seen is None else seen.numpy())
    np.testing.assert_allclose(found.context.detach(), context, atol=1e-12)
    np.testing.assert_allclose(found.weights.detach(), weights, atol=1e-12)


@each_kind
def test_padding_gets_no_weight_and_no_gradient_whatever_stands_there(score: str, coverage: bool) -> None:
    layer = make(score, coverage)
    e, d, seen = given(coverage)
    past = torch.arange(T)[:, None] >= LENGTHS
    spoilt = e.masked_fill(past[..., None], torch.nan).requires_grad_()
    found = layer(d, layer.prepare(spoilt, LENGTHS), seen)
    plain = layer(d, layer.prepare(e, LENGTHS), seen)
    assert torch.equal(found.context, plain.context) and torch.equal(found.weights, plain.weights)
    assert (found.weights.transpose(0, 1)[past.T[:, None].expand(B, S, T)] == 0).all()
    found.context.square().sum().backward()
    assert spoilt.grad is not None
    assert (spoilt.grad[past] == 0).all() and (spoilt.grad[~past].abs().sum(-1) > 0).all()
    for parameter in layer.parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all()


@each_kind
def test_gradients_are_those_of_finite_differences(score: str, coverage: bool) -> None:
    layer = make(score, coverage)
    e, d, seen = given(coverage)
    lengths = LENGTHS.clamp(min=1)
    inputs = [e[:, :2].requires_grad_(), d[:2, :2].requires_grad_()]
    if seen is not None:
        inputs.append(seen[:2].requires_grad_())
    parameters = list(layer.parameters())

    def run(e: torch.Tensor, d: torch.Tensor, *rest: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(layer(d, layer.prepare(e, lengths[:2]), rest[0] if coverage else None))

    assert torch.autograd.gradcheck(run, (*inputs, *parameters))


def test_one_query_after_the_other_is_all_at_once() -> None:
    layer = make("additive", False)
    e, d, _ = given(False)
    memory = layer.prepare(e, LENGTHS)
    apart = [layer(d[s : s + 1], memory) for s in range(S)]
    torch.testing.assert_close(torch.cat([one.weights for one in apart]), layer(d, memory).weights)
    torch.testing.assert_close(torch.cat([one.context for one in apart]), layer(d, memory).context)


def test_without_lengths_every_place_counts() -> None:
    layer = make("general", False)
    e, d, _ = given(False)
    full = torch.full((B,), T)
    assert torch.equal(layer(d, layer.prepare(e)).weights, layer(d, layer.prepare(e, full)).weights)


def test_scores_rule_out_what_is_past_a_length() -> None:
    layer = make("dot", False)
    e, d, _ = given(False)
    scores = layer.scores(d, layer.prepare(e, LENGTHS))
    assert torch.equal(scores.isinf()[0], torch.arange(T) >= LENGTHS[:, None])
    assert scores[1, 2, 1].item() == pytest.approx(float(e[1, 2] @ d[1, 2]))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(OptionError, match="one of dot, general, additive; 'cosine' came"):
        Attention(3, 3, "cosine")  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="one size; 3 and 4 came"):
        Attention(3, 4, "dot")
    with pytest.raises(OptionError, match="coverage stands inside the additive score"):
        Attention(3, 3, "general", coverage=True)
    layer, covered = make("general", False), make("additive", True)
    e, d, seen = given(True)
    with pytest.raises(ShapeError, match=r"\(T, B, 6\)"):
        layer.prepare(e[0])
    with pytest.raises(ShapeError, match=r"\(S, 4, 6\)"):
        layer.scores(d[:, :2], layer.prepare(e))
    with pytest.raises(ShapeError, match="one without takes none"):
        layer(d, layer.prepare(e), seen)
    with pytest.raises(ShapeError, match="must be given it"):
        covered(d, covered.prepare(e))
    with pytest.raises(ShapeError, match=r"coverage must be \(4, 5\)"):
        covered(d, covered.prepare(e), d[0])
