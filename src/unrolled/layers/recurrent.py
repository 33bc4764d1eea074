"""A stack of recurrent layers: any cell, sizes per layer, one direction or two, ragged lengths, state in and out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from unrolled import states
from unrolled.cells.cell import Cell, is_symbols, state_like
from unrolled.errors import ShapeError
from unrolled.kernels import choose
from unrolled.kernels.kernel import DIRECTIONS, Direction, Pass, Record, Stepper, Trace
from unrolled.layers.dropout import Dropout
from unrolled.states import State


class Recorded(NamedTuple):
    """What a stack gives.

    output: (T, B, output_size) of the last layer; two directions stand side by side in the features, forward first.
    state: one state per layer and direction, layer by layer, forward first: what the next window starts from.
    traces: [layer][direction], with every state and gate where they were asked for.
    """

    output: Tensor
    state: State
    traces: list[list[Trace]]


class Recurrent(nn.Module):
    """Layers of one kind of cell over (T, B, F).

    cell: called as cell(input_size, hidden_size) for each layer and direction: a class, or a function. Where its
        cells want a condition, every one of them is given the same.
    sizes: hidden units of each layer.
    two_directions: a second set of cells reads backwards; outputs of both stand side by side. No state is carried
        from window to window then: the backward half would need the future.
    dropout: between layers, not after the last.
    kernel: "auto", or a kernel's name, which then never gives way to another.
    """

    def __init__(
        self,
        cell: Callable[[int, int], Cell],
        input_size: int,
        sizes: Sequence[int],
        two_directions: bool = False,
        dropout: float = 0.0,
        kernel: str = choose.AUTO,
    ) -> None:
        super().__init__()
        if not sizes:
            raise ShapeError("a stack has one layer at least; sizes was empty")
        self.input_size = input_size
        self.sizes = tuple(sizes)
        self.two_directions = two_directions
        self.kernel = kernel
        if kernel != choose.AUTO:
            choose.named(kernel)
        self.dropout = Dropout(dropout)
        layers = []
        width = input_size
        for size in self.sizes:
            directions = nn.ModuleList([cell(width, size) for _ in self._directions])
            layers.append(directions)
            width = sum(_as_cell(one).output_size for one in directions)
        self.layers = nn.ModuleList(layers)
        self.output_size = width

    @property
    def _directions(self) -> tuple[Direction, ...]:
        return DIRECTIONS if self.two_directions else DIRECTIONS[:1]

    def cells(self) -> list[list[Cell]]:
        """[layer][direction]."""
        return [[_as_cell(one) for one in layer] for layer in self.layers]  # type: ignore[arg-type]

    def initial_state(self, batch_size: int, places: Sequence[int] = ()) -> State:
        """The state before the first window, for every layer and direction.

        places: rows and columns, for cells over a grid.
        """
        weight = next(self.parameters(), torch.empty(0))
        like = torch.empty(0, batch_size, *places, 1, device=weight.device)
        return tuple(tuple(state_like(cell, like) for cell in layer) for layer in self.cells())

    def forward(
        self,
        x: Tensor,
        state: State | None = None,
        lengths: Tensor | None = None,
        condition: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        """x (T, B, F) or one-hot symbols (T, B); lengths (B,) → output (T, B, output_size), final state.

        condition: (B, C), for the cells that want one. Raises ShapeError where something does not fit the stack.
        """
        output, state, _ = self.record(x, state, lengths, condition, record=())
        return output, state

    def record(
        self,
        x: Tensor,
        state: State | None = None,
        lengths: Tensor | None = None,
        condition: Tensor | None = None,
        record: Collection[Record] = ("states", "gates"),
    ) -> Recorded:
        """As `forward`, with the traces of all layers, and in them every state and gate that `record` names."""
        if state is None:
            state = self.initial_state(x.shape[1], () if is_symbols(x) else x.shape[2:-1])
        self._check_form(state)
        final: list[tuple[State, ...]] = []
        traces: list[list[Trace]] = []
        for number, (layer, before) in enumerate(zip(self.cells(), state, strict=True)):
            if number > 0:
                x = self.dropout(x)
            passes = []
            for cell, direction, start in zip(layer, self._directions, before, strict=True):
                passes.append(Pass(cell, x, start, lengths, direction, condition))
            ran = choose.choose(passes, record, self.kernel).run(passes, record)
            x = torch.cat([trace.output for trace in ran], -1) if len(ran) > 1 else ran[0].output
            final.append(tuple(trace.state for trace in ran))
            traces.append(ran)
        return Recorded(x, tuple(final), traces)

    def _check_form(self, state: State) -> None:
        """One state for each layer and direction; what is in them, each pass checks."""
        form = [len(layer) for layer in self.cells()]
        if not isinstance(state, tuple) or [len(s) if isinstance(s, tuple) else 0 for s in state] != form:
            raise ShapeError(
                f"the state of this stack has {len(form)} layer(s) of {form[0]} direction(s); "
                f"one with the leaves {states.names(state)} came. "
                "Start from initial_state, or from what a call gave back"
            )

    def stepper(self) -> StackStepper:
        """One step a call, weights packed once, for closed loops."""
        if self.two_directions:
            raise ShapeError("two directions need the whole sequence: such a stack cannot be stepped")
        return StackStepper([choose.stepper(layer[0]) for layer in self.cells()])

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.sizes}, kernel={self.kernel!r}"


class StackStepper:
    """A stack's steppers, one after the other, without dropout. The state is that of the stack."""

    def __init__(self, steppers: list[Stepper]) -> None:
        self.steppers = steppers

    def __call__(self, x_t: Tensor, state: State, condition: Tensor | None = None) -> tuple[Tensor, State]:
        """x_t (B, F) or symbols (B,), the stack's state → output (B, output_size), the new state."""
        new = []
        for stepper, (before,) in zip(self.steppers, state, strict=True):
            x_t, after, _ = stepper(x_t, before, condition)
            new.append((after,))
        return x_t, tuple(new)


def _as_cell(module: Any) -> Cell:
    if not isinstance(module, Cell):
        raise ShapeError(f"a stack is made of cells; {type(module).__name__} is not one")
    return module
