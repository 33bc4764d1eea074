"""Grid cells over pictures equal their papers' equations, place by place; what each place sees, from every corner."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pytest
import torch

from unrolled.cells.cell import count_parameters
from unrolled.cells.grid_lstm import MultiDimensionalLSTM, SpatialLSTM
from unrolled.errors import ShapeError
from unrolled.layers.grid import CORNERS, Grid

B, R, C, F, H = 2, 3, 5, 2, 4


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def read(p, x, place):
    """One picture (rows, columns, F), from its upper left corner, place after place."""
    rows, columns, _ = x.shape
    h, c = np.zeros((rows + 1, columns + 1, H)), np.zeros((rows + 1, columns + 1, H))  # row 0, column 0: outside
    for i in range(rows):
        for j in range(columns):
            up, left = (i, j + 1), (i + 1, j)
            pre = p["U"] @ x[i, j] + p["W"][:, :H] @ h[up] + p["W"][:, H:] @ h[left] + p["b"]
            h[i + 1, j + 1], c[i + 1, j + 1] = place(p, np.split(pre, 5), c[up], c[left])
    return h[1:, 1:]


def spatial(p, pre, c_up, c_left):
    """Theis & Bethge (2015)."""
    g, o, i, f_up, f_left = np.tanh(pre[0]), *(sigmoid(a) for a in pre[1:])
    c = g * i + c_left * f_left + c_up * f_up
    return np.tanh(c * o), c


def multi_dimensional(p, pre, c_up, c_left):
    """Graves, Fernández & Schmidhuber (2007)."""
    a_c, a_o, a_i, a_up, a_left = pre
    w_i, w_up, w_left, w_o = p["p"]
    b_i = sigmoid(a_i + w_i * c_up + w_i * c_left)
    s = sigmoid(a_up + w_up * c_up) * c_up + sigmoid(a_left + w_left * c_left) * c_left + b_i * np.tanh(a_c)
    return sigmoid(a_o + w_o * s) * np.tanh(s), s


ORACLES = {SpatialLSTM: spatial, MultiDimensionalLSTM: multi_dimensional}
cells = pytest.mark.parametrize("cell", ORACLES, ids=lambda cell: cell.__name__)
directions = pytest.mark.parametrize("four", [False, True], ids=["one", "four"])


def layer(cell, four=False, seed=0) -> Grid:
    torch.manual_seed(seed)
    net = Grid(cell, F, H, four).double()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.normal_(std=0.7)
    return net


def pictures(rows: int = R, columns: int = C, B: int = B) -> torch.Tensor:
    return torch.randn(B, rows, columns, F, dtype=torch.float64)


def expected(net: Grid, cell, x: np.ndarray) -> np.ndarray:
    """All corners of one picture, side by side."""
    outputs = []
    for one, (below, right) in zip(net.cells, CORNERS, strict=False):
        p = {name: value.detach().numpy() for name, value in one.named_parameters()}
        turn = (slice(None, None, -1 if below else 1), slice(None, None, -1 if right else 1))
        outputs.append(read(p, x[turn], ORACLES[cell])[turn])
    return np.concatenate(outputs, -1)


@pytest.mark.parametrize(("rows", "columns"), [(3, 5), (5, 3), (4, 4), (1, 6), (6, 1), (1, 1), (2, 9)])
@cells
@directions
def test_a_layer_equals_the_equations_place_by_place(cell, four, rows, columns):
    net, x = layer(cell, four), pictures(rows, columns)
    output = net(x).detach().numpy()
    for b in range(B):
        np.testing.assert_allclose(output[b], expected(net, cell, x[b].numpy()), rtol=1e-11, atol=1e-12)


@cells
@directions
def test_pictures_of_several_sizes_give_what_each_gives_alone_whatever_lies_outside(cell, four):
    net, x = layer(cell, four), pictures(B=4)
    heights, widths = torch.tensor([R, 2, 0, 3]), torch.tensor([C, 4, 3, 1])
    outside = torch.ones(4, R, C, dtype=torch.bool)
    for b in range(4):
        outside[b, : heights[b], : widths[b]] = False
    results = []
    for garbage in (0.0, float("nan")):
        given = x.masked_fill(outside[..., None], garbage).requires_grad_()
        output = net(given, heights, widths)
        grads = torch.autograd.grad(output.square().sum(), [given, *net.parameters()])
        results.append((output, *grads))
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))
    output = results[0][0]
    assert not output[outside].any()
    for b in (0, 1, 3):
        alone = net(x[b : b + 1, : heights[b], : widths[b]])
        torch.testing.assert_close(output[b : b + 1, : heights[b], : widths[b]], alone)


@cells
@directions
def test_gradients_equal_finite_differences(cell, four):
    net = Grid(cell, 1, 1, four).double()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.normal_(std=0.7)
    x = torch.randn(2, 2, 3, 1, dtype=torch.float64, requires_grad=True)
    sizes = torch.tensor([2, 1]), torch.tensor([3, 2])
    assert torch.autograd.gradcheck(lambda *_: net(x, *sizes), (x, *net.parameters()))


def sees(net: Grid, i: int, j: int) -> torch.Tensor:
    """(rows, columns, corners): where a change at (i, j) changes something of each corner's output."""
    x = pictures(B=1)
    moved = x.clone()
    moved[0, i, j] += 1
    return (net(x) != net(moved))[0].unflatten(-1, (-1, H)).any(-1)


