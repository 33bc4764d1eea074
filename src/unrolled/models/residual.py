"""Deep residual networks for small pictures, and their plain twins: He et al. (2016), arXiv:1512.03385.

    x_0 = relu(norm(stem(picture)))
    x_i = relu(s_i(x_{i−1}) + F_i(x_{i−1}))      a residual block
    x_i = relu(F_i(x_{i−1}))                     its plain twin
    F(x) = norm(K_2 ∗ relu(norm(K_1 ∗ x)))       the branch: two 3×3 convolutions, each batch-normalised
    s(x) = x, or where a stage begins, every other place of x with zeros for the new channels (the paper's option A)
    logits = V mean over places(x_n) + c

Three stages of `blocks` blocks each, with `width`, 2·width and 4·width channels, at full, half and quarter size. The
depth, in layers with weights, is 6·blocks + 2. Shortcuts have no parameters, so both kinds have equally many.

With W = width, k = 9·W²: stem 27·W, stages 2·blocks·k, 8·blocks·k − 2·k and 32·blocks·k − 8·k, norms
2·W·(1 + 2·blocks·7), softmax 10·4·W + 10 for ten classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unrolled.batch import Batch
from unrolled.errors import ShapeError
from unrolled.models.model import Loss, Model
from unrolled.states import State

#: How one block is passed.
#: whole: as it was trained. deleted: by the shortcut alone, as if the branch had never been (Veit et al. 2016).
#: branch, shortcut: the values of `whole`, but the gradient goes back through that one of the two only.
Route = Literal["whole", "deleted", "branch", "shortcut"]
STAGES = 3


class Block(nn.Module):
    """x (B, C, rows, columns) → (B, C', rows/stride, columns/stride), C' ≥ C.

    residual: whether the shortcut is added. A plain block has it all the same, for when its branch is deleted.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int, residual: bool) -> None:
        super().__init__()
        self.residual = residual
        self.stride = stride
        self.added = channels_out - channels_in
        self.convolution_1 = nn.Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=False)
        self.norm_1 = nn.BatchNorm2d(channels_out)
        self.convolution_2 = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
        self.norm_2 = nn.BatchNorm2d(channels_out)

    def branch(self, x: Tensor) -> Tensor:
        """F(x)."""
        inner = F.relu(self.norm_1(self.convolution_1(x)))
        return self.norm_2(self.convolution_2(inner))

    def shortcut(self, x: Tensor) -> Tensor:
        """s(x)."""
        if self.stride > 1:
            x = x[:, :, :: self.stride, :: self.stride]
        return F.pad(x, (0, 0, 0, 0, 0, self.added)) if self.added else x

    def forward(self, x: Tensor, route: Route = "whole") -> Tensor:
        if route == "deleted":
            return F.relu(self.shortcut(x))
        if not self.residual:
            if route != "whole":
                raise ShapeError(f"a plain block has one way through it; the route {route!r} needs a residual one")
            return F.relu(self.branch(x))
        branch, shortcut = self.branch(x), self.shortcut(x)
        if route == "branch":
            shortcut = shortcut.detach()
        if route == "shortcut":
            branch = branch.detach()
        return F.relu(shortcut + branch)


class ResidualNetwork(Model):
    """Pictures in classes.

    classes: how many. blocks: in each of the three stages. width: channels of the first stage.
    residual: False makes the plain twin. stride: of the stem; 1 is the paper's, 2 is four times faster.
    channels: of a picture.

    Batch fields: `pictures` (1, B, rows, columns, channels), real, and `targets` (1, B), int64: time is one step long,
    and nothing is carried. Batch normalisation sees the rows at hand: among several processes, each its own.
    """

    def __init__(
        self, classes: int, blocks: int, width: int, residual: bool = True, stride: int = 1, channels: int = 3
    ) -> None:
        super().__init__()
        for name, value in (("classes", classes), ("blocks", blocks), ("width", width), ("stride", stride)):
            if value < 1:
                raise ShapeError(f"{name} of a residual network was {value}; it must be 1 or more")
        self.stem = nn.Conv2d(channels, width, 3, stride, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        widths = [width << stage for stage in range(STAGES) for _ in range(blocks)]
        self.blocks = nn.ModuleList(
            Block(before, after, 2 if after > before else 1, residual)
            for before, after in zip([width, *widths[:-1]], widths, strict=True)
        )
        self.softmax = nn.Linear(widths[-1], classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                # Variance 2/(9·C'): He et al. (2015), arXiv:1502.01852, as in the paper.
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    @property
    def depth(self) -> int:
        """Layers with weights on the way through every branch."""
        return 2 * len(self.blocks) + 2

    def initial_state(self, batch_size: int) -> State:
        """Nothing."""
        return ()

    def enter(self, pictures: Tensor) -> Tensor:
        """x_0 (B, width, rows, columns) of pictures (B, rows, columns, channels)."""
        # The convolutions see features first, without a copy, and run faster on pictures that hold them last.
        return F.relu(self.norm(self.stem(pictures.movedim(-1, 1))))

    def read_off(self, x: Tensor) -> Tensor:
        """Logits (B, classes) of x_n."""
        return self.softmax(x.mean((2, 3)))

    def logits(self, pictures: Tensor, routes: Sequence[Route] | None = None) -> Tensor:
        """(B, classes) of pictures (B, rows, columns, channels).

        routes: one for each block, in order; None passes all of them whole.
        """
        routes = ["whole"] * len(self.blocks) if routes is None else routes
        if len(routes) != len(self.blocks):
            raise ShapeError(f"one route for each of {len(self.blocks)} blocks was expected; {len(routes)} came")
        x = self.enter(pictures)
        for block, route in zip(self.blocks, routes, strict=True):
            x = block(x, route)
        return self.read_off(x)

    def loss(self, batch: Batch, state: State) -> Loss:
        """−ln p of the right class, summed over pictures; parts: how many were wrong."""
        logits = self.logits(batch.tensor("pictures")[0]).float()
        targets = batch.tensor("targets")[0]
        total = F.cross_entropy(logits, targets, reduction="sum")
        wrong = (logits.detach().argmax(1) != targets).sum()
        return Loss(total, torch.tensor(len(targets), device=total.device), state, {"wrong": wrong})
