"""`resnet-lesion`: what a residual network and its plain twin lose with a block, and where the gradient comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from unrolled.figures import Curves, Series, Table
from unrolled.studies.study import Answer, Extent, Job, Outcome, Quantity, Study

if TYPE_CHECKING:
    from unrolled.models.model import Model
    from unrolled.recipes.recipe import Data

KINDS = ("residual", "plain")
RECIPE = "residual-depth"
#: Pictures whose gradients are looked at, paths of each length, and blocks a stage of the networks that are compared
#: before training.
PICTURES = 32
PATHS = 16
BLOCKS = (1, 2, 3, 5, 9, 18)


def jobs(extent: Extent) -> list[Job]:
    """A training of each kind, and each kind's gradient before training at several depths, for every seed."""
    made = []
    for seed in extent.seeds:
        for kind in KINDS:
            options = {"kind": kind, "seed": seed, "minutes": extent.minutes}
            made.append(Job(f"{kind}-{seed}", {"what": "lesion", "kind": kind, "seed": seed}, options, recipe=RECIPE))
        made += [
            Job(f"{kind}-depth-{seed}", {"what": "depth", "kind": kind, "seed": seed}, {"kind": kind, "seed": seed})
            for kind in KINDS
        ]
    return made


def work(options: Mapping[str, Any]) -> dict[str, Any]:
    """The gradient at the first layer of networks of several depths, as they start."""
    from pathlib import Path

    import torch

    from unrolled.diagnostics.lesion import gradient_against_depth
    from unrolled.models.residual import ResidualNetwork
    from unrolled.recipes import registry
    from unrolled.recipes.residual_depth import ResidualDepthOptions

    defaults = ResidualDepthOptions()
    data = registry.find(RECIPE).data(defaults, Path(), None)
    pictures, targets = _held_out(data)

    def make(blocks: int) -> ResidualNetwork:
        torch.manual_seed(options["seed"])
        classes = len(data.assets["classes"])
        return ResidualNetwork(classes, blocks, defaults.width, options["kind"] == "residual", defaults.stride)

    some = slice(0, PICTURES)
    curves = gradient_against_depth({options["kind"]: make}, BLOCKS, pictures[some], targets[some])
    return {"layers": list(curves.series[0].x), "norms": list(curves.series[0].y)}


def measure(model: Model, data: Data) -> dict[str, Any]:
    """The lesions, and for a residual network what part of the gradient comes by paths of each length."""
    from unrolled.diagnostics.lesion import gradient_by_path_length, lesion
    from unrolled.models.residual import Block, ResidualNetwork

    network = cast(ResidualNetwork, model)
    pictures, targets = _held_out(data)
    found = lesion(network, pictures, targets)
    measured: dict[str, Any] = {"whole": found.whole, "deleted": list(found.deleted)}
    if cast(Block, network.blocks[0]).residual:
        paths = gradient_by_path_length(network, pictures[:PICTURES], targets[:PICTURES], PATHS)
        measured |= {"counts": list(paths.counts), "norms": list(paths.norms)}
    return measured


def _held_out(data: Data) -> tuple[Any, Any]:
    """The test part's pictures and their classes, as the network sees them."""
    import torch

    part = data.held_out["test"]
    return part.scale.apply(part.pictures.values), torch.from_numpy(part.pictures.labels)


