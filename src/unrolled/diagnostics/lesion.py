"""What a residual network loses with a block, and through which of its paths the gradient comes: Veit et al. (2016),
Residual Networks Behave Like Ensembles of Relatively Shallow Networks, arXiv:1605.06431.

Written out, n residual blocks are a sum over 2ⁿ paths: each block is passed by its branch or by its shortcut. A path
through k branches has the length k, and there are C(n, k) of them: lengths are distributed binomially. To delete one
block halves the paths and leaves the others as they were; a plain network has one path, and it is cut.

The gradient is a sum over the same paths, exactly: where each block lets it back through one of its two ways only,
the gradients of all 2ⁿ choices add up to the whole.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from unrolled.errors import ShapeError
from unrolled.figures import Curves, Series, Table
from unrolled.models.residual import ResidualNetwork, Route

#: Pictures that are looked at side by side.
SIDE_BY_SIDE = 250


class Lesion(NamedTuple):
    whole: float  # error rate, percent, with every block
    deleted: tuple[float, ...]  # error rate, percent, without each block, the first first


class PathGradients(NamedTuple):
    """By length k = 0 … n: how many paths have it, and the gradient norm of one, in the mean."""

    counts: tuple[int, ...]
    norms: tuple[float, ...]

    @property
    def shares(self) -> tuple[float, ...]:
        """Count times norm, of its sum over all lengths: what part of the gradient comes by paths of each length."""
        products = [count * norm for count, norm in zip(self.counts, self.norms, strict=True)]
        return tuple(product / math.fsum(products) for product in products)


def error_rate(
    network: ResidualNetwork, pictures: Tensor, targets: Tensor, routes: Sequence[Route] | None = None
) -> float:
    """Pictures (N, rows, columns, channels) that the network, in evaluation mode, puts into a wrong class, in percent.

    targets: (N,) int64. routes: one for each block, in order; None passes all of them whole.
    """
    if not len(targets) or len(pictures) != len(targets):
        raise ShapeError(f"a target for each picture was expected; {len(pictures)} and {len(targets)} came")
    wrong = 0
    with _evaluating(network), torch.no_grad():
        for some, right in zip(pictures.split(SIDE_BY_SIDE), targets.split(SIDE_BY_SIDE), strict=True):
            wrong += int((network.logits(some, routes).argmax(1) != right).sum())
    return 100 * wrong / len(targets)


def lesion(network: ResidualNetwork, pictures: Tensor, targets: Tensor) -> Lesion:
    """The error rate with every block, and without each: its branch taken out, its shortcut left in its place."""
    blocks = len(network.blocks)
    without = (tuple[Route, ...]("deleted" if i == j else "whole" for j in range(blocks)) for i in range(blocks))
    return Lesion(
        error_rate(network, pictures, targets), tuple(error_rate(network, pictures, targets, one) for one in without)
    )


def path_counts(blocks: int) -> tuple[int, ...]:
    """C(n, k): how many of the 2ⁿ paths through n blocks have the length k = 0 … n."""
    return tuple(math.comb(blocks, length) for length in range(blocks + 1))


def path_gradient(network: ResidualNetwork, pictures: Tensor, targets: Tensor, branches: Sequence[int]) -> Tensor:
    """∂ loss / ∂ picture that comes back by the one path through these branches, (N, rows, columns, channels).

    Each picture's own loss, in evaluation mode. Elsewhere the path goes by the shortcuts.
    """
    routes: list[Route] = ["branch" if i in branches else "shortcut" for i in range(len(network.blocks))]
    return _gradient(network, pictures, targets, routes)


def gradient_by_path_length(
    network: ResidualNetwork, pictures: Tensor, targets: Tensor, samples: int = 32, seed: int = 0
) -> PathGradients:
    """The gradient norm at the picture, the mean over pictures and over paths of each length.

    samples: paths of a length that are looked at; all of them where there are no more.
    """
    generator = torch.Generator().manual_seed(seed)
    blocks = len(network.blocks)
    norms = []
    for length in range(blocks + 1):
        paths = list(_paths(blocks, length, samples, generator))
        found = [path_gradient(network, pictures, targets, path).flatten(1).norm(dim=1).mean() for path in paths]
        norms.append(float(torch.stack(found).mean()))
    return PathGradients(path_counts(blocks), tuple(norms))


def first_layer_gradient(network: ResidualNetwork, pictures: Tensor, targets: Tensor) -> float:
    """The norm of ∂ mean loss / ∂ weights of the first layer, in the mode that the network is in."""
    loss = F.cross_entropy(network.logits(pictures), targets)
    (gradient,) = torch.autograd.grad(loss, network.stem.weight)
    return float(gradient.norm())


@torch.no_grad()
def normalise_by(network: ResidualNetwork, pictures: Tensor) -> None:
    """Let the norms have seen these pictures and no others: what an untrained network needs to be evaluated."""
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # the plain mean of what is seen
    training = network.training
    network.train()
    network.logits(pictures)
    network.train(training)


def gradient_against_depth(
    makers: Mapping[str, Callable[[int], ResidualNetwork]],
    blocks: Sequence[int],
    pictures: Tensor,
    targets: Tensor,
    title: str = "Gradient at the first layer against depth, before training",
) -> Curves:
    """makers: name → a network as it is before training, of so many blocks a stage. x: layers with weights."""
    series = []
    for name, make in makers.items():
        networks = [make(count) for count in blocks]
        norms = tuple(first_layer_gradient(network, pictures, targets) for network in networks)
        series.append(Series(name, tuple(float(network.depth) for network in networks), norms))
    return Curves(title, tuple(series), "layers with weights", "norm of the gradient", y_log=True)


def lesion_curves(lesions: Mapping[str, Lesion], title: str = "Error after a block is deleted") -> Curves:
    """One line a network over its blocks, and a level one for its error with all of them."""
    series = []
    for name, one in lesions.items():
        blocks = tuple(float(number) for number in range(1, len(one.deleted) + 1))
        series.append(Series(name, blocks, one.deleted))
        series.append(Series(f"{name}, whole", (blocks[0], blocks[-1]), (one.whole, one.whole), beside=name))
    return Curves(title, tuple(series), "block that is deleted", "error rate, %")


def lesion_table(lesions: Mapping[str, Lesion], title: str = "Error rate after a block is deleted, %") -> Table:
    """One row a block, one column a network; the first row is the whole network."""
    depth = max((len(one.deleted) for one in lesions.values()), default=0)
    rows: list[tuple[str | float | None, ...]] = [("none", *(round(one.whole, 2) for one in lesions.values()))]
    for block in range(depth):
        cells = (round(one.deleted[block], 2) if block < len(one.deleted) else None for one in lesions.values())
        rows.append((str(block + 1), *cells))
    return Table(title, ("deleted", *lesions), tuple(rows))


def path_curves(found: PathGradients, title: str = "Paths, and where the gradient comes from") -> Curves:
    """Over the length of a path: the share of all paths, and of the gradient."""
    lengths = tuple(float(length) for length in range(len(found.counts)))
    total = sum(found.counts)
    paths = tuple(count / total for count in found.counts)
    series = (Series("of the paths", lengths, paths), Series("of the gradient", lengths, found.shares))
    return Curves(title, series, "branches on the path", "share")


def _paths(blocks: int, length: int, samples: int, generator: torch.Generator) -> Iterator[tuple[int, ...]]:
    """All paths of the length, or `samples` drawn ones where there are more."""
    if math.comb(blocks, length) <= samples:
        yield from itertools.combinations(range(blocks), length)
        return
    for _ in range(samples):
        yield tuple(torch.randperm(blocks, generator=generator)[:length].tolist())


def _gradient(network: ResidualNetwork, pictures: Tensor, targets: Tensor, routes: Sequence[Route]) -> Tensor:
    with _evaluating(network):
        leaf = pictures.detach().requires_grad_()
        loss = F.cross_entropy(network.logits(leaf, routes), targets, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, leaf)
    return gradient


@contextmanager
def _evaluating(network: ResidualNetwork) -> Iterator[None]:
    """In evaluation mode: normalised by what training saw, so that no picture depends on the others."""
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)
