"""A grid cell over whole pictures: anti-diagonal by anti-diagonal, from one corner or from all four.

x (B, rows, columns, F), features last. From the upper left corner, a place sees what stands above and left of it, and
itself: the causal order of generative models. From all four corners (Graves et al. 2007, arXiv:0705.2011), each with
weights of its own, every place sees the whole picture; the outputs stand side by side in the features, in the order of
`CORNERS`. Where pictures are of several sizes, each is read from its own corners.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from unrolled.cells.grid import GridCell, neighbours_of
from unrolled.errors import ShapeError
from unrolled.states import map_state

#: The corners where a reading starts: (from below, from the right).
CORNERS = ((False, False), (False, True), (True, False), (True, True))


class Grid(nn.Module):
    """A layer over pictures.

    cell: called as cell(input_size, hidden_size), once for each corner.
    four_directions: read from all four corners; else from the upper left one alone.
    """

    def __init__(
        self, cell: Callable[[int, int], GridCell], input_size: int, hidden_size: int, four_directions: bool = False
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.corners = CORNERS if four_directions else CORNERS[:1]
        self.cells = nn.ModuleList([cell(input_size, hidden_size) for _ in self.corners])
        self.output_size = len(self.corners) * hidden_size

    def forward(self, x: Tensor, heights: Tensor | None = None, widths: Tensor | None = None) -> Tensor:
        """x (B, rows, columns, F) → (B, rows, columns, output_size).

        heights, widths: (B,) int64, of each picture, which stands in the upper left of its part of x; None means all
            are full. What x holds outside a picture changes nothing, NaN included, and the output there is zero.
        Raises ShapeError where something does not fit.
        """
        if x.dim() != 4 or x.shape[-1] != self.input_size or 0 in x.shape[1:3]:
            raise ShapeError(f"x must be (B, rows, columns, {self.input_size}), no axis empty; {tuple(x.shape)} came")
        heights = _checked("heights", heights, x, 1)
        widths = _checked("widths", widths, x, 2)
        inside = _within(heights, x.shape[1])[:, :, None] & _within(widths, x.shape[2])[:, None, :]
        x = x.masked_fill(~inside[..., None], 0)
        outputs = []
        for cell, (below, right) in zip(self.cells, self.corners, strict=True):
            output = _flip(_flip(x, heights, 1, below), widths, 2, right)
            output = _from_upper_left(cell, output)  # type: ignore[arg-type]
            outputs.append(_flip(_flip(output, heights, 1, below), widths, 2, right))
        return torch.cat(outputs, -1).masked_fill(~inside[..., None], 0)

    def extra_repr(self) -> str:
        return f"from {len(self.corners)} corner{'s' if len(self.corners) > 1 else ''}"


def _from_upper_left(cell: GridCell, x: Tensor) -> Tensor:
    """The outputs (B, rows, columns, H): all places of an anti-diagonal in one step."""
    B, rows, columns, _ = x.shape
    number = torch.arange(rows, device=x.device)[:, None] + torch.arange(columns, device=x.device)
    # Places by anti-diagonal, and within one from the top down.
    order = torch.argsort(number.flatten(), stable=True)
    sizes = torch.bincount(number.flatten()).tolist()
    u = cell.project(x).flatten(1, 2)[:, order]
    border, before = (cell.border((B, places), x.device, u.dtype) for places in (1, 0))
    outputs = []
    for diagonal, u_d in enumerate(u.split(sizes, 1)):
        # The row above the first place is outside while the diagonal starts in row 0; the column left of the last is
        # while it ends in column 0.
        parts = [*([border] if diagonal < columns else []), before, *([border] if diagonal < rows else [])]
        padded = map_state(lambda *leaves: torch.cat(leaves, 1), *parts)
        output, before, _ = cell.step(u_d, neighbours_of(padded))
        outputs.append(output)
    return torch.cat(outputs, 1)[:, torch.argsort(order)].unflatten(1, (rows, columns))


def _checked(name: str, sizes: Tensor | None, x: Tensor, axis: int) -> Tensor:
    B, most = x.shape[0], x.shape[axis]
    if sizes is None:
        return torch.full((B,), most, device=x.device)
    if sizes.shape != (B,) or sizes.dtype != torch.int64:
        raise ShapeError(f"{name} must be ({B},) int64, one a picture; {tuple(sizes.shape)} {sizes.dtype} came")
    if B and not 0 <= int(sizes.min()) <= int(sizes.max()) <= most:
        raise ShapeError(f"{name} must be from 0 to {most}; {int(sizes.min())} to {int(sizes.max())} came")
    return sizes


def _within(sizes: Tensor, most: int) -> Tensor:
    """(B, most) bool."""
    return torch.arange(most, device=sizes.device) < sizes[:, None]


def _flip(x: Tensor, sizes: Tensor, axis: int, wanted: bool) -> Tensor:
    """x (B, rows, columns, F) with rows (axis 1) or columns (2) in reverse, each picture within its own size."""
    if not wanted:
        return x
    place = torch.arange(x.shape[axis], device=x.device)
    index = torch.where(place < sizes[:, None], sizes[:, None] - 1 - place, place)
    shape = [x.shape[0], 1, 1, 1]
    shape[axis] = x.shape[axis]
    return x.gather(axis, index.reshape(shape).expand_as(x))