def answer(outcomes: Sequence[Outcome]) -> Answer:
    """Error rates with and without each block, the means over seeds; paths and their gradient; depth."""
    from unrolled.diagnostics.lesion import Lesion, PathGradients, lesion_curves, lesion_table, path_curves

    lesions: dict[str, Lesion] = {}
    results: dict[str, Quantity] = {}
    for kind in KINDS:
        found = [
            o.found["measured"] for o in outcomes if o.job.labels == {**o.job.labels, "what": "lesion", "kind": kind}
        ]
        if not found:
            continue
        lesions[kind] = Lesion(_mean(one["whole"] for one in found), _means([one["deleted"] for one in found]))
        for what, values in (
            ("error rate", [one["whole"] for one in found]),
            ("error rate after a block is deleted, mean over blocks", [_mean(one["deleted"]) for one in found]),
            ("error rate after a block is deleted, worst block", [max(one["deleted"]) for one in found]),
        ):
            results[f"{kind}, {what}"] = Quantity("%", tuple(values))
    figures: dict[str, Table | Curves] = {}
    if lesions:
        figures = {"lesions": lesion_curves(lesions), "table": lesion_table(lesions)}
    paths = [o.found["measured"] for o in outcomes if "counts" in o.found.get("measured", {})]
    if paths:
        mean = PathGradients(tuple(paths[0]["counts"]), _means([one["norms"] for one in paths]))
        figures["paths"] = path_curves(mean)
        lengths = [_mean_length(PathGradients(tuple(one["counts"]), tuple(one["norms"])).shares) for one in paths]
        results["mean length of the paths that the gradient takes"] = Quantity("branches", tuple(lengths))
    depth = {kind: [o.found for o in _of(outcomes, "depth", kind)] for kind in KINDS}
    series = [
        Series(kind, tuple(found[0]["layers"]), _means([one["norms"] for one in found]))
        for kind, found in depth.items()
        if found
    ]
    if series:
        title = "Gradient at the first layer against depth, before training"
        figures["depth"] = Curves(title, tuple(series), "layers with weights", "norm of the gradient", y_log=True)
        for kind, found in depth.items():
            ratios = tuple(one["norms"][-1] / one["norms"][0] for one in found)
            if ratios:
                results[f"{kind}, gradient at the first layer, deepest by shallowest"] = Quantity("ratio", ratios)
    return Answer(_words(lesions, results), figures, results)


def _of(outcomes: Sequence[Outcome], what: str, kind: str) -> list[Outcome]:
    return [o for o in outcomes if (o.job.labels["what"], o.job.labels["kind"]) == (what, kind)]


def _words(lesions: Mapping[str, Any], results: Mapping[str, Quantity]) -> tuple[str, ...]:
    words = []
    for kind, one in lesions.items():
        rise = [after - one.whole for after in one.deleted]
        words.append(
            f"The {kind} network errs on {one.whole:.1f} % of the pictures; without one block, on "
            f"{_mean(one.deleted):.1f} % in the mean over blocks, {one.whole + min(rise):.1f} % at best and "
            f"{one.whole + max(rise):.1f} % at worst."
        )
    name = "mean length of the paths that the gradient takes"
    if name in results and "residual" in lesions:
        blocks = len(lesions["residual"].deleted)
        words.append(
            f"Of {blocks} branches a path takes {blocks / 2:g} in the mean; those that the gradient comes by take "
            f"{_mean(results[name].values):.1f}."
        )
    return tuple(words)


def _mean(values: Any) -> float:
    held = list(values)
    return sum(held) / len(held)


def _means(several: Sequence[Sequence[float]]) -> tuple[float, ...]:
    return tuple(_mean(at) for at in zip(*several, strict=True))


def _mean_length(shares: Sequence[float]) -> float:
    return sum(length * share for length, share in enumerate(shares))


STUDY = Study(
    summary="What a residual network and its plain twin lose with a block",
    source="He et al. 2016, arXiv:1512.03385; Veit, Wilber & Belongie 2016, arXiv:1605.06431",
    question="Does a network with shortcuts hang on each of its blocks, as a plain one does? Both kinds, equally deep "
    "and wide, learn the same pictures for the same minutes; then each block is deleted in turn, and the error is "
    "measured on held-out pictures. In the residual network, the gradient is taken apart by the length of the "
    "paths it comes by. Before any training, the gradient at the first layer is compared over depths.",
    jobs=jobs,
    answer=answer,
    work=work,
    measure=measure,
    minutes=4.0,
)
