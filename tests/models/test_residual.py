"""Residual networks against the paper's equations, written apart."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.errors import ShapeError
from unrolled.models.residual import ResidualNetwork


def network(residual: bool = True, blocks: int = 1, **more) -> ResidualNetwork:
    torch.manual_seed(0)
    made = ResidualNetwork(4, blocks, 2, residual, **more).double()
    with torch.no_grad():
        for name, value in [*made.named_parameters(), *made.named_buffers()]:
            if "norm" in name and value.is_floating_point():
                value.uniform_(0.5, 1.5)
    return made


def convolve(x: Tensor, kernel: Tensor, stride: int) -> Tensor:
    """Σ over channels and the 3×3 places around each, with zeros outside: x (B, C, rows, columns)."""
    batch, _, rows, columns = x.shape
    wide = x.new_zeros(batch, x.shape[1], rows + 2, columns + 2)
    wide[:, :, 1:-1, 1:-1] = x
    out = x.new_zeros(batch, kernel.shape[0], -(-rows // stride), -(-columns // stride))
    for row in range(out.shape[2]):
        for column in range(out.shape[3]):
            window = wide[:, :, row * stride : row * stride + 3, column * stride : column * stride + 3]
            out[:, :, row, column] = torch.einsum("bcij,ocij->bo", window, kernel)
    return out


def normalise(x: Tensor, norm: torch.nn.BatchNorm2d, training: bool) -> Tensor:
    mean = x.mean((0, 2, 3)) if training else norm.running_mean
    variance = x.var((0, 2, 3), unbiased=False) if training else norm.running_var
    across = (None, slice(None), None, None)
    return (x - mean[across]) / (variance[across] + norm.eps).sqrt() * norm.weight[across] + norm.bias[across]


def by_hand(net: ResidualNetwork, pictures: Tensor, residual: bool, training: bool) -> Tensor:
    stride = net.stem.stride[0]
    x = normalise(convolve(pictures.permute(0, 3, 1, 2), net.stem.weight, stride), net.norm, training).clamp(min=0)
    for number, block in enumerate(net.blocks):
        first = number > 0 and number % (len(net.blocks) // 3) == 0
        inner = normalise(convolve(x, block.convolution_1.weight, 2 if first else 1), block.norm_1, training)
        branch = normalise(convolve(inner.clamp(min=0), block.convolution_2.weight, 1), block.norm_2, training)
        shortcut = torch.zeros_like(branch)
        kept = x[:, :, ::2, ::2] if first else x
        shortcut[:, : kept.shape[1]] = kept
        x = (branch + (shortcut if residual else 0)).clamp(min=0)
    return x.mean((2, 3)) @ net.softmax.weight.T + net.softmax.bias


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("stride", [1, 2])
def test_logits_follow_the_papers_equations(residual, training, stride):
    net = network(residual, blocks=2, stride=stride).train(training)
    pictures = torch.randn(3, 8, 8, 3, dtype=torch.float64)
    wanted = by_hand(net, pictures, residual, training)
    torch.testing.assert_close(net.logits(pictures), wanted, rtol=1e-10, atol=1e-10)


def test_with_zeroed_branches_it_is_the_identity_between_stem_and_softmax():
    net = network(blocks=3).eval()
    with torch.no_grad():
        for block in net.blocks:
            block.norm_2.weight.zero_()
            block.norm_2.bias.zero_()
    x = torch.rand(2, 2, 8, 8, dtype=torch.float64)
    for block in net.blocks[:3]:
        assert torch.equal(block(x), x)
    # Where a stage begins, every other place and zeros for what is new.
    y = net.blocks[3](x)
    assert torch.equal(y[:, :2], x[:, :, ::2, ::2]) and torch.equal(y[:, 2:], torch.zeros_like(y[:, 2:]))
    pictures = torch.randn(2, 8, 8, 3, dtype=torch.float64)
    assert torch.equal(net.logits(pictures), net.logits(pictures, ["deleted"] * 9))


@pytest.mark.parametrize("blocks", [1, 3])
def test_depth_and_parameters_are_as_documented(blocks):
    kinds = [ResidualNetwork(10, blocks, 4, residual) for residual in (True, False)]
    assert kinds[0].depth == 6 * blocks + 2
    k = 9 * 4 * 4
    stages = 2 * blocks * k + (8 * blocks * k - 2 * k) + (32 * blocks * k - 8 * k)
    wanted = 27 * 4 + stages + 2 * 4 * (1 + 2 * blocks * 7) + 10 * 4 * 4 + 10
    assert [sum(p.numel() for p in kind.parameters()) for kind in kinds] == [wanted, wanted]


@pytest.mark.parametrize("route", ["branch", "shortcut", "whole"])
def test_a_route_changes_no_value(route):
    net = network(blocks=2).eval()
    pictures = torch.randn(2, 8, 8, 3, dtype=torch.float64)
    assert torch.equal(net.logits(pictures, [route] * 6), net.logits(pictures))


def test_the_loss_is_a_sum_over_pictures_and_counts_them():
    net = network().eval()
    pictures, targets = torch.randn(5, 8, 8, 3, dtype=torch.float64), torch.tensor([0, 1, 2, 3, 0])
    loss = net.loss(Batch({"pictures": pictures[None], "targets": targets[None]}), net.initial_state(5))
    logits = net.logits(pictures).detach().float()
    wanted = -sum(float(logits[i].log_softmax(0)[targets[i]]) for i in range(5))
    assert float(loss.total.detach()) == pytest.approx(wanted, rel=1e-6)
    assert int(loss.count) == 5 and loss.state == ()
    assert int(loss.parts["wrong"]) == sum(int(logits[i].argmax()) != int(targets[i]) for i in range(5))


def test_what_cannot_be_is_refused():
    with pytest.raises(ShapeError, match="blocks"):
        ResidualNetwork(10, 0, 4)
    with pytest.raises(ShapeError, match="one route"):
        network().logits(torch.zeros(1, 8, 8, 3, dtype=torch.float64), ["whole"])
    with pytest.raises(ShapeError, match="one way"):
        network(residual=False).logits(torch.zeros(1, 8, 8, 3, dtype=torch.float64), ["branch"] * 3)
