"""A program as the instructions that the native core runs (csrc/program.h).

Products take whole rows; what is between them is done in sections, each over the units of one width, tile by tile. A
node that another section needs stands in an array meanwhile.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from unrolled.kernels.program import UNIT_BY_UNIT, Node, Program, placed, reached
from unrolled.kernels.program_section import SUMS, Section, Source, instruction


class Array(NamedTuple):
    """kind: a stream, a static, what is given at each time, or room of the core's own; number: which of its kind."""

    kind: Literal["stream", "static", "given", "own"]
    number: int
    width: int


class Weights(NamedTuple):
    """matrix (K, N), by number; transposed: it is taken as (N, K)."""

    matrix: int
    transposed: bool


@dataclass
class Code:
    """What the core is told of a program, but for addresses.

    states: the arrays of each leaf before and after the step. totals: for each, its static and its width.
    """

    instructions: bytes = b""
    registers: int = 0
    arrays: list[Array] = field(default_factory=list)
    states: list[tuple[int, int]] = field(default_factory=list)
    weights: list[Weights] = field(default_factory=list)
    totals: list[tuple[int, int]] = field(default_factory=list)


def assemble(program: Program, states: Sequence[int]) -> Code:
    """The program's code. states: the width of each leaf of the state."""
    return Assembler(program, states).run()


