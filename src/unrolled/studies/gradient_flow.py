"""`gradient-flow`: how far back a gradient reaches in each kind of recurrence, and what theory says of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from unrolled.figures import Curves, Series, Table
from unrolled.studies.study import Answer, Extent, Job, Outcome, Quantity, Study

#: One of each kind: vanilla, with a leak, with skips in time, orthogonal, with gates and a cell, with gates alone.
CELLS = ("elman", "leaky", "time-skip", "exp-rnn", "lstm", "gru")
#: Largest singular values of a vanilla network's W: the gradient must vanish, may stay, may explode.
SINGULAR_VALUES = (0.8, 1.0, 1.5, 2.0)
#: Steps, hidden units, features of the input and rows.
STEPS, HIDDEN, FEATURES, ROWS = 100, 64, 8, 8
#: What a bound is scaled by to see that it would be crossed if it were any lower.
LOWERED = 0.9


def jobs(extent: Extent) -> list[Job]:
    """Each cell as it starts; vanilla networks of other singular values; the linear case. Each for every seed."""
    return [job for seed in extent.seeds for job in _jobs_of(seed)]


def _jobs_of(seed: int) -> Iterator[Job]:
    for cell in CELLS:
        yield Job(f"{cell}-{seed}", {"line": cell, "seed": seed}, {"cell": cell, "seed": seed})
    for value in SINGULAR_VALUES:
        options = {"cell": "elman", "seed": seed, "singular_value": value}
        yield Job(f"elman-{value:g}-{seed}", {"line": f"‖W‖ = {value:g}", "seed": seed}, options)
    yield Job(f"linear-{seed}", {"line": "linear", "seed": seed}, {"cell": "linear", "seed": seed})


def work(options: Mapping[str, Any]) -> dict[str, Any]:
    """The mean gradient norm and bound over rows, by distance, and where the bound is crossed, of one cell."""
    if options["cell"] == "linear":
        return _linear(options["seed"])
    from unrolled.cells import registry
    from unrolled.diagnostics.gradient_flow import compare_cells

    flow = compare_cells(
        {options["cell"]: registry.find(options["cell"])},
        input_size=FEATURES,
        hidden_size=HIDDEN,
        steps=STEPS,
        rows=ROWS,
        singular_value=options.get("singular_value"),
        seed=options["seed"],
    )[options["cell"]]
    found: dict[str, Any] = {"norms": flow.norms.mean(1).tolist(), "about": flow.about_bound}
    if flow.bound is not None:
        # At the distance 0 a norm is its own bound; rounding is allowed for.
        norms, bound = flow.norms[1:], flow.bound[1:]
        found["bound"] = flow.bound.mean(1).tolist()
        found["crossed"] = float((norms > bound * (1 + 1e-9)).double().mean())
    return found


def _linear(seed: int) -> dict[str, Any]:
    """h_t = W h_{t−1} + U x_t with W symmetric, W = Q Λ Qᵀ: ∂L_T/∂h_{T−k} = Q Λ^k Qᵀ v, exactly.

    v is first drawn at random, and compared with that at every distance; then it is the eigenvector of the largest
    |λ|, with which the bound ‖W‖^k is attained, so that one that is lower is crossed.
    """
    import torch

    from unrolled.cells.elman import Elman
    from unrolled.diagnostics.gradient_flow import flow

    class Linear(Elman):
        """φ(x) = x."""

        NAME = "linear"

        @staticmethod
        def phi(pre: torch.Tensor) -> torch.Tensor:
            return pre

    torch.manual_seed(seed)
    cell = Linear(FEATURES, HIDDEN).double()
    drawn = torch.randn(HIDDEN, HIDDEN, dtype=torch.float64)
    values, Q = torch.linalg.eigh(drawn + drawn.T)
    values = values / values.abs().max()
    with torch.no_grad():
        cell.W.copy_(Q @ torch.diag(values) @ Q.T)
    x = torch.randn(STEPS, 1, FEATURES, dtype=torch.float64)
    v = torch.randn(1, HIDDEN, dtype=torch.float64)
    distances = torch.arange(STEPS + 1, dtype=torch.float64)[:, None]
    exact = (values.abs() ** distances * (v @ Q).abs()).square().sum(1).sqrt()
    random = flow(cell, x, v=v).norms[:, 0]
    largest = flow(cell, x, v=Q[:, values.abs().argmax()][None])
    assert largest.bound is not None
    lowered = largest.bound[1:, 0] * LOWERED ** distances[1:, 0]
    return {
        "norms": random.tolist(),
        "error": float(((random - exact) / exact).abs().max()),
        "crossed": float((largest.norms[1:, 0] > largest.bound[1:, 0] * (1 + 1e-9)).double().mean()),
        "lowered": float((largest.norms[1:, 0] > lowered).double().mean()),
    }


def answer(outcomes: Sequence[Outcome]) -> Answer:
    """One plot of the cells, one of a vanilla network's singular values, and what became of each gradient."""
    lines: dict[str, list[Mapping[str, Any]]] = {}
    for outcome in outcomes:
        lines.setdefault(outcome.job.labels["line"], []).append(outcome.found)
    cells = [line for line in CELLS if line in lines]
    values = [line for line in (f"‖W‖ = {value:g}" for value in SINGULAR_VALUES) if line in lines]
    results = {f"{line}, gradient over {STEPS} steps": _left(lines[line]) for line in [*cells, *values]}
    crossed = [one["crossed"] for line in [*cells, *values] for one in lines[line] if "crossed" in one]
    if crossed:
        results["bound crossed, vanilla and leaky"] = Quantity("share of distances", tuple(crossed), "<= 0")
    if linear := lines.get("linear"):
        errors, lowered = (tuple(one[key] for one in linear) for key in ("error", "lowered"))
        results["linear network, distance from the closed form"] = Quantity("relative", errors, "< 1e-10")
        results["bound crossed, linear network"] = Quantity(
            "share of distances", tuple(one["crossed"] for one in linear), "<= 0"
        )
        results[f"bound with {LOWERED} ‖W‖ crossed, linear network"] = Quantity("share of distances", lowered, "> 0")
    rows = tuple((line, *_row(lines[line])) for line in [*cells, *values])
    columns = ("cell", "norm after 10 steps", "after 50", f"after {STEPS}", "factor a step", "bound")
    figures = {
        "cells": _curves("How far back a gradient reaches, as each cell starts", cells, lines),
        "vanilla": _curves("A vanilla network, by the largest singular value of W", values, lines),
        "table": Table("Gradient norm, the mean over rows and seeds", columns, rows),
    }
    return Answer(_words(cells, lines), figures, results)


