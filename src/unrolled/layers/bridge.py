"""From the end of an encoder to the start of a decoder: s_0 = W [h_T; …] + b, layer by layer.

Any two cells: what is read are the vectors of the encoder's final states, in all its directions; what is given are
those of the decoder's. Other leaves (matrices, counters, complex numbers, leaves that mean something only together)
are not read, and start as their cell says.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from unrolled import states
from unrolled.cells.cell import Cell, state_like
from unrolled.errors import OptionError, ShapeError
from unrolled.layers.recurrent import Recurrent
from unrolled.states import State


class Bridge(nn.Module):
    """One linear map a layer, from a stack of as many layers.

    encoder, decoder: of as many layers; the decoder reads in one direction. OptionError where a cell's state has no
    vector of real numbers, ShapeError where the stacks do not fit.
    """

    def __init__(self, encoder: Recurrent, decoder: Recurrent) -> None:
        super().__init__()
        if len(encoder.sizes) != len(decoder.sizes) or decoder.two_directions:
            raise ShapeError(
                f"an encoder and a decoder of as many layers, the decoder of one direction, were expected; "
                f"{len(encoder.sizes)} and {len(decoder.sizes)} layers came"
            )
        self._read = [[_vectors(cell) for cell in layer] for layer in encoder.cells()]
        self._given = [_vectors(layer[0]) for layer in decoder.cells()]
        self.maps = nn.ModuleList(
            nn.Linear(sum(sum(widths.values()) for widths in read), sum(given.values()))
            for read, given in zip(self._read, self._given, strict=True)
        )

    def forward(self, final: State, start: State) -> State:
        """final: the encoder's last states. start: the decoder's own initial state, whose vectors are replaced."""
        new = []
        for each, read, given, before, layer in zip(self.maps, self._read, self._given, start, final, strict=True):
            found = [
                leaf
                for own, names in zip(layer, read, strict=True)
                for name, leaf in states.leaves(own)
                if name in names
            ]
            parts = dict(zip(given, each(torch.cat(found, -1)).split(list(given.values()), -1), strict=True))
            named = states.leaves(before[0])
            new.append((states.map_state(lambda leaf, n=named, p=parts: _replaced(leaf, next(n)[0], p), before[0]),))
        return tuple(new)


def _replaced(leaf: Tensor, name: str, parts: dict[str, Tensor]) -> Tensor:
    return parts[name].to(leaf.dtype) if name in parts else leaf


def _vectors(cell: Cell) -> dict[str, int]:
    """Name → width of the leaves that are vectors of real numbers, each meaning something by itself."""
    like = state_like(cell, torch.empty(0, 1, cell.input_size))
    found = {
        name: leaf.shape[1]
        for name, leaf in states.leaves(like)
        if leaf.dim() == 2 and leaf.is_floating_point() and name not in cell.JOINT
    }
    if not found:
        raise OptionError(
            f"cell {(cell.NAME or type(cell).__name__)!r} has no vector of real numbers in its state, by which an "
            "encoder could start a decoder; take another cell"
        )
    return found
