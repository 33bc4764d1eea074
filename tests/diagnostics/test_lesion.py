"""Lesions of networks in which it is known what a block does."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from unrolled.diagnostics import lesion as lesions
from unrolled.diagnostics.lesion import Lesion, PathGradients
from unrolled.errors import ShapeError
from unrolled.models.residual import ResidualNetwork


def network(residual: bool = True, blocks: int = 1) -> ResidualNetwork:
    torch.manual_seed(3)
    made = ResidualNetwork(4, blocks, 4, residual).double().eval()
    # Answers that differ from picture to picture, so that every block has a say in them.
    with torch.no_grad():
        made.softmax.weight.mul_(50)
        made.softmax.bias.copy_(-(made.softmax(features(made)) - made.softmax.bias).mean(0))
    return made


def features(net: ResidualNetwork) -> torch.Tensor:
    x = net.enter(PICTURES)
    for block in net.blocks:
        x = block(x)
    return x.mean((2, 3))


PICTURES = torch.randn(40, 8, 8, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def own_answers(net: ResidualNetwork) -> torch.Tensor:
    """Targets of which the network makes none wrong."""
    return net.logits(PICTURES).argmax(1)


def silence(net: ResidualNetwork, block: int) -> None:
    """The branch gives zero."""
    with torch.no_grad():
        net.blocks[block].norm_2.weight.zero_()
        net.blocks[block].norm_2.bias.zero_()


def test_deleting_a_silent_block_changes_nothing_and_deleting_the_others_something():
    net = network(blocks=2)
    silence(net, 1)
    found = lesions.lesion(net, PICTURES, own_answers(net))
    assert found.whole == 0 and found.deleted[1] == 0
    assert len(found.deleted) == 6 and min(found.deleted[:1] + found.deleted[2:]) > 0


def test_deleting_the_block_that_decides_changes_everything():
    """All pictures are of class 0, and only the last branch says so."""
    net = network()
    for block in range(3):
        silence(net, block)
    with torch.no_grad():
        net.blocks[2].norm_2.bias[-1] = 100.0
        net.softmax.weight.zero_()
        net.softmax.weight[0, -1] = 1.0
        net.softmax.bias.copy_(torch.tensor([0.0, 1.0, 0.0, 0.0]))
    found = lesions.lesion(net, PICTURES, torch.zeros(40, dtype=torch.int64))
    assert found == Lesion(0.0, (0.0, 0.0, 100.0))


def test_a_plain_block_is_deleted_by_passing_it_by():
    net = network(residual=False)
    x = torch.rand(2, 4, 8, 8, dtype=torch.float64)
    assert torch.equal(net.blocks[0](x, "deleted"), x)
    assert not torch.equal(net.blocks[0](x), x)
    # A silent plain block lets nothing through at all.
    silence(net, 0)
    assert torch.equal(net.blocks[0](x), torch.zeros_like(x))


def test_error_is_counted_over_all_pictures_whatever_stands_side_by_side(monkeypatch):
    net = network()
    targets = own_answers(net)
    targets[:10] = (targets[:10] + 1) % 4
    assert lesions.error_rate(net, PICTURES, targets) == 25.0
    monkeypatch.setattr(lesions, "SIDE_BY_SIDE", 7)
    net.train()
    assert lesions.error_rate(net, PICTURES, targets) == 25.0
    assert net.training
    with pytest.raises(ShapeError, match="40 and 3"):
        lesions.error_rate(net, PICTURES, targets[:3])


def test_the_gradients_of_all_paths_add_up_to_the_whole():
    net = network(blocks=2)
    targets = own_answers(net)
    leaf = PICTURES.clone().requires_grad_()
    torch.nn.functional.cross_entropy(net.logits(leaf), targets, reduction="sum").backward()
    total = torch.zeros_like(PICTURES)
    for length in range(7):
        for path in itertools.combinations(range(6), length):
            total += lesions.path_gradient(net, PICTURES, targets, path)
    torch.testing.assert_close(total, leaf.grad, rtol=1e-9, atol=1e-12)


def test_path_lengths_are_binomial():
    assert lesions.path_counts(4) == (1, 4, 6, 4, 1)
    # By counting: a path is a choice at each block.
    lengths = [sum(choice) for choice in itertools.product((0, 1), repeat=9)]
    assert lesions.path_counts(9) == tuple(lengths.count(length) for length in range(10))
    counts = lesions.path_counts(54)
    mean = sum(k * c for k, c in enumerate(counts)) / 2**54
    variance = sum((k - mean) ** 2 * c for k, c in enumerate(counts)) / 2**54
    assert (mean, variance) == (27.0, 13.5)


def test_gradient_norms_by_length_are_means_over_paths():
    net = network()
    targets = own_answers(net)
    found = lesions.gradient_by_path_length(net, PICTURES, targets)
    assert found.counts == (1, 3, 3, 1)
    ones = [lesions.path_gradient(net, PICTURES, targets, (i,)).flatten(1).norm(dim=1).mean() for i in range(3)]
    assert found.norms[1] == pytest.approx(float(sum(ones)) / 3)
    # A silent block's paths bring nothing: of the paths of length 3, the only one goes through it.
    silence(net, 1)
    found = lesions.gradient_by_path_length(net, PICTURES, targets)
    assert found.norms[3] == 0 and found.norms[2] > 0


def test_drawn_paths_have_the_length_asked_for_and_are_the_same_for_a_seed():
    generator = torch.Generator().manual_seed(1)
    paths = list(lesions._paths(9, 4, 32, generator))
    assert len(paths) == 32 and all(len(set(path)) == 4 and max(path) < 9 for path in paths)
    assert paths == list(lesions._paths(9, 4, 32, torch.Generator().manual_seed(1)))
    assert len(set(map(frozenset, paths))) > 10
    assert set(lesions._paths(9, 1, 32, generator)) == {(i,) for i in range(9)}


def test_shares_weigh_each_length_by_its_paths():
    assert PathGradients((1, 2, 1), (4.0, 1.0, 2.0)).shares == (0.5, 0.25, 0.25)
    curves = lesions.path_curves(PathGradients((1, 2, 1), (4.0, 1.0, 2.0)))
    assert curves.series[0].y == (0.25, 0.5, 0.25) and curves.series[1].y == (0.5, 0.25, 0.25)
    assert math.fsum(curves.series[0].y) == 1


def test_the_first_layers_gradient_is_that_of_finite_differences():
    net = network()
    targets = own_answers(net)

    def loss() -> float:
        with torch.no_grad():
            return float(torch.nn.functional.cross_entropy(net.logits(PICTURES), targets))

    squared = 0.0
    weights = net.stem.weight.detach()
    for place in range(weights.numel()):
        values = []
        for step in (1e-6, -1e-6):
            weights.view(-1)[place] += step
            values.append(loss())
            weights.view(-1)[place] -= step
        squared += ((values[0] - values[1]) / 2e-6) ** 2
    assert lesions.first_layer_gradient(net, PICTURES, targets) == pytest.approx(math.sqrt(squared), rel=1e-5)
    makers = {"residual": lambda blocks: network(True, blocks)}
    curves = lesions.gradient_against_depth(makers, (1, 2), PICTURES, targets)
    assert curves.series[0].x == (8.0, 14.0)
    assert curves.series[0].y[0] == pytest.approx(math.sqrt(squared), rel=1e-5)


def test_figures_hold_every_block():
    found = {"residual": Lesion(40.0, (41.0, 42.5)), "plain": Lesion(45.0, (90.0, 80.0))}
    table = lesions.lesion_table(found)
    assert table.columns == ("deleted", "residual", "plain")
    assert table.rows == (("none", 40.0, 45.0), ("1", 41.0, 90.0), ("2", 42.5, 80.0))
    curves = lesions.lesion_curves(found)
    assert [(s.name, s.x, s.y) for s in curves.series[:2]] == [
        ("residual", (1.0, 2.0), (41.0, 42.5)),
        ("residual, whole", (1.0, 2.0), (40.0, 40.0)),
    ]


def test_norms_that_have_seen_these_pictures_alone():
    net = network(blocks=2)
    net.train().logits(PICTURES + 1)
    net.eval()
    lesions.normalise_by(net, PICTURES)
    assert not net.training
    seen = net.stem(PICTURES.movedim(-1, 1)).detach()
    torch.testing.assert_close(net.norm.running_mean, seen.mean((0, 2, 3)))
    torch.testing.assert_close(net.norm.running_var, seen.var((0, 2, 3)))
    # Evaluated, it now gives what it gives in training, but for N in the place of N − 1 in a variance.
    evaluated = features(net)
    torch.testing.assert_close(evaluated, features(net.train()), rtol=0.02, atol=0.02)
