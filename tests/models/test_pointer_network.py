"""Pointer networks against the paper's equations in NumPy, and greedy answers against the scores they come from."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from unrolled.batch import Batch, Ragged
from unrolled.cells.elman import Elman
from unrolled.cells.gru import GRU
from unrolled.cells.lstm import LSTM
from unrolled.data import planar, pointing
from unrolled.errors import ShapeError
from unrolled.models.pointer_network import PointerNetwork, pointed_at


def batch(count: int = 6, rows: int = 4, solve: pointing.Solve = pointing.hulls, seed: int = 0) -> Batch:
    points = planar.draw_points(np.random.default_rng(seed), rows, count)
    return Batch(pointing.example(points, solve(points))).map(lambda t: t.double() if t.is_floating_point() else t)


def filled(model: PointerNetwork) -> PointerNetwork:
    """Every weight from a normal distribution, so that none is where it starts."""
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.7)
    return model.double()


def test_the_loss_is_that_of_the_equations() -> None:
    """Encoder and decoder of Elman units, read one row at a time; the masked softmax written out."""
    model = filled(PointerNetwork(Elman, [5], "hull"))
    one = batch()
    weight = {name: value.detach().numpy() for name, value in model.named_parameters()}

    def unit(layer: str, x: np.ndarray, h: np.ndarray) -> np.ndarray:
        U, W, b = (weight[f"{layer}.layers.0.0.{name}"] for name in "UWb")
        return np.tanh(W @ h + U @ x + b)

    total = 0.0
    targets = one.ragged("targets")
    for row in range(4):
        points = one.tensor("points")[:, row].numpy()
        right = targets.values[: targets.lengths[row], row].tolist()
        h, memory = np.zeros(5), [weight["pointer.end"]]
        for point in points:
            h = unit("encoder", point, h)
            memory.append(h)
        x = weight["start"]
        for step, symbol in enumerate(right):
            h = unit("decoder", x, h)
            W, U, b, v = (weight[f"pointer.attention.{name}"] for name in "WUbv")
            scores = np.array([v @ np.tanh(W @ h + U @ e + b) for e in memory])
            before = right[:step]
            possible = [j for j in range(1, 7) if j not in before and all(j > before[0] for _ in before[:1])]
            possible = [j for j in possible if step or j <= 4] + [0] * (step >= 3)
            total -= scores[symbol] - np.log(np.exp(scores[possible]).sum())
            x = memory[symbol]
    loss = model.loss(one, model.initial_state(4))
    assert float(loss.total.detach()) == pytest.approx(total, rel=1e-10)
    assert float(loss.count) == int(targets.lengths.sum())


@pytest.mark.parametrize("vocabulary", [0, 7])
def test_gradients_are_those_of_finite_differences(vocabulary: int) -> None:
    model = filled(PointerNetwork(GRU, [3], "hull", two_directions=True, vocabulary=vocabulary))
    one = batch(5, 3)
    names, weights = zip(*model.named_parameters(), strict=True)

    def loss(*values: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(model, dict(zip(names, values, strict=True)), (one,))

    model.forward = lambda one: model.loss(one, ()).total  # type: ignore[method-assign]
    assert torch.autograd.gradcheck(loss, tuple(w.detach().clone().requires_grad_() for w in weights))


@pytest.mark.parametrize(
    ("answer", "solve"),
    [("hull", pointing.hulls), ("tour", pointing.round_tours), ("triangles", pointing.triangulations)],
)
def test_an_answer_is_the_likeliest_pointer_at_every_step(answer: str, solve: pointing.Solve) -> None:
    model = filled(PointerNetwork(LSTM, [6, 6], answer, two_directions=True)).eval()
    one = batch(6, 5, solve)
    said = model.predict(one)
    points = one.tensor("points")
    memory, scores, start = model.encode(points)
    x = torch.cat([model.start_of(memory), pointed_at(memory, said[:-1])])
    logits = scores(model.decoder(x, start)[0])
    masked = logits.masked_fill(~model.possibilities(said, 6), -torch.inf)
    going_on = torch.cat([torch.ones(1, 5, dtype=torch.bool), (said[:-1] != 0).cummin(0).values])
    assert torch.equal(masked.argmax(-1)[going_on], said[going_on])
    assert (said[-1] == 0).all()


def test_rows_and_what_stands_past_an_answer_change_nothing() -> None:
    model = filled(PointerNetwork(LSTM, [4], "hull"))
    one = batch(7, 6)
    targets = one.ragged("targets")
    whole = model.loss(one, ())
    alone = 0.0
    for row in range(6):
        own = Ragged(targets.values[:, row : row + 1], targets.lengths[row : row + 1])
        fields = {"points": one.tensor("points")[:, row : row + 1], "targets": own}
        alone += float(model.loss(Batch(fields), ()).total.detach())
    assert alone == pytest.approx(float(whole.total.detach()), rel=1e-12)
    spoilt = targets.values.masked_fill(~targets.mask(), 5)
    again = model.loss(Batch({"points": one.tensor("points"), "targets": Ragged(spoilt, targets.lengths)}), ())
    assert torch.equal(again.total, whole.total)
    together = model.predict(one)
    for row in range(6):
        said = model.predict(Batch({"points": one.tensor("points")[:, row : row + 1]}))
        assert torch.equal(said[:, 0], together[: len(said), row])


def test_one_model_reads_as_many_points_as_there_are() -> None:
    model = filled(PointerNetwork(LSTM, [4], "tour"))
    for count in (5, 12):
        said = model.predict(batch(count))
        assert (said.sort(0).values == torch.arange(count + 1)[:, None]).all()


def test_it_learns_what_it_is_shown() -> None:
    torch.manual_seed(0)
    model = PointerNetwork(LSTM, [32], "hull", two_directions=True)
    points = planar.draw_points(np.random.default_rng(0), 8, 6)
    one = Batch(pointing.example(points, pointing.hulls(points)))
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(80):
        optimiser.zero_grad()
        model.loss(one, ()).total.backward()
        optimiser.step()
    targets = one.ragged("targets")
    said = model.predict(one)[: len(targets.values)]
    assert torch.equal(said, targets.values[: len(said)])


def test_without_pointers_it_answers_for_so_many_points_and_no_more() -> None:
    model = filled(PointerNetwork(LSTM, [4], "hull", vocabulary=6)).eval()
    assert model.predict(batch(6)).shape[1] == 4
    with pytest.raises(ShapeError, match="a vocabulary of 6 numbers answers for as many points; 7 came"):
        model.predict(batch(7))
