"""How far back a gradient reaches: ‖∂L_T/∂h_t‖ against the distance T − t, for any cell and for a trained model.

    L_T = ⟨v, y_T⟩,  ‖v‖ = 1                                a loss on the last output alone
    ∂L_T/∂s_t = (∂s_{t+1}/∂s_t)ᵀ … (∂y_T/∂s_{T−1})ᵀ v       s_t, all of the state: h_t, or (h_t, c_t), …

(Bengio, Simard & Frasconi 1994; Hochreiter 1991; Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063.) For two families
the product is bounded by a theorem, for a vanilla network h_t = φ(W h_{t−1} + U x_t + b) by

    ‖∂L/∂h_t‖ ≤ ‖∂L/∂h_T‖ · ‖W‖^{T−t} · Π_s ‖D_s‖,          D_s = diag φ'(…) at step s, t < s ≤ T

and for a leaky one, h_t = α ∘ h_{t−1} + (1 − α) ∘ tanh(W h_{t−1} + U x_t + b), by

    ‖∂L/∂h_t‖ ≤ ‖∂L/∂h_T‖ · Π_s (max α + ‖(1 − α) D_s‖ · ‖W‖),

‖·‖ being the largest singular value. Gates depend on the state themselves, and so leave no such product of constants.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from unrolled import states
from unrolled.cells.cell import Cell
from unrolled.cells.elman import Elman
from unrolled.cells.leaky import Leaky, LearntLeaky
from unrolled.diagnostics.unrolling import Reading, differentiable, flatten, in_double, of_cell, of_model, unroll
from unrolled.errors import DataError, OptionError
from unrolled.figures import Curves, Series, Table
from unrolled.models.language_model import LanguageModel
from unrolled.states import State


class Flow(NamedTuple):
    """How a gradient flows back over T steps, in B rows.

    norms: (T + 1, B) float64, by distance T − t: first ‖∂L/∂y_T‖ = ‖v‖, then ‖∂L/∂s_{T−1}‖, at last ‖∂L/∂s_0‖.
    bound: (T + 1, B), never below the norms, for the cells that have one.
    about_bound: what the bound is, or why there is none.
    """

    norms: Tensor
    bound: Tensor | None
    about_bound: str


@torch.enable_grad()
def flow(
    cell: Cell,
    x: Tensor,
    v: Tensor | None = None,
    state: State | None = None,
    condition: Tensor | None = None,
    leaf: str = "",
) -> Flow:
    """The gradient of ⟨v, y_T⟩ back through a cell that reads x (T, B, F), or symbols (T, B).

    v: (B, output_size); None draws one of length 1 for each row, always the same.
    leaf: the field of the state that is looked at; "" takes all together, a complex one as pairs of real numbers.
        OptionError where the state has none of that name, or no gradient flows through it.
    """
    reading = of_cell(cell, x, state, condition)
    output, places = unroll(reading)
    if v is None:
        v = torch.randn(output.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        v = v / torch.linalg.vector_norm(v.flatten(1), dim=1).reshape(-1, *([1] * (v.dim() - 1)))
    looked_at = [_looked_at(place, leaf) for place in places]
    gradients = _gradients((output * v).sum(), looked_at)
    first = torch.linalg.vector_norm(v.double().flatten(1), dim=1)
    norms = torch.stack([first, *(torch.linalg.vector_norm(flatten(g), dim=1) for g in reversed(gradients))])
    factors, about = _step_bounds(cell, reading, places)
    bound = None
    if factors is not None:
        bound = first * torch.cat([torch.ones_like(factors[:1]), factors.flip(0).cumprod(0)])
    return Flow(norms, bound, about)


def _looked_at(state: State, leaf: str) -> tuple[Tensor, ...]:
    named = dict(states.leaves(state))
    if leaf and leaf not in named:
        raise OptionError(f"the state has no field {leaf!r}; it has {', '.join(map(repr, named))}")
    chosen = [named[leaf]] if leaf else list(named.values())
    if not any(map(differentiable, chosen)):
        raise OptionError(f"no gradient flows through {leaf!r}" if leaf else "the state has no field for a gradient")
    return tuple(one for one in chosen if differentiable(one))


def _gradients(loss: Tensor, places: list[tuple[Tensor, ...]]) -> list[tuple[Tensor, ...]]:
    """∂loss/∂ each place, zero where it has no part in the loss."""
    flat = [leaf for place in places for leaf in place]
    found = iter(torch.autograd.grad(loss, flat, allow_unused=True))
    return [tuple(torch.zeros_like(leaf) if (g := next(found)) is None else g for leaf in place) for place in places]


def _step_bounds(cell: Cell, reading: Reading, places: list[State]) -> tuple[Tensor | None, str]:
    """(T, B), a number for each step that ‖∂h_t/∂h_{t−1}‖ does not exceed; and in words what it is, or why none is."""
    if not isinstance(cell, Elman) or not _is_vanilla_or_leaky(type(cell)):
        kind = type(cell).__name__
        return None, f"none: the theorem is about vanilla and leaky networks, and {kind} is neither"
    combine = type(cell).combine
    cell = in_double(cell)
    weights = cell.prepare()
    u = cell.project(reading.x, weights)
    past = states.detach(states.stack(places))
    pre = (u + cell.recur(past, weights)).requires_grad_()
    W = torch.linalg.matrix_norm(cell.W, 2)
    if combine is Elman.combine:
        (D,) = torch.autograd.grad(cell.phi(pre).sum(), pre)
        return W * D.abs().amax(-1), "‖W‖^{T−t} Π‖D_s‖"
    D = 1 - torch.tanh(pre.detach()) ** 2
    alpha = torch.sigmoid(cell.a) if isinstance(cell, LearntLeaky) else torch.tensor(cell.alpha, dtype=torch.float64)
    return alpha.max() + W * ((1 - alpha) * D).abs().amax(-1), "Π(max α + ‖(1 − α) D_s‖ ‖W‖)"


def _is_vanilla_or_leaky(kind: type[Elman]) -> bool:
    """By its methods: a subclass with another φ or another start still is, one with another step is not."""
    linear = (kind.project, kind.recur, kind.prepare) == (Elman.project, Elman.recur, Elman.prepare)
    return linear and kind.combine in (Elman.combine, Leaky.combine, LearntLeaky.combine)


def scaled(cell: Cell, singular_value: float) -> Cell:
    """A copy whose recurrent matrix W has this largest singular value, each gate's (or distance's) block of it.

    OptionError where the cell has no such W, or its W is zero.
    """
    if not 0 < singular_value < float("inf"):
        raise OptionError(f"a largest singular value is above 0 and finite; {singular_value} came")
    H = cell.hidden_size
    if not _can_be_scaled(cell):
        raise OptionError(
            f"{type(cell).__name__} has no recurrent matrix W of (gates · {H}, {H}) whose size could be chosen"
        )
    new = copy.deepcopy(cell)
    with torch.no_grad():
        for row in new.get_parameter("W").split(H, 0):
            for block in row.split(H, 1):
                largest = torch.linalg.matrix_norm(block.double(), 2)
                if largest == 0:
                    raise OptionError(f"the recurrent matrix W of {type(cell).__name__} is zero: it cannot be scaled")
                block.mul_(singular_value / float(largest))
    return new


def _can_be_scaled(cell: Cell) -> bool:
    H, W = cell.hidden_size, dict(cell.named_parameters()).get("W")
    return W is not None and W.dim() == 2 and H in W.shape and not (W.shape[0] % H or W.shape[1] % H)


def compare_cells(
    makers: Mapping[str, Callable[[int, int], Cell]],
    input_size: int = 8,
    hidden_size: int = 64,
    steps: int = 100,
    rows: int = 8,
    singular_value: float | None = None,
    seed: int = 0,
) -> dict[str, Flow]:
    """Each cell as it starts, on the same random input x ~ N(0, 1) of (steps, rows, input_size).

    singular_value: of every W (see `scaled`); a cell that has none, an orthogonal one, say, stays as it starts, which
        is told where its bound is. None leaves all as they start. OptionError where no cell has one.
    """
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(steps, rows, input_size, generator=generator, dtype=torch.float64)
    cells = {}
    for name, make in makers.items():
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            cells[name] = make(input_size, hidden_size)
    as_they_start: set[str] = set()
    if singular_value is not None:
        # Where none has such a W, all are asked to be scaled, and the first says that it cannot be.
        able = [name for name, cell in cells.items() if _can_be_scaled(cell)] or list(cells)
        as_they_start = cells.keys() - able
        cells |= {name: scaled(cells[name], singular_value) for name in able}
    flows = {}
    for name, cell in cells.items():
        C = cell.condition_size
        condition = torch.randn(rows, C, generator=generator, dtype=torch.float64) if C else None
        flows[name] = flow(cell, x, condition=condition)
        if name in as_they_start:
            about = f"{flows[name].about_bound}; it has no W to be scaled, and is as it starts"
            flows[name] = flows[name]._replace(about_bound=about)
    return flows


def gradient_flow(flows: Mapping[str, Flow], title: str = "How far back a gradient reaches") -> Curves:
    """One line a cell, the mean over its rows, on a logarithmic axis; a bound is a line of its own.

    A line that falls straight down is a gradient that vanishes, one that rises a gradient that explodes.
    """
    series = []
    for name, found in flows.items():
        series.append(_series(name, found.norms))
        if found.bound is not None:
            series.append(_series(f"{name}, bound", found.bound, beside=name))
    return Curves(title, tuple(series), "distance T − t, steps", "‖∂L_T/∂h_t‖", y_log=True)


def _series(name: str, norms: Tensor, first: int = 0, beside: str = "") -> Series:
    means = norms.mean(1).tolist()
    return Series(name, tuple(float(first + k) for k in range(len(means))), tuple(means), beside)


def about_bounds(flows: Mapping[str, Flow], title: str = "Bounds on the gradient") -> Table:
    """Which cell's gradient is bounded by what, and which one's by nothing, and why."""
    return Table(title, ("cell", "bound"), tuple((name, found.about_bound) for name, found in flows.items()))


@torch.enable_grad()
def text_flow(
    model: LanguageModel,
    symbols: Tensor,
    state: State | None = None,
    title: str = "How the last symbol's loss flows back through the text",
) -> Curves:
    """‖∂L_T/∂s_t‖ for L_T = −ln p(the last of `symbols` | those before it), symbols (T + 1,) int64.

    Distance 1 is the state that the last step began with. Where there are several layers, each has a line, for the part
    of the gradient in its state with the other layers' states held, and one line takes all together.
    DataError where the text has fewer than two symbols.
    """
    if symbols.dim() != 1 or len(symbols) < 2:
        raise DataError(f"a text of 2 symbols or more, (T,), was expected; {tuple(symbols.shape)} came")
    logits, places = unroll(of_model(model, symbols[:-1], state))
    loss = -logits[0].log_softmax(-1)[int(symbols[-1])]
    by_layer = [[_looked_at(layer, "") for layer in place] for place in places]
    gradients = _gradients(loss, [sum(place, ()) for place in by_layer])
    whole = torch.stack([torch.linalg.vector_norm(flatten(g), dim=1) for g in reversed(gradients)])
    series = [_series("the whole state", whole, first=1)]
    layers = len(by_layer[0])
    for number in range(layers if layers > 1 else 0):
        start = sum(len(leaves) for leaves in by_layer[0][:number])
        end = start + len(by_layer[0][number])
        own = torch.stack([torch.linalg.vector_norm(flatten(g[start:end]), dim=1) for g in reversed(gradients)])
        series.append(_series(f"layer {number + 1}", own, first=1))
    return Curves(title, tuple(series), "distance T − t, symbols", "‖∂L_T/∂h_t‖", y_log=True)
