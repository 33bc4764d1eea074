"""`delaunay`: the Delaunay triangulation of points, three pointers a triangle.

Of each triangle the numbers rise; triangles stand in the order of their incentres, by x and then by y."""

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
class DelaunayOptions(pointing.PointingOptions):
    """Options of delaunay."""

    points: tuple[int, int] = (5, 10)


def data(options: DelaunayOptions, folder: Path, assets: Mapping[str, Any] | None) -> Data:
    from unrolled.data.pointing import triangulations

    return pointing.data(options, "delaunay", triangulations)


def model(options: DelaunayOptions, assets: Mapping[str, Any]) -> PointerNetwork:
    return pointing.model(options, "triangles")


def judge(found: list[pointing.Answered]) -> dict[str, float]:
    """accuracy: all triangles, and no other, in any order. coverage: the share of the triangles that were found."""

    def triangles(answer: Any) -> set[tuple[int, ...]]:
        return set(map(tuple, answer.reshape(-1, 3).tolist()))

    pairs = [(triangles(one.said), triangles(one.right)) for one in found]
    return {
        "accuracy": pointing.percent([said == right for said, right in pairs]),
        "coverage": pointing.percent([len(said & right) / len(right) for said, right in pairs]),
    }


def metric(model: PointerNetwork, part: pointing.HeldOutSets) -> dict[str, float]:
    """Nats a pointer; accuracy and coverage for each number of points."""
    return pointing.figures(model, part, judge)


def settings(options: DelaunayOptions) -> Settings:
    return pointing.settings(options, 20_000)


def sample(model: PointerNetwork, assets: Mapping[str, Any], seed: int) -> str:
    from unrolled.data.pointing import triangulations

    return pointing.shown(model, triangulations, assets, seed)


RECIPE = Recipe(
    summary="The Delaunay triangulation of points in a plane, by a pointer network",
    source="Vinyals, Fortunato & Jaitly 2015, arXiv:1506.03134",
    Options=DelaunayOptions,
    data=data,
    model=model,
    metric=metric,
    settings=settings,
    sample=sample,
    used_by="point RUN",
    target={"accuracy, 5 points": ">= 80"},
    unit="%",
    units={"loss": "nats/pointer"},
    peers=tuple(
        (f"pointer network, {name}, {size} points", value, "Vinyals et al. 2015, section 4.3")
        for name, size, value in (
            ("accuracy", 5, 80.7),
            ("coverage", 5, 93.0),
            ("accuracy", 10, 22.6),
            ("coverage", 10, 81.3),
        )
    ),
)