@cells
def test_one_direction_is_causal_and_reaches_all_that_comes_after(cell):
    net = layer(cell)
    for i in range(R):
        for j in range(C):
            after = torch.zeros(R, C, dtype=torch.bool)
            after[i:, j:] = True
            assert torch.equal(sees(net, i, j)[..., 0], after)


@cells
def test_four_directions_see_each_its_quarter_and_together_everything(cell):
    net = layer(cell, four=True)
    for i, j in ((0, 0), (1, 2), (R - 1, C - 1), (2, 0)):
        seen = sees(net, i, j)
        assert seen.any(-1).all()
        for number, (below, right) in enumerate(CORNERS):
            quarter = torch.zeros(R, C, dtype=torch.bool)
            quarter[slice(0, i + 1) if below else slice(i, None), slice(0, j + 1) if right else slice(j, None)] = True
            assert torch.equal(seen[..., number], quarter)


@cells
def test_exchanged_corners_are_seen(cell):
    net, x = layer(cell, four=True), pictures()
    right = net(x)
    for order in permutations(range(4)):
        if order != (0, 1, 2, 3):
            other = layer(cell, four=True)
            other.cells = torch.nn.ModuleList([net.cells[k] for k in order])
            assert (other(x) - right).abs().max() > 1e-3, order


@cells
def test_exchanged_gates_neighbours_and_axes_are_seen(cell):
    net, x = layer(cell), pictures()
    right = net(x)
    weights = dict(net.cells[0].named_parameters())
    changes = []
    for name, weight in weights.items():
        blocks = weight.detach().chunk(4 if name == "p" else 5)
        for a, b in combinations(range(len(blocks)), 2):
            order = list(range(len(blocks)))
            order[a], order[b] = b, a
            changes.append((name, torch.cat([blocks[k] for k in order])))
    W = weights["W"].detach()
    changes.append(("W", torch.cat([W[:, H:], W[:, :H]], 1)))
    for name, value in changes:
        other = layer(cell)
        with torch.no_grad():
            other.cells[0].get_parameter(name).copy_(value)
        assert (other(x) - right).abs().max() > 1e-3, name
    assert (net(x.transpose(1, 2)).transpose(1, 2) - right).abs().max() > 1e-3


@cells
def test_parameters_are_as_many_as_is_said(cell):
    peepholes = 4 * H if cell is MultiDimensionalLSTM else 0
    assert count_parameters(cell(F, H)) == 5 * H * (F + 2 * H + 1) + peepholes
    assert Grid(cell, F, H, four_directions=True).output_size == 4 * H


@cells
def test_a_step_serves_all_places_of_a_diagonal(cell, monkeypatch):
    net, calls = layer(cell), []
    step = cell.step
    monkeypatch.setattr(cell, "step", lambda self, u, near: calls.append(u.shape[1]) or step(self, u, near))
    net(pictures())
    assert calls == [1, 2, 3, 3, 3, 2, 1]


def test_half_precision_products_are_served():
    net = Grid(MultiDimensionalLSTM, F, H, four_directions=True)
    with torch.autocast("cpu", torch.bfloat16):
        output = net(torch.randn(B, R, C, F))
    output.float().sum().backward()
    assert output.isfinite().all() and all(p.grad.isfinite().all() for p in net.parameters())


@pytest.mark.parametrize(
    ("x", "sizes", "sentence"),
    [
        (torch.zeros(B, R, C), {}, r"x must be \(B, rows, columns, 2\), no axis empty; \(2, 3, 5\) came"),
        (torch.zeros(B, R, C, 3), {}, r"x must be .* \(2, 3, 5, 3\) came"),
        (torch.zeros(B, 0, C, F), {}, "no axis empty"),
        (torch.zeros(B, R, C, F), {"heights": torch.tensor([1, 4])}, "heights must be from 0 to 3; 1 to 4 came"),
        (torch.zeros(B, R, C, F), {"widths": torch.tensor([1])}, r"widths must be \(2,\) int64"),
        (torch.zeros(B, R, C, F), {"widths": torch.tensor([1.0, 2.0])}, r"widths must be \(2,\) int64"),
    ],
)
def test_what_does_not_fit_is_refused(x, sizes, sentence):
    with pytest.raises(ShapeError, match=sentence):
        Grid(SpatialLSTM, F, H)(x, **sizes)


def test_a_cell_without_units_is_refused():
    with pytest.raises(ShapeError, match="hidden_size of SpatialLSTM was 0; it must be 1 or more"):
        SpatialLSTM(F, 0)
