"""Gradient flow against closed forms and against gradients found without it; bounds that hold, and are tight."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unrolled import states
from unrolled.cells import registry
from unrolled.cells.cell import Cell, LinearRecurrentCell, Step, state_like
from unrolled.cells.elman import IRNN, Elman, ElmanReLU, ElmanSigmoid
from unrolled.cells.gru import GRU
from unrolled.cells.leaky import Leaky, LearntLeaky
from unrolled.cells.lru import LRU
from unrolled.cells.lstm import LSTM
from unrolled.cells.time_skip import TimeSkip
from unrolled.cells.unitary import URNN
from unrolled.diagnostics.gradient_flow import about_bounds, compare_cells, flow, gradient_flow, scaled, text_flow
from unrolled.errors import DataError, OptionError, ShapeError
from unrolled.kernels.kernel import Pass
from unrolled.kernels.reference import Reference
from unrolled.models.language_model import LanguageModel

T, B, F, H = 12, 3, 4, 5


class Linear(Elman):
    """h_t = W h_{t-1} + U x_t + b."""

    @staticmethod
    def phi(pre):
        return pre


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("singular_value", [0.6, 1.0, 1.4])
def test_the_linear_case_is_the_closed_form(singular_value):
    """‖∂L/∂h_t‖ = ‖(Wᵀ)^{T−t} v‖, whatever was read."""
    torch.manual_seed(0)
    cell = scaled(Linear(F, H).double(), singular_value)
    with torch.no_grad():
        cell.W.mul_(draw(H, H, seed=3) * 0.3 + 1)  # no longer a multiple of an orthogonal matrix
    v = draw(B, H, seed=1)
    found = flow(cell, draw(40, B, F), v)
    assert found.norms.shape == (41, B)
    power = torch.eye(H, dtype=torch.float64)
    for k in range(41):
        wanted = (v @ power).norm(dim=1)
        assert ((found.norms[k] - wanted).abs() / wanted).max() < 1e-10
        power = power @ cell.W.detach()


def by_cutting(cell: Cell, x: torch.Tensor, v: torch.Tensor, t: int, leaf: str = "") -> torch.Tensor:
    """(B,) ‖∂⟨v, y_T⟩/∂s_t‖: run to t, and from there again with the state as the variable."""
    start = state_like(cell, x)
    if t:
        start = Reference().run([Pass(cell, x[:t], start)])[0].state
    start = states.map_state(lambda part: part.detach().clone().requires_grad_(part.dtype != torch.int64), start)
    output = Reference().run([Pass(cell, x[t:], start)])[0].output[-1]
    named = {name: part for name, part in states.leaves(start) if part.requires_grad and leaf in ("", name)}
    found = torch.autograd.grad((output * v).sum(), list(named.values()), allow_unused=True)
    squares = [g.abs().flatten(1).square().sum(1) for g in found if g is not None]
    return sum(squares, torch.zeros(len(v), dtype=torch.float64)).sqrt()


@pytest.mark.parametrize(
    ("make", "leaf"),
    [(LSTM, ""), (LSTM, "hidden"), (LSTM, "cell"), (GRU, ""), (TimeSkip, ""), (URNN, "hidden"), (LRU, ""), (Leaky, "")],
)
def test_it_is_what_cutting_the_sequence_at_each_step_gives(make, leaf):
    torch.manual_seed(1)
    cell = make(F, H).double()
    x, v = draw(T, B, F), draw(B, cell.output_size, seed=1)
    found = flow(cell, x, v, leaf=leaf).norms
    torch.testing.assert_close(found[0], v.norm(dim=1))
    for k in range(1, T + 1):
        torch.testing.assert_close(found[k], by_cutting(cell, x, v, T - k, leaf), rtol=1e-9, atol=1e-300)


class MemoryState(NamedTuple):
    hidden: torch.Tensor  # (B, H)
    rate: torch.Tensor  # (B, 1), handed on as it is
    count: torch.Tensor  # (B), whole


class Memory(LinearRecurrentCell):
    """h_t = rate · h_{t-1} + x_t: a leaf that never changes, and a counter."""

    def prepare(self):
        return None

    def project(self, x, weights, condition=None):
        return x

    def initial_state(self, shape, device, dtype):
        return MemoryState(
            torch.zeros(*shape, self.hidden_size, dtype=dtype),
            torch.full((*shape, 1), 0.5, dtype=dtype),
            torch.zeros(*shape, dtype=torch.int64),
        )

    def recur(self, state, weights):
        return state.rate * state.hidden

    def combine(self, u_t, r, state):
        return Step(u_t + r, MemoryState(u_t + r, state.rate, state.count + 1), {})


def test_a_field_that_is_handed_on_unchanged_counts_from_each_step_anew():
    """h_T = rate^n h_t + Σ_j rate^{n−j} x_{t+j}, so ∂h_T/∂rate at s_t is a sum by hand; a counter has none."""
    x = draw(6, 1, 2)
    v = torch.tensor([[1.0, -2.0]], dtype=torch.float64)
    found = flow(Memory(2, 2), x, v, state_like(Memory(2, 2), x), leaf="rate").norms
    h = [torch.zeros(2, dtype=torch.float64)]
    for x_t in x[:, 0]:
        h.append(0.5 * h[-1] + x_t)
    for k in range(1, 7):
        t = 6 - k
        by_hand = k * 0.5 ** (k - 1) * h[t] + sum((k - j) * 0.5 ** (k - j - 1) * x[t + j - 1, 0] for j in range(1, k))
        assert found[k, 0] == pytest.approx(abs(float(by_hand @ v[0])), rel=1e-12)
    with pytest.raises(OptionError, match="no gradient flows through 'count'"):
        flow(Memory(2, 2), x, leaf="count")
    with pytest.raises(OptionError, match="no field 'cell'; it has 'hidden', 'rate', 'count'"):
        flow(Memory(2, 2), x, leaf="cell")


# Bounds


class Softened(Elman):
    """Another step: the theorem is not about it."""

    def combine(self, u_t, r, state):
        return super().combine(u_t, r * 0.5, state)


BOUNDED = (Linear, Elman, ElmanReLU, ElmanSigmoid, IRNN, Leaky, LearntLeaky)


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from(BOUNDED),
    st.floats(0.2, 3),
    st.floats(0.01, 0.99),
    st.floats(0.01, 10),
    st.integers(1, 6),
    st.integers(0, 10**6),
)
def test_the_bound_is_never_crossed(make, singular_value, alpha, size, hidden, seed):
    torch.manual_seed(seed)
    cell = make(F, hidden, alpha=alpha) if issubclass(make, (Leaky, LearntLeaky)) else make(F, hidden)
    with torch.no_grad():
        cell.W.add_(torch.randn_like(cell.W))
        cell.b.add_(torch.randn_like(cell.b))
        if make is LearntLeaky:
            cell.a.add_(torch.randn_like(cell.a))
    found = flow(scaled(cell, singular_value), draw(15, 2, F, seed=seed) * size)
    assert (found.norms <= found.bound * (1 + 1e-12)).all()


@pytest.mark.parametrize("make", BOUNDED)
def test_the_bound_is_tight_so_that_nine_tenths_of_it_are_crossed(make):
    """With W a multiple of 1, no input and no bias, each step shrinks or stretches every direction alike."""
    cell = make(F, H)
    with torch.no_grad():
        cell.W.copy_(1.2 * torch.eye(H))
        cell.b.fill_(0.0)
        if make in (ElmanReLU, IRNN):
            cell.b.fill_(1.0)  # away from the kink
    found = flow(cell.double(), torch.zeros(10, 1, F))
    torch.testing.assert_close(found.norms, found.bound, rtol=1e-9, atol=0)
    assert (found.norms[1:] > 0.9 * found.bound[1:]).all()
    assert found.norms[-1] < 10 * found.bound[-1]


def test_the_bound_multiplies_what_was_recorded_at_each_step():
    """‖W‖ max(1 − h²) for a vanilla network and max α + max((1 − α)(1 − C²)) ‖W‖ for a leaky one, from the gates."""
    for make in (Elman, LearntLeaky):
        torch.manual_seed(2)
        cell = make(F, H).double()
        x, v = draw(T, 1, F), draw(1, H, seed=1)
        candidate = Reference().run([Pass(cell, x, state_like(cell, x))], ["gates"])[0].gates["candidate"]
        with torch.no_grad():
            D, W = 1 - candidate[:, 0] ** 2, torch.linalg.svdvals(cell.W)[0]
            alpha = torch.sigmoid(cell.a) if make is LearntLeaky else torch.zeros(H, dtype=torch.float64)
            factors = alpha.max() + W * ((1 - alpha) * D).max(1).values
        wanted, bound = v.norm(), flow(cell, x, v).bound[:, 0]
        for k in range(T + 1):
            torch.testing.assert_close(bound[k], wanted, rtol=1e-12, atol=0)
            wanted = wanted * factors[T - 1 - k]


@pytest.mark.parametrize("make", [LSTM, GRU, TimeSkip, URNN, Softened])
def test_where_there_is_no_theorem_there_is_no_bound_but_a_word(make):
    found = flow(make(F, H), draw(3, 1, F))
    assert found.bound is None
    assert found.about_bound == f"none: the theorem is about vanilla and leaky networks, and {make.__name__} is neither"
    assert len(gradient_flow({"one": found}).series) == 1
    assert about_bounds({"one": found}).rows == (("one", found.about_bound),)


# Many cells


def test_scaling_sets_the_largest_singular_value_of_every_block():
    torch.manual_seed(0)
    for make, blocks in ((Elman, 1), (LSTM, 4), (GRU, 3), (TimeSkip, 3)):
        cell = make(F, H)
        before = cell.W.clone()
        new = scaled(cell, 1.7)
        for block in new.W.chunk(blocks, 1 if make is TimeSkip else 0):
            assert torch.linalg.svdvals(block)[0].item() == pytest.approx(1.7, rel=1e-5)
        assert torch.equal(cell.W, before)
        assert not torch.equal(new.W, before)
        assert torch.equal(new.U, cell.U)


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_no_other_singular_value(value):
    with pytest.raises(OptionError, match="above 0 and finite"):
        scaled(Elman(F, H), value)


def test_what_cannot_be_scaled_is_said():
    for make in (URNN, LRU):
        with pytest.raises(OptionError, match=f"{make.__name__} has no recurrent matrix W"):
            scaled(make(F, H), 1.0)
    zero = Elman(F, H)
    torch.nn.init.zeros_(zero.W)
    with pytest.raises(OptionError, match="is zero"):
        scaled(zero, 1.0)


def test_every_cell_of_the_package_can_be_compared_and_nothing_else_is_disturbed():
    torch.manual_seed(5)
    random = torch.get_rng_state()
    cells = {name: cell for name, cell in registry.built_in().items() if not cell.PLACES}
    flows = compare_cells(cells, input_size=3, hidden_size=4, steps=4, rows=2)
    assert torch.equal(torch.get_rng_state(), random)
    for name, found in flows.items():
        assert found.norms.shape == (5, 2), name
        assert torch.isfinite(found.norms).all(), name
        torch.testing.assert_close(found.norms[0], torch.ones(2, dtype=torch.float64))
    again = compare_cells({"lstm": LSTM}, input_size=3, hidden_size=4, steps=4, rows=2)["lstm"]
    assert torch.equal(again.norms, flows["lstm"].norms)


def test_a_cell_without_such_a_matrix_stays_as_it_starts_beside_others_and_says_so():
    sizes = {"input_size": 2, "hidden_size": 8, "steps": 12, "rows": 2}
    found = compare_cells({"elman": Elman, "urnn": URNN}, singular_value=0.7, **sizes)
    assert torch.equal(found["urnn"].norms, compare_cells({"urnn": URNN}, **sizes)["urnn"].norms)
    assert torch.equal(
        found["elman"].norms, compare_cells({"elman": Elman}, singular_value=0.7, **sizes)["elman"].norms
    )
    told = dict(about_bounds(found).rows)
    assert told["urnn"].endswith("it has no W to be scaled, and is as it starts") and "starts" not in told["elman"]
    with pytest.raises(OptionError, match="URNN has no recurrent matrix W"):
        compare_cells({"urnn": URNN, "lru": LRU}, singular_value=0.7, **sizes)


def test_the_picture_rises_and_falls_with_the_singular_value():
    sizes = {"input_size": 2, "hidden_size": 16, "steps": 30, "rows": 2}
    falling = compare_cells({"elman": Elman}, singular_value=0.5, **sizes)["elman"]
    assert (falling.norms[-1] <= 0.5**30).all()
    rising = compare_cells({"linear": Linear}, singular_value=1.5, **sizes)["linear"]
    torch.testing.assert_close(rising.norms[-1], torch.full((2,), 1.5**30, dtype=torch.float64), rtol=1e-4, atol=0)
    figure = gradient_flow({"elman": falling, "linear": rising})
    assert [line.name for line in figure.series] == ["elman", "elman, bound", "linear", "linear, bound"]
    assert [line.beside for line in figure.series] == ["", "elman", "", "linear"]
    assert figure.y_log
    assert figure.series[0].x == tuple(map(float, range(31)))
    assert figure.series[0].y == tuple(falling.norms.mean(1).tolist())
    assert figure.series[1].y == tuple(falling.bound.mean(1).tolist())


# A text


@pytest.mark.parametrize(("make", "sizes", "embedding"), [(GRU, (4, 3), 3), (LSTM, (4,), 0), (LSTM, (3, 2), 2)])
def test_through_a_text_it_is_what_reading_the_rest_from_each_state_gives(make, sizes, embedding):
    torch.manual_seed(3)
    model = LanguageModel(make, 5, embedding, sizes, dropout=0.5).double()
    symbols = torch.tensor([0, 3, 1, 4, 4, 2, 0])
    figure = text_flow(model, symbols)
    assert model.training
    model.eval()
    names = [line.name for line in figure.series]
    assert names == ["the whole state", *([f"layer {i + 1}" for i in range(len(sizes))] if len(sizes) > 1 else [])]
    for t in range(6):
        state = model.initial_state(1)
        state = states.map_state(lambda leaf: leaf.double(), state)
        if t:
            state = model.read(symbols[:t, None], state).state
        state = states.map_state(lambda leaf: leaf.detach().clone().requires_grad_(), state)
        logits = model.read(symbols[t:-1, None], state).logits[-1, 0]
        loss = torch.nn.functional.cross_entropy(logits, symbols[-1])
        leaves = [leaf for _, leaf in states.leaves(state)]
        squares = [g.square().sum() for g in torch.autograd.grad(loss, leaves)]
        each = len(squares) // len(sizes)
        wanted = [sum(squares), *(sum(squares[i : i + each]) for i in range(0, len(squares), each))]
        for line, square in zip(figure.series, wanted, strict=False):
            assert line.x[5 - t] == 6 - t
            assert line.y[5 - t] == pytest.approx(float(square.sqrt()), rel=1e-9)


def test_a_state_that_was_carried_in_counts_for_a_text():
    torch.manual_seed(3)
    model = LanguageModel(GRU, 5, 0, (4,))
    symbols = torch.tensor([0, 3, 1, 4, 4, 2, 0])
    carried = model.read(symbols[:4, None], model.initial_state(1)).state
    whole, rest = text_flow(model, symbols).series[0], text_flow(model, symbols[4:], carried).series[0]
    assert rest.y == pytest.approx(whole.y[:2], rel=1e-5)
    with pytest.raises(DataError, match="2 symbols or more"):
        text_flow(model, symbols[:1])


def test_it_needs_no_gradients_of_its_caller():
    with torch.no_grad():
        quiet = compare_cells({"gru": GRU}, steps=3)["gru"].norms
        text = text_flow(LanguageModel(GRU, 5, 0, (4,)), torch.tensor([0, 1, 2]))
    assert torch.equal(quiet, compare_cells({"gru": GRU}, steps=3)["gru"].norms)
    assert min(text.series[0].y) > 0


def test_what_does_not_fit_is_refused():
    with pytest.raises(ShapeError, match="time first"):
        flow(LSTM(F, H), draw(T, B, F + 1))
