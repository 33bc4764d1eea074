"""The instructions of one section of a program (program_code.py): what is made unit by unit, over one width.

What it needs of other sections, and of what comes in, it loads from where that stands.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from unrolled.kernels.program import Node

if TYPE_CHECKING:
    from unrolled.kernels.program_code import Assembler

#: In the order of `Operation` in csrc/program.h.
OPERATIONS = (
    *("section", "product", "load", "spread", "expand", "store", "sum_units", "sum_axis", "sum_rows"),
    *("fill", "affine", "add", "subtract", "multiply", "divide", "maximum", "greater", "equal", "choose", "rectifier"),
    *("sigmoid", "tangent", "exponential", "logarithm", "softplus", "root", "absolute", "sign", "sine", "cosine"),
    *("sigmoid_gradient", "tangent_gradient"),
)
_NUMBER = {name: number for number, name in enumerate(OPERATIONS)}
_INSTRUCTION = struct.Struct("=5q2d")
#: What a section over the width of the operand writes to an array by itself.
SUMS = ("sum_units", "sum_axis")


class Source(NamedTuple):
    """Where a section loads from: an array, from its number `first` on.

    along: None where each unit has a number of its own; () where one number is for all; the `place` of an `expand`.
    """

    array: int
    first: int
    along: tuple[int, ...] | None


class Section:
    """One section's instructions. Registers are taken when a number is made or loaded, and free after its last use."""

    def __init__(self, whole: Assembler) -> None:
        self.whole = whole
        self.register: dict[object, int] = {}
        self.free = [*range(whole.code.registers)]
        self.lines: list[bytes] = []

    def run(self, nodes: Sequence[Node]) -> list[bytes]:
        inside = {node.number for node in nodes}

        def key(one: Node) -> object:
            return one.number if one.number in inside else self.whole.source(one)

        uses = Counter(key(one) for node in nodes for one in node.inputs)
        for node in nodes:
            keys = [key(one) for one in node.inputs]
            for one in keys:
                if one not in self.register:
                    assert isinstance(one, Source)
                    self.load(one)
            read = [self.register[one] for one in keys]
            for one in keys:
                uses[one] -= 1
                if not uses[one] and one in self.register:
                    self.free.append(self.register.pop(one))
            if node.operation in SUMS:
                self.line(node.operation, self.whole.array_of[node.number], *read, *node.place)
                continue
            to = self.take(node.number)
            self.line(node.operation, to, *read, numbers=node.numbers)
            for array, first in self.whole.stores[node.number]:
                self.line("store", array, to, first)
            for total in self.whole.sums[node.number]:
                self.line("sum_rows", total, to)
            if not uses[node.number]:
                self.free.append(self.register.pop(node.number))
        return self.lines

    def load(self, one: Source) -> None:
        array, first, along = one
        if along is None:
            self.line("load", self.take(one), array, first)
        elif not along:
            self.line("spread", self.take(one), array, first)
        else:
            times, run = along
            self.line("expand", self.take(one), array, first, times, numbers=(run,))

    def take(self, key: object) -> int:
        if not self.free:
            self.free.append(self.whole.code.registers)
            self.whole.code.registers += 1
        self.register[key] = min(self.free)
        self.free.remove(self.register[key])
        return self.register[key]

    def line(self, operation: str, *places: int, numbers: Sequence[float] = ()) -> None:
        self.lines.append(instruction(operation, *places, numbers=numbers))


def instruction(operation: str, *places: int, numbers: Sequence[float] = ()) -> bytes:
    """to, a, b, c and x, y, as far as they are given."""
    filled = [*places, *[0] * (4 - len(places))]
    return _INSTRUCTION.pack(_NUMBER[operation], *filled, *numbers, *[0.0] * (2 - len(numbers)))
