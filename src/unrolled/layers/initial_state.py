"""A learnt initial state: what a sequence starts from is trained like any weight."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from unrolled import states
from unrolled.cells.cell import Cell, state_like
from unrolled.errors import OptionError
from unrolled.states import State, differentiable


class LearntInitialState(nn.Module):
    """The start of one cell: a parameter for each leaf of its state that has gradients, equal in all rows and places.

    It begins as the cell's own initial state. Counters and pointers, leaves that do not begin with finite numbers, and
    those that the cell itself learns stay what the cell says. A complex leaf is kept as real numbers, (real, imaginary)
    on the last axis. Raises OptionError for a cell that leaves nothing to be learnt.
    """

    def __init__(self, cell: Cell) -> None:
        super().__init__()
        device = next((parameter.device for parameter in cell.parameters()), None)
        with torch.enable_grad():
            start = state_like(cell, torch.empty(0, 1, 1, device=device))
        self.leaves = nn.ParameterDict()
        for name, leaf in states.leaves(start):
            if differentiable(leaf) and not leaf.requires_grad and bool(leaf.isfinite().all()):
                row = leaf[0].clone()
                self.leaves[_key(name)] = nn.Parameter(torch.view_as_real(row) if row.is_complex() else row)
        if not len(self.leaves):
            raise OptionError(
                f"{type(cell).__name__} leaves nothing of its initial state {states.names(start)} to be learnt: "
                "counters are none, and what a cell learns by itself is learnt already"
            )

    def forward(self, start: State) -> State:
        """The state from which rows start: of the form of `start`, which is the cell's own."""
        named = states.leaves(start)

        def learnt(leaf: Tensor) -> Tensor:
            name, _ = next(named)
            if _key(name) not in self.leaves:
                return leaf
            value = self.leaves[_key(name)]
            if leaf.is_complex():
                value = torch.view_as_complex(value)
            # A copy for each row, so that whoever carries the state on may write in it.
            return value.to(leaf.dtype).expand(leaf.shape).clone()

        return states.map_state(learnt, start)


def _key(name: str) -> str:
    """A leaf's name as a parameter's, which has no dots and is not empty."""
    return name.replace(".", "_") or "state"
