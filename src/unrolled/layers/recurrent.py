"""A stack of recurrent layers: any cell, sizes per layer, one direction or two, ragged lengths, state in and out.

What stands around the cells is told by meaning: how layers stand on each other in stack.py, what is random in noise.py,
where rows start in initial_state.py, memory of √T in recomputation.py.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from unrolled import states
from unrolled.cells.cell import Cell, is_symbols, state_like
from unrolled.errors import ShapeError
from unrolled.kernels import choose
from unrolled.kernels.kernel import DIRECTIONS, Direction, Pass, Precision, Record, Trace
from unrolled.layers import recomputation, stack
from unrolled.layers import weight_drop as weight_dropping
from unrolled.layers.initial_state import LearntInitialState
from unrolled.layers.noise import Drawn, Noise
from unrolled.layers.stack import Connections, StackStepper
from unrolled.layers.zoneout import Rates
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
    connections: "plain", "residual" (layers of one width, each from the second on added to what it reads) or "dense"
        (each reads the input and all layers below; all of them are the output). layers/stack.py has the equations.
    variational: the dropout between layers draws one mask for a whole sequence, instead of one for each step.
    recurrent_dropout: on what enters the recurrent product, one mask for a whole sequence (Gal & Ghahramani 2016,
        arXiv:1512.05287); for cells that have such a product.
    zoneout: one rate for every leaf of the state, or name of a leaf → its rate (layers/zoneout.py).
    weight_drop: on the recurrent weights W, one mask for a whole sequence (layers/weight_drop.py).
    learnt_initial_state: what rows start from is trained, for each layer and direction, instead of what the cell says.
    recompute: hold about √T steps for the backward pass instead of all T, for one more forward pass in time
        (layers/recomputation.py). Masks that differ from step to step (dropout that is not variational, zoneout) are
        held for all T; so are outputs between layers of two directions, each of which needs the whole one below.

    What is random is drawn in training only, and on every call: in a window of a longer sequence, for that window.
    Raises OptionError where cells or sizes cannot be put together as asked for.
    """

    def __init__(
        self,
        cell: Callable[[int, int], Cell],
        input_size: int,
        sizes: Sequence[int],
        two_directions: bool = False,
        dropout: float = 0.0,
        kernel: str = choose.AUTO,
        *,
        connections: Connections = "plain",
        variational: bool = False,
        recurrent_dropout: float = 0.0,
        zoneout: Rates = 0.0,
        weight_drop: float = 0.0,
        learnt_initial_state: bool = False,
        recompute: bool = False,
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
        stack.check(connections)
        self.connections: Connections = connections
        self.noise = Noise(dropout, variational, recurrent_dropout, zoneout, weight_drop)
        self.recompute = recompute
        #: What the next stepper packs the weights as.
        self.precision: Precision = "float32"
        layers = []
        self.widths: list[int] = []  # of what each layer gives
        for size in self.sizes:
            directions = nn.ModuleList([cell(self._width_read(len(layers)), size) for _ in self._directions])
            layers.append(directions)
            width = sum(_as_cell(one).output_size for one in directions)
            stack.check_sum(connections, width, self.widths)
            self.widths.append(width)
        self.layers = nn.ModuleList(layers)
        self.output_size = stack.width_below(connections, self.widths)
        self.noise.check(self.cells()[0][0])
        self.starts = None
        if learnt_initial_state:
            self.starts = nn.ModuleList(
                [nn.ModuleList([LearntInitialState(one) for one in layer]) for layer in self.cells()]
            )

    def _width_read(self, number: int) -> int:
        """Features that layer `number` reads, where the layers below it are made."""
        if number == 0:
            return self.input_size
        below = stack.width_below(self.connections, self.widths[:number])
        return self.input_size + below if self.connections == "dense" else below

    @property
    def _directions(self) -> tuple[Direction, ...]:
        return DIRECTIONS if self.two_directions else DIRECTIONS[:1]

    def cells(self) -> list[list[Cell]]:
        """[layer][direction]."""
        return [[_as_cell(one) for one in layer] for layer in self.layers]  # type: ignore[arg-type]

    def initial_state(self, batch_size: int, places: Sequence[int] = ()) -> State:
        """The state before the first window, for every layer and direction; a learnt one with its gradient.

        places: rows and columns, for cells over a grid.
        """
        weight = next(self.parameters(), torch.empty(0))
        like = torch.empty(0, batch_size, *places, 1, device=weight.device)
        own = tuple(tuple(state_like(cell, like) for cell in layer) for layer in self.cells())
        if self.starts is None:
            return own
        pairs = zip(self.starts, own, strict=True)
        return tuple(tuple(one(start) for one, start in zip(*pair, strict=True)) for pair in pairs)  # type: ignore

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
        """As `forward`, with the traces of all layers, and in them every state and gate that `record` names.

        A trace's output is the cell's own, before a residual connection adds to it.
        """
        if state is None:
            state = self.initial_state(x.shape[1], () if is_symbols(x) else x.shape[2:-1])
        self._check_form(state)
        shape, layers = x.shape if is_symbols(x) else x.shape[:-1], self.cells()
        widths = [stack.width_below(self.connections, self.widths[:n]) for n in range(len(self.sizes))]
        drawn = self.noise.draw(layers, state, shape, widths)
        if not (self.recompute and torch.is_grad_enabled()) or self.two_directions:
            return self._read(layers, x, state, lengths, condition, drawn, record)

        def run(segment: range, piece: State, before: State) -> tuple[Recorded, State]:
            part, masks = piece
            now = [old._replace(between=b, zoneout=z) for old, (b, z) in zip(drawn, masks, strict=True)]
            recorded = self._read(layers, part, before, recomputation.cut(lengths, segment), condition, now, record)
            return recorded, recorded.state

        masks = tuple((one.between, one.zoneout) for one in drawn)
        parts = recomputation.in_segments(run, (x, masks), state, len(x))
        traces = [[recomputation.joined([part.traces[n][0] for part in parts])] for n in range(len(self.sizes))]
        return Recorded(torch.cat([part.output for part in parts]), parts[-1].state, traces)

    def _read(
        self,
        layers: Sequence[Sequence[Cell]],
        x: Tensor,
        state: State,
        lengths: Tensor | None,
        condition: Tensor | None,
        drawn: Sequence[Drawn],
        record: Collection[Record],
    ) -> Recorded:
        """Layer by layer."""
        given: list[Tensor] = []
        final: list[tuple[State, ...]] = []
        traces: list[list[Trace]] = []
        for layer, before, now in zip(layers, state, drawn, strict=True):
            below = stack.read(self.connections, x, given, lengths, self.input_size, now.between)
            each = zip(layer, self._directions, before, now.recurrent, now.zoneout, strict=True)
            passes = [Pass(cell, below, start, lengths, way, condition, *masks) for cell, way, start, *masks in each]
            ran = self._run(passes, now.W, record)
            h = torch.cat([trace.output for trace in ran], -1) if len(ran) > 1 else ran[0].output
            given.append(stack.give(self.connections, h, given))
            final.append(tuple(trace.state for trace in ran))
            traces.append(ran)
        return Recorded(stack.out(self.connections, given), tuple(final), traces)

    def _run(self, passes: Sequence[Pass], W: Sequence[Tensor | None], record: Collection[Record]) -> list[Trace]:
        """One layer. Of two directions, each recomputes by itself: they cross the segments in opposite orders."""
        if self.recompute and self.two_directions and torch.is_grad_enabled():
            return [self._recomputed(one, own, record) for one, own in zip(passes, W, strict=True)]
        with weight_dropping.reading([one.cell for one in passes], W):
            return choose.choose(passes, record, self.kernel).run(passes, record)

    def _recomputed(self, one: Pass, W: Tensor | None, record: Collection[Record]) -> Trace:
        def run(segment: range, piece: State, before: State) -> tuple[Trace, State]:
            x, zoneout = piece
            part = replace(one, x=x, state=before, lengths=recomputation.cut(one.lengths, segment), zoneout=zoneout)
            with weight_dropping.reading([one.cell], [W]):
                (trace,) = choose.choose([part], record, self.kernel).run([part], record)
            return trace, trace.state

        parts = recomputation.in_segments(run, (one.x, one.zoneout), one.state, len(one.x), one.direction)
        return recomputation.joined(parts, one.direction)

    def _check_form(self, state: State) -> None:
        """One state for each layer and direction; what is in them, each pass checks."""
        form = [len(self._directions)] * len(self.sizes)
        if not isinstance(state, tuple) or [len(s) if isinstance(s, tuple) else 0 for s in state] != form:
            raise ShapeError(
                f"the state of this stack has {len(form)} layer(s) of {form[0]} direction(s); "
                f"one with the leaves {states.names(state)} came. "
                "Start from initial_state, or from what a call gave back"
            )

    def stepper(self) -> StackStepper:
        """One step a call, weights packed once, in `precision`, for closed loops."""
        if self.two_directions:
            raise ShapeError("two directions need the whole sequence: such a stack cannot be stepped")
        steppers = [(layer[0], choose.stepper(layer[0], self.precision)) for layer in self.cells()]
        return StackStepper(steppers, self.connections, self.input_size, self.noise.zoneout)

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.sizes}, kernel={self.kernel!r}"


def _as_cell(module: Any) -> Cell:
    if not isinstance(module, Cell):
        raise ShapeError(f"a stack is made of cells; {type(module).__name__} is not one")
    return module
