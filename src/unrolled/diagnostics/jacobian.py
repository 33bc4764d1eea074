"""The Jacobian of a step, J_t = ∂s_t/∂s_{t−1}, and of many: which directions grow, which fade, and how fast.

    s   all of the state through which a gradient can flow, flattened to n real numbers, a complex one as a pair
    J_t (n, n)                                   row: a number of s_t, column: one of s_{t−1}
    ∂s_t/∂s_{t−k} = J_t J_{t−1} … J_{t−k+1}      over k steps
    λ_i = lim 1/T Σ_t ln R_t[i, i],              J_t Q_{t−1} = Q_t R_t: the Lyapunov exponents

Singular values of the product above 1 are gradients that explode, below 1 that vanish (Pascanu et al. 2013,
arXiv:1211.5063). Exponents are taken by QR (Benettin et al. 1980, doi:10.1007/BF02128236; for recurrent networks
Engelken et al. 2023, arXiv:2006.02427): the largest above 0 is chaos, and every one is what a direction gains a step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from unrolled import states
from unrolled.cells.cell import Cell
from unrolled.diagnostics.unrolling import Reading, differentiable, flatten, of_cell, of_model
from unrolled.errors import OptionError, ShapeError
from unrolled.figures import Curves, Points, Series
from unrolled.models.language_model import LanguageModel
from unrolled.states import State

#: Numbers that the Jacobians of one sequence may have together: a GiB in float64.
MOST = 2**27


def cell_jacobians(cell: Cell, x: Tensor, state: State | None = None, condition: Tensor | None = None) -> Tensor:
    """(T, n, n) float64, one a step, of a cell that reads x (T, 1, F), or symbols (T, 1), from `state` (None: initial).

    ShapeError where x has another number of rows than 1, OptionError where T·n² is more than MOST.
    """
    if x.dim() < 2 or x.shape[1] != 1:
        raise ShapeError(f"Jacobians are those of one row: x as (T, 1, …) was expected; {tuple(x.shape)} came")
    return _jacobians(of_cell(cell, x, state, condition))


def model_jacobians(
    model: LanguageModel, symbols: Tensor, state: State | None = None, last: int | None = None
) -> Tensor:
    """(last, n, n) float64, of the states of all layers together while the last symbols of a text (T,) are read.

    last: None takes all T. OptionError where last·n² is more than MOST.
    """
    if symbols.dim() != 1 or len(symbols) < 1:
        raise ShapeError(f"a text of one symbol or more, (T,), was expected; {tuple(symbols.shape)} came")
    reading = of_model(model, symbols, state)
    skipped = 0 if last is None else max(len(symbols) - last, 0)
    with torch.no_grad():
        for x_t in reading.x[:skipped]:
            _, state = reading.advance(x_t, reading.state)
            reading = reading._replace(state=state)
    return _jacobians(reading._replace(x=reading.x[skipped:]))


@torch.enable_grad()
def _jacobians(reading: Reading) -> Tensor:
    """Step by step: n copies of the row, and from the i-th copy the gradient of the i-th number."""
    n = flatten(reading.state).shape[1]
    T = len(reading.x)
    if not 0 < n * n * T <= MOST:
        raise OptionError(
            f"the state has {n:,} numbers; {T:,} Jacobians would have {n * n * T:,}, and 1 to {MOST:,} are taken. "
            "Choose a smaller network, or fewer steps"
        )
    state = reading.state
    found = []
    for x_t in reading.x:
        copies = states.map_state(lambda leaf: _copies(leaf, n), state)
        _, after = reading.advance(x_t.expand(n, *x_t.shape[1:]), copies)
        places = [leaf for _, leaf in states.leaves(copies) if differentiable(leaf)]
        flat = flatten(after)
        # A state that nothing leads back from, as in a network without memory, has the Jacobian 0.
        own = flat.diagonal().sum()
        gradients = torch.autograd.grad(own, places, allow_unused=True) if own.requires_grad else [None] * len(places)
        parts = [torch.zeros_like(p) if g is None else g for p, g in zip(places, gradients, strict=True)]
        found.append(flatten(tuple(parts)))
        state = states.map_state(lambda leaf: leaf[:1].detach(), after)
    return torch.stack(found)


def _copies(leaf: Tensor, n: int) -> Tensor:
    copies = leaf.expand(n, *leaf.shape[1:]).clone()
    return copies.requires_grad_() if differentiable(leaf) else copies


def product(jacobians: Tensor, steps: int) -> Tensor:
    """(n, n), ∂s_T/∂s_{T−steps}: of the last `steps` of `jacobians` (T, n, n). OptionError for more than there are."""
    if not 1 <= steps <= len(jacobians):
        raise OptionError(f"a product is over 1 to {len(jacobians)} steps; {steps} came")
    whole = jacobians[-steps]
    for J in jacobians[len(jacobians) - steps + 1 :]:
        whole = J @ whole
    return whole


def eigenvalue_points(jacobians: Tensor, title: str = "Eigenvalues of the step's Jacobian") -> Points:
    """Those of the first step, of one in the middle and of the last, in the complex plane, with the unit circle.

    What lies outside the circle grows with each step of this kind, what lies near its middle is forgotten at once.
    """
    T = len(jacobians)
    chosen = sorted({0, T // 2, T - 1})
    series = []
    for t in chosen:
        values = torch.linalg.eigvals(jacobians[t])
        series.append(Series(f"step {t + 1} of {T}", tuple(values.real.tolist()), tuple(values.imag.tolist())))
    return Points(title, tuple(series), "real part", "imaginary part", (unit_circle(),))


def unit_circle() -> Series:
    """Of the complex plane, to draw beside eigenvalues."""
    angles = [2 * math.pi * i / 120 for i in range(121)]
    return Series("unit circle", tuple(map(math.cos, angles)), tuple(map(math.sin, angles)))


def singular_value_curves(
    jacobians: Tensor, spans: Sequence[int] = (), title: str = "Singular values over k steps"
) -> Curves:
    """Of ∂s_T/∂s_{T−k}, in falling order, one line for each k of `spans`; () takes 1, 2, 4, 8, … and all steps.

    Where the lines fan out, some directions of the gradient explode or vanish while others are kept.
    """
    T = len(jacobians)
    doubled = [2**i for i in range(T.bit_length()) if 2**i < T]
    series = []
    for k in spans or (*doubled, T):
        values = torch.linalg.svdvals(product(jacobians, k)).tolist()
        name = f"{k} step{'s' if k > 1 else ''}"
        series.append(Series(name, tuple(float(i + 1) for i in range(len(values))), tuple(values)))
    return Curves(title, tuple(series), "number, in falling order", "singular value", y_log=True)


def lyapunov_exponents(jacobians: Tensor) -> Tensor:
    """(n,) float64, nats a step, in falling order; −∞ where a direction is lost altogether.

    From T steps; how far they are from the limit falls like 1/T.
    """
    T, n, _ = jacobians.shape
    start = torch.randn(n, n, generator=torch.Generator().manual_seed(0), dtype=jacobians.dtype)
    Q, _ = torch.linalg.qr(start)
    total = torch.zeros(n, dtype=jacobians.dtype)
    for J in jacobians:
        Q, R = torch.linalg.qr(J @ Q)
        total += R.diagonal().abs().log()
    return (total / T).sort(descending=True).values


def lyapunov_curve(jacobians: Tensor, title: str = "Lyapunov exponents") -> Curves:
    """In falling order: above 0 a small difference grows, below 0 it fades, by e^λ a step."""
    values = lyapunov_exponents(jacobians).tolist()
    series = Series(f"{len(jacobians)} steps", tuple(float(i + 1) for i in range(len(values))), tuple(values))
    return Curves(title, (series,), "number, in falling order", "nats a step")
