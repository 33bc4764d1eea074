"""`convex-hull`: the corners of the smallest polygon around points, pointed at one by one.

Counter-clockwise from the corner with the lowest number, so that each set of points has one right answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unrolled.recipes import pointing
from unrolled.recipes.recipe import Data, Recipe
from unrolled.training.settings import Settings

if TYPE_CHECKING:
    from unrolled.models.pointer_network import PointerNetwork


@dataclass(frozen=True)
class ConvexHullOptions(pointing.PointingOptions):
    """Options of convex-hull."""

    points: tuple[int, int] = (5, 20)


def data(options: ConvexHullOptions, folder: Path, assets: Mapping[str, Any] | None) -> Data:
    from unrolled.data.pointing import hulls

    return pointing.data(options, "convex-hull", hulls)


def model(options: ConvexHullOptions, assets: Mapping[str, Any]) -> PointerNetwork:
    return pointing.model(options, "hull")


def judge(found: list[pointing.Answered]) -> dict[str, float]:
    """accuracy: the same corners in the same order. area: the polygon's, as a share of the hull's, over those whose
    sides do not cross. crossing: those whose do."""
    import numpy as np

    from unrolled.data.planar import area, is_simple

    simple = [one for one in found if is_simple(one.points[one.said])]
    return {
        "accuracy": pointing.percent([np.array_equal(one.said, one.right) for one in found]),
        "area": pointing.percent([abs(area(one.points[one.said])) / area(one.points[one.right]) for one in simple]),
        "crossing": 100 - 100 * len(simple) / len(found),
    }


def metric(model: PointerNetwork, part: pointing.HeldOutSets) -> dict[str, float]:
    """Nats a pointer; accuracy, area and crossing for each number of points."""
    return pointing.figures(model, part, judge)


def settings(options: ConvexHullOptions) -> Settings:
    return pointing.settings(options, 20_000)


def sample(model: PointerNetwork, assets: Mapping[str, Any], seed: int) -> str:
    from unrolled.data.pointing import hulls

    return pointing.shown(model, hulls, assets, seed)


RECIPE = Recipe(
    summary="The convex hull of points in a plane, by a pointer network",
    source="Vinyals, Fortunato & Jaitly 2015, arXiv:1506.03134",
    Options=ConvexHullOptions,
    data=data,
    model=model,
    metric=metric,
    settings=settings,
    sample=sample,
    used_by="point RUN",
    target={
        "accuracy, 5 points": ">= 92",
        "accuracy, 10 points": ">= 80",
        "area, 5 points": ">= 99",
        "area, 10 points": ">= 99",
    },
    unit="%",
    units={"loss": "nats/pointer"},
    peers=tuple(
        (f"{name}, {size} points", value, "Vinyals et al. 2015, table 1")
        for name, size, value in (
            ("pointer network, accuracy", 5, 92.0),
            ("pointer network, accuracy", 10, 87.0),
            ("pointer network, accuracy", 50, 69.6),
            ("pointer network, area", 50, 99.9),
            ("LSTM without pointers, accuracy", 50, 1.9),
            ("LSTM with attention, accuracy", 50, 38.9),
        )
    ),
)
