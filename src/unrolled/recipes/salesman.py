"""`salesman`: a short round tour through all points, pointed at in the order of the visit.

From point 1 and counter-clockwise, so that of the two directions of a tour one is right. What is learnt from is the
shortest tour up to 12 points (Held & Karp), and for more the best that exchanges and moves of sides find."""

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
class SalesmanOptions(pointing.PointingOptions):
    """Options of salesman."""

    points: tuple[int, int] = (5, 20)


def data(options: SalesmanOptions, folder: Path, assets: Mapping[str, Any] | None) -> Data:
    from unrolled.data.pointing import round_tours

    return pointing.data(options, "salesman", round_tours, symmetric=True)


def model(options: SalesmanOptions, assets: Mapping[str, Any]) -> PointerNetwork:
    return pointing.model(options, "tour")


def judge(found: list[pointing.Answered]) -> dict[str, float]:
    """Mean lengths of the model's tours, of the best known, and of the nearest neighbour's; the first over the
    second; and how many are the best itself."""
    import numpy as np

    from unrolled.data.tours import nearest_neighbour_tours, tour_length

    points = np.stack([one.points for one in found])
    said = tour_length(points, np.stack([one.said for one in found]))
    best = tour_length(points, np.stack([one.right for one in found]))
    nearest = tour_length(points, nearest_neighbour_tours(points))
    return {
        "length": float(said.mean()),
        "length of the best": float(best.mean()),
        "length by nearest neighbours": float(nearest.mean()),
        "length over the best": float(said.mean() / best.mean()),
        "found the best": pointing.percent([bool(one) for one in said <= best * (1 + 1e-9)]),
    }


def metric(model: PointerNetwork, part: pointing.HeldOutSets) -> dict[str, float]:
    """Nats a pointer; the lengths, and how far they are from the best, for each number of points."""
    return pointing.figures(model, part, judge)


def settings(options: SalesmanOptions) -> Settings:
    return pointing.settings(options, 20_000)


def sample(model: PointerNetwork, assets: Mapping[str, Any], seed: int) -> str:
    from unrolled.data.pointing import round_tours

    return pointing.shown(model, round_tours, assets, seed)


RECIPE = Recipe(
    summary="A short round tour through points in a plane, by a pointer network",
    source="Vinyals, Fortunato & Jaitly 2015, arXiv:1506.03134",
    Options=SalesmanOptions,
    data=data,
    model=model,
    metric=metric,
    settings=settings,
    sample=sample,
    used_by="point RUN",
    target={f"length over the best, {size} points": "<= 1.02" for size in (5, 10)},
    unit="length",
    units={
        "loss": "nats/pointer",
        **{f"length over the best, {size} points": "times" for size in pointing.SIZES},
        **{f"found the best, {size} points": "%" for size in pointing.SIZES},
    },
    peers=tuple(
        (f"{name}, {size} points", value, "Vinyals et al. 2015, table 2")
        for name, size, value in (
            ("pointer network", 5, 2.12),
            ("pointer network", 10, 2.88),
            ("the best", 10, 2.87),
            ("pointer network trained on 5 to 20", 30, 4.72),
        )
    ),
)