def _curves(title: str, names: Sequence[str], lines: Mapping[str, Sequence[Mapping[str, Any]]]) -> Curves:
    series = []
    for name in names:
        for key, label, beside in (("norms", name, ""), ("bound", f"{name}, bound", name)):
            if all(key in one for one in lines[name]):
                means = _means([one[key] for one in lines[name]])
                series.append(Series(label, tuple(float(k) for k in range(len(means))), means, beside))
    return Curves(title, tuple(series), "distance T − t, steps", "‖∂L_T/∂h_t‖", y_log=True)


def _means(several: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """Geometric, since norms of several seeds are apart by factors; zero where one is."""
    return tuple(
        math.exp(math.fsum(math.log(value) for value in at) / len(at)) if min(at) > 0 else 0.0
        for at in zip(*several, strict=True)
    )


def _left(found: Sequence[Mapping[str, Any]]) -> Quantity:
    """What is left of the gradient at the largest distance: its norm there, by that at the distance 0."""
    return Quantity("ratio of norms", tuple(one["norms"][-1] / one["norms"][0] for one in found))


def _row(found: Sequence[Mapping[str, Any]]) -> tuple[float | str | None, ...]:
    norms = _means([one["norms"] for one in found])
    last = norms[-1]
    factor = (last / norms[1]) ** (1 / (STEPS - 1)) if last > 0 else 0.0
    return norms[10], norms[50], last, round(factor, 4), found[0]["about"]


def _words(cells: Sequence[str], lines: Mapping[str, Sequence[Mapping[str, Any]]]) -> tuple[str, ...]:
    left = {cell: _means([[one["norms"][-1] / one["norms"][0]] for one in lines[cell]])[0] for cell in cells}
    if not left:
        return ()
    order = sorted(left, key=lambda cell: -left[cell])
    said = ", ".join(f"{cell} {left[cell]:.2g}" for cell in order)
    return (
        f"Of the gradient at the last step, this much arrives {STEPS} steps earlier, before any training: {said}. "
        f"It reaches farthest in {order[0]}, least far in {order[-1]}.",
    )


STUDY = Study(
    summary="How far back a gradient reaches, in six kinds of recurrence",
    source="Hochreiter 1991; Bengio, Simard & Frasconi 1994; Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063",
    question=f"How large is the gradient of a loss at the last step, {STEPS} steps before it? Cells of {HIDDEN} units, "
    "as they start, read random numbers. For vanilla and leaky networks a theorem bounds the gradient, and the "
    "bound is drawn; for a linear network the gradient is known exactly, and the bound is attained.",
    jobs=jobs,
    answer=answer,
    work=work,
)
