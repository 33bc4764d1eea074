"""The gradients of a step, as a step of its own: what runs through time the other way."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from unrolled.kernels.program import Node, Nodes, Program, reached

#: Made again from what they are made of, rather than kept for the backward pass.
CHEAP = frozenset(
    [
        *("add", "subtract", "multiply", "affine", "maximum", "greater", "equal", "choose", "sign", "absolute"),
        *("spread", "expand"),
    ]
)


class Stream(NamedTuple):
    """What a backward step reads at each time: the gradient of the forward step's `given`; a stream that the forward
    step read; or what it kept."""

    kind: Literal["gradient", "stream", "kept"]
    number: int


class MatrixGradient(NamedTuple):
    """Σ over rows and times of operandᵀ · gradient: the first is among what was kept, the other among what is given."""

    matrix: int
    kept: int
    given: int


@dataclass(frozen=True)
class Gradient:
    """program: the backward step. Its states are the gradients of the forward ones, its `given` those of the streams
    in `of_streams`, and what `matrices` names.

    kept: nodes of the forward step, which it must give as well. streams: what the backward step reads, in order.
    """

    program: Program
    kept: tuple[Node, ...]
    streams: tuple[Stream, ...]
    of_streams: dict[int, int]
    matrices: tuple[MatrixGradient, ...]


def differentiate(step: Program, widths: Sequence[int]) -> Gradient:
    """The gradients of all that the step gives and leaves, in all that it reads. widths: of each leaf of the state."""
    found = _Backward(step).run(widths)
    # What is kept whole need not be kept in slices too.
    whole = {one.number for one in found.kept} & {
        one.inputs[0].number for one in found.kept if one.operation == "slice"
    }
    return _Backward(step, whole).run(widths) if whole else found


@dataclass
class _Backward:
    step: Program
    #: Nodes of which slices are read from the whole.
    whole: Collection[int] = ()
    nodes: Nodes = field(default_factory=Nodes)
    kept: list[Node] = field(default_factory=list)
    streams: list[Stream] = field(default_factory=list)
    #: Node of the forward step → gradients of some of its numbers, and the first of these.
    reaching: dict[int, list[tuple[int, Node]]] = field(default_factory=dict)

    def run(self, widths: Sequence[int]) -> Gradient:
        for number, node in enumerate(self.step.given):
            self.reach(node, self.stream(Stream("gradient", number), node.width))
        for number, node in enumerate(self.step.states):
            self.reach(node, self.nodes.raw("state", (), node.width, place=(number,)))
        of_streams: dict[int, Node] = {}
        of_states = [self.nodes.fill(0, width) for width in widths]
        totals: list[tuple[int, Node]] = []
        of_products: list[tuple[int, int, Node]] = []
        for node in reversed(reached([*self.step.given, *self.step.states])):
            d = self.total(node)
            if d is None:
                continue
            match node.operation:
                case "stream":
                    of_streams[node.place[0]] = d
                case "state":
                    of_states[node.place[0]] = d
                case "static":
                    totals.append((node.place[0], d))
                case "product":
                    (x,), (matrix, transposed) = node.inputs, node.place
                    of_products.append((matrix, self.keep(x), d))
                    self.reach(x, self.nodes.product(d, matrix, not transposed, x.width))
                case _:
                    self.through(node, d)
        given = list(dict.fromkeys([*of_streams.values(), *(d for *_, d in of_products)]))
        place = {node.number: number for number, node in enumerate(given)}
        return Gradient(
            Program(self.nodes, tuple(given), tuple(of_states), tuple(totals)),
            tuple(self.kept),
            tuple(self.streams),
            {number: place[d.number] for number, d in of_streams.items()},
            tuple(MatrixGradient(matrix, kept, place[d.number]) for matrix, kept, d in of_products),
        )

    # --- what reaches a node ---

    def reach(self, node: Node, d: Node, first: int = 0) -> None:
        self.reaching.setdefault(node.number, []).append((first, d))

    def total(self, node: Node) -> Node | None:
        """All that reached it, added up; of parts that overlap, piece by piece."""
        parts = self.reaching.pop(node.number, [])
        if not parts:
            return None
        ends = sorted({0, node.width, *(e for first, d in parts for e in (first, first + d.width))})
        pieces = []
        for begin, end in itertools.pairwise(ends):
            piece = None
            for first, d in parts:
                if first <= begin and end <= first + d.width:
                    some = self.nodes.slice(d, begin - first, end - begin)
                    piece = some if piece is None else self.nodes.apply("add", piece, some)
            pieces.append(self.nodes.fill(0, end - begin) if piece is None else piece)
        return self.nodes.cat(pieces)

    # --- the forward step's values ---

    def stream(self, which: Stream, width: int) -> Node:
        if which not in self.streams:
            self.streams.append(which)
        return self.nodes.raw("stream", (), width, place=(self.streams.index(which),))

    def keep(self, node: Node) -> int:
        if node not in self.kept:
            self.kept.append(node)
        return self.kept.index(node)

    def value(self, node: Node) -> Node:
        """What the forward step had there: read, made again, or kept."""
        if node.operation == "static":
            return self.nodes.raw("static", (), node.width, place=node.place)
        if node.operation == "stream":
            return self.stream(Stream("stream", node.place[0]), node.width)
        if node.operation == "stop":
            return self.value(node.inputs[0])
        if node.operation == "slice" and (
            node.inputs[0].operation in ("stream", "static") or node.inputs[0].number in self.whole
        ):
            return self.nodes.slice(self.value(node.inputs[0]), node.place[0], node.width)
        if node.operation == "fill":
            return self.nodes.fill(node.numbers[0], node.width)
        if node.operation in CHEAP:
            made = [self.value(one) for one in node.inputs]
            return self.nodes.raw(node.operation, made, node.width, node.numbers, node.place)
        return self.stream(Stream("kept", self.keep(node)), node.width)

    # --- the rules ---

    def through(self, node: Node, d: Node) -> None:
        """What reaches the inputs of one node by d, its own gradient."""
        make, value, inputs = self.nodes, self.value, node.inputs

        def times(*factors: Node) -> Node:
            product = d
            for one in factors:
                product = make.apply("multiply", product, one)
            return product

        match node.operation:
            case "slice":
                self.reach(inputs[0], d, node.place[0])
            case "cat":
                first = 0
                for one in inputs:
                    self.reach(one, make.slice(d, first, one.width))
                    first += one.width
            case "spread":
                self.reach(inputs[0], make.sum_units(d))
            case "sum_units":
                self.reach(inputs[0], make.spread(d, inputs[0].width))
            case "expand":
                self.reach(inputs[0], make.sum_axis(d, *node.place))
            case "sum_axis":
                self.reach(inputs[0], make.expand(d, *node.place))
            case "affine":
                self.reach(inputs[0], make.affine(d, node.numbers[0]))
            case "add" | "subtract":
                self.reach(inputs[0], d)
                self.reach(inputs[1], d if node.operation == "add" else make.affine(d, -1))
            case "multiply":
                self.reach(inputs[0], times(value(inputs[1])))
                self.reach(inputs[1], times(value(inputs[0])))
            case "divide":
                by = make.apply("divide", d, value(inputs[1]))
                self.reach(inputs[0], by)
                self.reach(inputs[1], make.affine(make.apply("multiply", by, value(node)), -1))
            case "maximum":
                # A tie is shared, as torch shares it.
                more, less = (make.apply("greater", *map(value, pair)) for pair in (inputs, inputs[::-1]))
                share = make.affine(make.apply("subtract", more, less), 0.5, 0.5)
                self.reach(inputs[0], times(share))
                self.reach(inputs[1], times(make.affine(share, -1, 1)))
            case "choose":
                chosen, zero = value(inputs[0]), make.fill(0, d.width)
                self.reach(inputs[1], make.raw("choose", (chosen, d, zero), d.width))
                self.reach(inputs[2], make.raw("choose", (chosen, zero, d), d.width))
            case "rectifier":
                chosen = make.apply("greater", value(node), 0)
                self.reach(inputs[0], make.raw("choose", (chosen, d, make.fill(0, d.width)), d.width))
            case "sigmoid" | "tangent":
                self.reach(inputs[0], make.apply(f"{node.operation}_gradient", d, value(node)))
            case "exponential":
                self.reach(inputs[0], times(value(node)))
            case "logarithm":
                self.reach(inputs[0], make.apply("divide", d, value(inputs[0])))
            case "softplus":
                self.reach(inputs[0], times(make.apply("sigmoid", value(inputs[0]))))
            case "root":
                self.reach(inputs[0], make.affine(make.apply("divide", d, value(node)), 0.5))
            case "absolute":
                self.reach(inputs[0], times(make.apply("sign", value(inputs[0]))))
            case "sine":
                self.reach(inputs[0], times(make.apply("cosine", value(inputs[0]))))
            case "cosine":
                self.reach(inputs[0], make.affine(times(make.apply("sine", value(inputs[0]))), -1))
            case "fill" | "stop" | "sign" | "greater" | "equal":
                pass
            case other:
                raise NotImplementedError(f"no derivative of {other}")
