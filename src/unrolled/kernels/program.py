"""A cell's step as a program: a straight line of operations on rows of numbers, without Python and without torch.

Each node gives `width` numbers for every row of the batch. What they are made of:

    stream, state, static    what comes in at each time; what the step before left; what is the same in all rows at all
                             times (weights by unit), by number
    slice, cat, spread       some of a node's numbers; nodes side by side; one number for every unit
    expand                   each run of a node's numbers so many times over, as along an axis that another operand has
    sum_axis, sum_units      those sums: of as many runs, number by number; of all of a node's numbers
    product                  a node's numbers times a matrix, by number
    stop                     the same, through which no gradient flows
    the rest                 unit by unit: `Operation` of csrc/program.h says what each of them is

program_gradient.py makes of a step the step of its gradients, program_code.py the instructions of either.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

#: Operations unit by unit, in which a slice of the result is the result of slices.
UNIT_BY_UNIT = frozenset(
    [
        *("fill", "affine", "add", "subtract", "multiply", "divide", "maximum", "greater", "equal", "choose"),
        *(
            "rectifier",
            "sigmoid",
            "tangent",
            "exponential",
            "logarithm",
            "softplus",
            "root",
            "absolute",
            "sign",
            "sine",
        ),
        *("cosine", "sigmoid_gradient", "tangent_gradient"),
    ]
)


@dataclass(frozen=True, eq=False)
class Node:
    """number: its place in the order in which nodes were made, after all that it is made of.

    numbers: constants, such as the factor and the summand of `affine`. place: which stream, state, static or matrix
    (and whether it is taken transposed), where a slice begins, or how many times a run of how many numbers.
    """

    number: int
    operation: str
    inputs: tuple[Node, ...]
    width: int
    numbers: tuple[float, ...] = ()
    place: tuple[int, ...] = ()


@dataclass
class Nodes:
    """Makes nodes: what is asked for twice is made once, and what changes nothing is left out."""

    made: dict[tuple, Node] = field(default_factory=dict)

    def raw(
        self,
        operation: str,
        inputs: Sequence[Node] = (),
        width: int = 1,
        numbers: Sequence[float] = (),
        place: Sequence[int] = (),
    ) -> Node:
        key = (operation, tuple(one.number for one in inputs), width, tuple(numbers), tuple(place))
        if key not in self.made:
            self.made[key] = Node(len(self.made), operation, tuple(inputs), width, tuple(numbers), tuple(place))
        return self.made[key]

    def fill(self, value: float, width: int) -> Node:
        return self.raw("fill", (), width, (float(value),))

    def affine(self, x: Node, factor: float, summand: float = 0.0) -> Node:
        """factor · x + summand."""
        factor, summand = float(factor), float(summand)
        if x.operation == "fill":
            return self.fill(factor * x.numbers[0] + summand, x.width)
        if x.operation == "affine":
            x, factor, summand = x.inputs[0], factor * x.numbers[0], factor * x.numbers[1] + summand
        return x if (factor, summand) == (1, 0) else self.raw("affine", (x,), x.width, (factor, summand))

    def apply(self, operation: str, *operands: Node | float) -> Node:
        """One of the operations unit by unit. An operand of one number counts for every unit of the others."""
        inputs = tuple(one if isinstance(one, Node) else self.fill(one, 1) for one in operands)
        width = max(one.width for one in inputs)
        a, *rest = inputs = tuple(self.spread(one, width) for one in inputs)
        b = rest[0] if rest else a
        if operation in ("add", "multiply") and a.operation == "fill":
            a, b = b, a
        if b.operation == "fill" and len(inputs) == 2:
            (value,) = b.numbers
            if operation in ("add", "subtract"):
                return self.affine(a, 1.0, value if operation == "add" else -value)
            if operation == "multiply":
                return self.affine(a, value)
            if operation == "divide" and value != 0:
                return self.affine(a, 1 / value)
        if operation == "subtract" and a.operation == "fill":
            return self.affine(b, -1.0, a.numbers[0])
        return self.raw(operation, inputs, width)

    def spread(self, x: Node, width: int) -> Node:
        if x.width == width:
            return x
        assert x.width == 1
        return self.fill(x.numbers[0], width) if x.operation == "fill" else self.raw("spread", (x,), width)

    def sum_units(self, x: Node) -> Node:
        return x if x.width == 1 else self.raw("sum_units", (x,), 1)

    def expand(self, x: Node, times: int, run: int) -> Node:
        """Every `run` numbers of it `times` times over: (…, run) → (…, times, run)."""
        if times == 1:
            return x
        if x.width == 1 or x.operation == "spread":
            return self.spread(x.inputs[0] if x.operation == "spread" else x, x.width * times)
        if x.operation == "fill":
            return self.fill(x.numbers[0], x.width * times)
        if x.operation == "expand" and run == x.place[0] * x.place[1]:
            x, times, run = x.inputs[0], times * x.place[0], x.place[1]
        return self.raw("expand", (x,), x.width * times, place=(times, run))

    def sum_axis(self, x: Node, times: int, run: int) -> Node:
        """What `expand` made, added up again: (…, times, run) → (…, run)."""
        if times == 1:
            return x
        if x.width == times:
            return self.sum_units(x)
        return self.raw("sum_axis", (x,), x.width // times, place=(times, run))

    def stop(self, x: Node) -> Node:
        return self.raw("stop", (x,), x.width)

    def product(self, x: Node, matrix: int, transposed: bool, width: int) -> Node:
        return self.raw("product", (x,), width, place=(matrix, int(transposed)))

    def slice(self, x: Node, first: int, width: int) -> Node:
        if width == x.width:
            return x
        if x.operation in UNIT_BY_UNIT:
            if x.operation in ("fill", "affine"):
                parts = [self.slice(one, first, width) for one in x.inputs]
                return self.raw(x.operation, parts, width, x.numbers)
            return self.raw(x.operation, [self.slice(one, first, width) for one in x.inputs], width)
        if x.operation == "spread":
            return self.spread(x.inputs[0], width)
        if x.operation == "stop":
            return self.stop(self.slice(x.inputs[0], first, width))
        if x.operation == "slice":
            return self.slice(x.inputs[0], x.place[0] + first, width)
        if x.operation == "cat":
            return self.cat(
                [
                    self.slice(one, max(first - begins, 0), min(first + width, ends) - max(first, begins))
                    for one, begins, ends in placed(x)
                    if begins < first + width and ends > first
                ]
            )
        return self.raw("slice", (x,), width, place=(first,))

    def cat(self, parts: Sequence[Node]) -> Node:
        parts = list(itertools.chain.from_iterable(one.inputs if one.operation == "cat" else (one,) for one in parts))
        return parts[0] if len(parts) == 1 else self.raw("cat", parts, sum(one.width for one in parts))


def placed(cat: Node) -> list[tuple[Node, int, int]]:
    """Each part of a cat, where it begins and where it ends."""
    ends = list(itertools.accumulate(one.width for one in cat.inputs))
    return [(one, end - one.width, end) for one, end in zip(cat.inputs, ends, strict=True)]


def reached(roots: Sequence[Node]) -> list[Node]:
    """All that these are made of, they among it, each after what it is made of."""
    found: dict[int, Node] = {}
    waiting = list(roots)
    while waiting:
        node = waiting.pop()
        if node.number not in found:
            found[node.number] = node
            waiting += node.inputs
    return [found[number] for number in sorted(found)]


@dataclass(frozen=True)
class Program:
    """One step. By number: given, what it gives at each time; states, what it leaves of each leaf of the state;
    totals, static → what is added up for it over all rows and times."""

    nodes: Nodes
    given: tuple[Node, ...]
    states: tuple[Node, ...]
    totals: tuple[tuple[int, Node], ...] = ()