class Assembler:
    """Lays a program out: what is made in which section, and where what others need stands meanwhile."""

    def __init__(self, program: Program, states: Sequence[int]) -> None:
        self.nodes, self.code = program.nodes, Code()
        self.standing: dict[int, Node] = {}
        self.given = [self._storable(self._settled(one)) for one in program.given]
        self.after = [self._storable(self._settled(one)) for one in program.states]
        self.totals = [(static, self._pointwise(self._settled(one))) for static, one in program.totals]
        self.order = reached([*self.given, *self.after, *(one for _, one in self.totals)])
        self.level: dict[int, int] = {}
        self.array_of: dict[int, int] = {}  # node → where it stands for others to load
        self.stores: dict[int, list[tuple[int, int]]] = defaultdict(list)  # node → arrays, and where in their rows
        self.sums: dict[int, list[int]] = defaultdict(list)  # node → totals
        self.before = [self._array("own", 0, width) for width in states]

    def run(self) -> Code:
        self._set_levels()
        self._place()
        sections: dict[tuple[int, int], list[Node]] = defaultdict(list)
        steps: dict[int, list[Node]] = defaultdict(list)
        for node in self.order:
            if node.operation == "product":
                steps[self.level[node.number]].append(node)
            elif node.operation in UNIT_BY_UNIT or node.operation in SUMS:
                sections[self.level[node.number], self._width(node)].append(node)
        lines: list[bytes] = []
        for level in range(max(self.level.values(), default=0) + 1):
            for node in steps[level]:
                lines.append(self._product(node))
            for (at, width), nodes in sorted(sections.items(), key=lambda item: item[0]):
                if at == level:
                    body = Section(self).run(nodes)
                    lines += [instruction("section", len(body), width), *body]
        self.code.instructions = b"".join(lines)
        return self.code

    # --- what has to be computed, and not only loaded ---

    def _settled(self, root: Node) -> Node:
        """The same program in which products and cats read what can stand in an array, and nothing is only a `stop`."""
        for node in reached([root]):
            if node.number in self.standing:
                continue
            inputs = [self.standing[one.number] for one in node.inputs]
            match node.operation:
                case "stop":
                    made = inputs[0]
                case "cat":
                    made = self.nodes.cat([self._storable(one) for one in inputs])
                case "product" if inputs[0].operation != "state":
                    made = self.nodes.raw("product", [self._storable(inputs[0])], node.width, place=node.place)
                case "slice" | "expand" if inputs[0].operation == "expand":  # that is only a way to load something
                    made = self.nodes.raw(node.operation, [self._pointwise(inputs[0])], node.width, place=node.place)
                case _:
                    made = self.nodes.raw(node.operation, inputs, node.width, node.numbers, node.place)
            self.standing[node.number] = made
        return self.standing[root.number]

    def _pointwise(self, node: Node) -> Node:
        """The same number, from a register."""
        return node if node.operation in UNIT_BY_UNIT else self.nodes.raw("affine", (node,), node.width, (1.0, 0.0))

    def _storable(self, node: Node) -> Node:
        """The same, which a section can store: from registers, or of parts that are."""
        if node.operation == "cat":
            return self.nodes.cat([self._storable(one) for one in node.inputs])
        return self._pointwise(node)

    @staticmethod
    def _width(node: Node) -> int:
        """Of the section in which it is made."""
        return node.inputs[0].width if node.operation in SUMS else node.width

    # --- levels: what a node needs from other sections is made at lower ones ---

    def _ready(self, node: Node) -> int:
        """The level at which a section may load it."""
        match node.operation:
            case "stream" | "static" | "state":
                return 0
            case "slice" | "spread" | "expand":
                return self._ready(node.inputs[0])
            case "cat":
                return max(self._ready(one) for one in node.inputs)
            case _:
                return self.level[node.number] + 1

    def _in_section(self, node: Node, one: Node) -> bool:
        """Whether `one`, which `node` is made of, may be a register of the same section."""
        return one.operation in UNIT_BY_UNIT and one.width == self._width(node)

    def _set_levels(self) -> None:
        followers: dict[int, list[Node]] = defaultdict(list)
        for node in self.order:
            made = node.operation in UNIT_BY_UNIT or node.operation in (*SUMS, "product")
            for one in node.inputs:
                followers[one.number].append(node)
            if made:
                needs = [
                    self.level[one.number]
                    if node.operation != "product" and self._in_section(node, one)
                    else self._ready(one)
                    for one in node.inputs
                ]
                self.level[node.number] = max(needs, default=0)
        # What only one later section needs is made there.
        for node in reversed(self.order):
            after = followers[node.number]
            if (
                node.operation in UNIT_BY_UNIT
                and after
                and all(one.operation in (*UNIT_BY_UNIT, *SUMS) and self._in_section(one, node) for one in after)
            ):
                self.level[node.number] = min(self.level[one.number] for one in after)

    # --- arrays ---

    def _array(self, kind: Literal["stream", "static", "given", "own"], number: int, width: int) -> int:
        """The array of this kind and number; of the core's own room, a new one."""
        one = Array(kind, number, width)
        if kind == "own" or one not in self.code.arrays:
            self.code.arrays.append(one)
            return len(self.code.arrays) - 1
        return self.code.arrays.index(one)

    def _store(self, node: Node, array: int, first: int = 0) -> None:
        if node.operation == "cat":
            for part, begins, _ in placed(node):
                self._store(part, array, first + begins)
        else:
            self.stores[node.number].append((array, first))

    def _place(self) -> None:
        """An array for all that stands somewhere: what is given, what is left, and what other sections load."""
        for number, node in enumerate(self.given):
            self._store(node, self._array("given", number, node.width))
        for before, node in zip(self.before, self.after, strict=True):
            array = self._array("own", 0, node.width)
            self._store(node, array)
            self.code.states.append((before, array))
        for static, node in self.totals:
            self.sums[node.number].append(len(self.code.totals))
            self.code.totals.append((static, node.width))
        for node in list(self.order):
            if node.operation == "product":
                self._stand(node.inputs[0])
            elif node.operation in UNIT_BY_UNIT or node.operation in SUMS:
                for one in node.inputs:
                    same = self._in_section(node, one) and self.level[one.number] == self.level[node.number]
                    if not same:
                        self._stand(one)

    def _stand(self, node: Node) -> None:
        """See to it that it stands in an array."""
        if node.number in self.array_of:
            return
        match node.operation:
            case "slice" | "spread" | "expand":
                self._stand(node.inputs[0])
            case "stream" | "static":
                kind: Literal["stream", "static"] = "stream" if node.operation == "stream" else "static"
                self.array_of[node.number] = self._array(kind, node.place[0], node.width)
            case "state":
                self.array_of[node.number] = self.before[node.place[0]]
            case _:
                self.array_of[node.number] = self._array("own", 0, node.width)
                if node.operation not in ("product", *SUMS):  # which write there themselves
                    self._store(node, self.array_of[node.number])

    def source(self, node: Node) -> Source:
        """Where a section loads it from."""
        if node.number in self.array_of:
            return Source(self.array_of[node.number], 0, None)
        one = self.source(node.inputs[0])
        if node.operation == "slice":
            return one._replace(first=one.first + node.place[0])
        return one._replace(along=node.place)

    def _product(self, node: Node) -> bytes:
        weights = Weights(node.place[0], bool(node.place[1]))
        if weights not in self.code.weights:
            self.code.weights.append(weights)
        self._stand(node)
        return instruction(
            *("product", self.array_of[node.number], self.array_of[node.inputs[0].number]),
            self.code.weights.index(weights),
        )
