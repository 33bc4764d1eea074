"""`clipping-cliff`: why a gradient is clipped, seen on the loss of a network with one unit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, cast

from unrolled.figures import Curves, HeatMap, Series, from_json
from unrolled.studies.study import Answer, Extent, Job, Outcome, Quantity, Study


def jobs(extent: Extent) -> list[Job]:
    """One: the surface, and both ways down."""
    return [Job("cliff", {}, {})]


def work(options: Mapping[str, Any]) -> dict[str, Any]:
    """The two figures of the diagnostic."""
    from unrolled.diagnostics.clipping_cliff import clipping_cliff

    cliff = clipping_cliff()
    return {"surface": cliff.surface.to_json(), "losses": cliff.losses.to_json()}


def answer(outcomes: Sequence[Outcome]) -> Answer:
    """The pictures; the longest step of each way, and where it ends."""
    (outcome,) = outcomes
    surface = cast(HeatMap, from_json(outcome.found["surface"]))
    losses = cast(Curves, from_json(outcome.found["losses"]))
    steps = [_longest_step(path) for path in surface.paths]
    ends = [series.y[-1] for series in losses.series]
    results: dict[str, Quantity] = {}
    for how, step, end in zip(("not clipped", "clipped"), steps, ends, strict=True):
        results[f"last loss, {how}"] = Quantity("squared error", (end,))
        results[f"longest step, {how}"] = Quantity("places of the map", (step,))
    start, updates = losses.series[0].y[0], len(losses.series[0].y)
    words = (
        f"Both ways start at a loss of {start:.4g}. Without clipping, the longest step between two updates leads over "
        f"{steps[0]:.3g} places of the map, and after {updates} updates the loss is {ends[0]:.4g}; with the gradient "
        f"clipped it leads over {steps[1]:.3g}, and the loss is {ends[1]:.4g}.",
    )
    return Answer(words, {"surface": surface, "losses": losses}, results)


def _longest_step(path: Series) -> float:
    places = list(zip(path.x, path.y, strict=True))
    return max(math.dist(before, after) for before, after in pairwise(places))


STUDY = Study(
    summary="What clipping does at the cliff of a recurrent network's loss",
    source="Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063",
    question="What does gradient descent do where the loss of a recurrent network rises like a wall, with its gradient "
    "as it is, and clipped by its norm? A network of one unit has two weights, so that the whole loss can be drawn; "
    "two ways down start at one place and differ in nothing but clipping.",
    jobs=jobs,
    answer=answer,
    work=work,
    seeds=(),
)
