"""What torch's operators are as nodes of a program (program.py), by the operator's name: one rule each.

Where a unit stands at a kink, gradients go the way that torch's go.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor

from unrolled.kernels.program import Node, Nodes

if TYPE_CHECKING:
    from unrolled.kernels.trace_step import Tracer

#: Unit by unit: rule(make, *operands, **settings) → node. What was a tensor is a node as wide as the result.
UNITS: dict[str, Callable[..., Node]] = {}
#: Whole rows: rule(tracer, result, *arguments, **settings) → node, all as torch was asked.
ROWS: dict[str, Callable[..., Node]] = {}


class TraceError(Exception):
    """Why a step is no program, in words that follow "its step"."""


def _in(rules: dict[str, Callable[..., Node]], *names: str) -> Callable[[Callable[..., Node]], Callable[..., Node]]:
    def register(rule: Callable[..., Node]) -> Callable[..., Node]:
        rules.update(dict.fromkeys(names, rule))
        return rule

    return register


# --- unit by unit ---

for _names, _operation in {
    ("mul", "logical_and", "bitwise_and"): "multiply",
    ("maximum",): "maximum",
    ("relu",): "rectifier",
    ("sigmoid",): "sigmoid",
    ("tanh",): "tangent",
    ("exp",): "exponential",
    ("log",): "logarithm",
    ("sqrt",): "root",
    ("abs",): "absolute",
    ("sgn", "sign"): "sign",
    ("sin",): "sine",
    ("cos",): "cosine",
    ("gt",): "greater",
    ("eq",): "equal",
    ("where",): "choose",
}.items():
    UNITS |= dict.fromkeys(_names, lambda make, *operands, _o=_operation: make.apply(_o, *operands))

UNITS |= {
    "neg": lambda make, x: make.affine(x, -1),
    "lt": lambda make, a, b: make.apply("greater", b, a),
    "ne": lambda make, a, b: make.affine(make.apply("equal", a, b), -1, 1),
    "ge": lambda make, a, b: make.apply("add", make.apply("greater", a, b), make.apply("equal", a, b)),
    "le": lambda make, a, b: make.apply("add", make.apply("greater", b, a), make.apply("equal", a, b)),
    "minimum": lambda make, a, b: make.affine(make.apply("maximum", make.affine(a, -1), make.affine(b, -1)), -1),
    "silu": lambda make, x: make.apply("multiply", x, make.apply("sigmoid", x)),
    "reciprocal": lambda make, x: make.apply("divide", 1, x),
    "rsqrt": lambda make, x: make.apply("divide", 1, make.apply("root", x)),
    "log_sigmoid_forward": lambda make, x: make.affine(make.apply("softplus", make.affine(x, -1)), -1),
}
UNITS |= dict.fromkeys(("logical_not", "bitwise_not"), lambda make, x: make.affine(x, -1, 1))


@_in(UNITS, "add")
def _add(make: Nodes, a: Node | float, b: Node | float, alpha: float = 1) -> Node:
    return make.apply("add", a, make.apply("multiply", b, alpha))


@_in(UNITS, "sub")
def _sub(make: Nodes, a: Node | float, b: Node | float, alpha: float = 1) -> Node:
    return make.apply("subtract", a, make.apply("multiply", b, alpha))


@_in(UNITS, "rsub")
def _rsub(make: Nodes, a: Node, b: Node | float, alpha: float = 1) -> Node:
    return _sub(make, b, a, alpha)


@_in(UNITS, "div")
def _div(make: Nodes, a: Node | float, b: Node | float, rounding_mode: str | None = None) -> Node:
    if rounding_mode:
        raise TraceError("divides with rounding")
    return make.apply("divide", a, b)


@_in(UNITS, "pow")
def _pow(make: Nodes, x: Node, exponent: Node | float) -> Node:
    match exponent:
        case 2 | 3:
            square = make.apply("multiply", x, x)
            return square if exponent == 2 else make.apply("multiply", square, x)
        case 0.5:
            return make.apply("root", x)
        case -1:
            return make.apply("divide", 1, x)
    raise TraceError("takes powers other than −1, 0.5, 2 and 3")


@_in(UNITS, "clamp", "clamp_min", "clamp_max")
def _clamp(make: Nodes, x: Node, least: float | None = None, most: float | None = None, **named: float) -> Node:
    least, most = named.get("min", least), named.get("max", most)
    if most is not None:
        x = make.apply("choose", make.apply("greater", x, most), most, x)
    return x if least is None else make.apply("choose", make.apply("greater", least, x), least, x)


@_in(UNITS, "hardtanh")
def _hardtanh(make: Nodes, x: Node, least: float = -1, most: float = 1) -> Node:
    above = make.apply("choose", make.apply("greater", x, least), x, least)
    return make.apply("choose", make.apply("greater", most, x), above, most)


@_in(UNITS, "hardsigmoid")
def _hardsigmoid(make: Nodes, x: Node) -> Node:
    return make.affine(_hardtanh(make, x, -3, 3), 1 / 6, 1 / 2)


@_in(UNITS, "leaky_relu")
def _leaky_relu(make: Nodes, x: Node, slope: float = 0.01) -> Node:
    return make.apply("choose", make.apply("greater", x, 0), x, make.affine(x, slope))


@_in(UNITS, "elu")
def _elu(make: Nodes, x: Node, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> Node:
    below = make.affine(make.apply("exponential", make.affine(x, input_scale)), alpha * scale, -alpha * scale)
    return make.apply("choose", make.apply("greater", x, 0), make.affine(x, scale), below)


@_in(UNITS, "softplus")
def _softplus(make: Nodes, x: Node, beta: float = 1, threshold: float = 20) -> Node:
    scaled = make.affine(x, beta)
    bent = make.affine(make.apply("softplus", scaled), 1 / beta)
    return make.apply("choose", make.apply("greater", scaled, threshold), x, bent)


@_in(UNITS, "lerp")
def _lerp(make: Nodes, a: Node, b: Node, share: Node | float) -> Node:
    return make.apply("add", a, make.apply("multiply", share, make.apply("subtract", b, a)))


@_in(UNITS, "addcmul")
def _addcmul(make: Nodes, a: Node, b: Node, c: Node, value: float = 1) -> Node:
    return make.apply("add", a, make.affine(make.apply("multiply", b, c), value))


# --- whole rows ---


@_in(ROWS, "clone", "_to_copy", "contiguous", "expand")
def _same(tracer: Tracer, result: Tensor, x: Tensor, *shape: Any, **settings: Any) -> Node:
    return tracer.node(x, result)


@_in(ROWS, "zeros", "zeros_like", "new_zeros")
def _zeros(tracer: Tracer, result: Tensor, *arguments: Any, **settings: Any) -> Node:
    return tracer.nodes.fill(0, 1)


@_in(ROWS, "ones", "ones_like", "new_ones")
def _ones(tracer: Tracer, result: Tensor, *arguments: Any, **settings: Any) -> Node:
    return tracer.nodes.fill(1, 1)


@_in(ROWS, "full", "full_like", "new_full")
def _full(tracer: Tracer, result: Tensor, *arguments: Any, **settings: Any) -> Node:
    return tracer.nodes.fill(arguments[1], 1)


@_in(ROWS, "cat")
def _cat(tracer: Tracer, result: Tensor, parts: Sequence[Tensor], dim: int = 0) -> Node:
    dim %= result.dim()
    if dim == 0 or result.shape[1:dim].numel() != 1:
        raise TraceError("puts units together that do not stand side by side")
    nodes = []
    for part in parts:
        node = tracer.node(part, part if tracer.is_dynamic(part) else result)
        if node.operation == "static":
            raise TraceError("puts weights beside what comes in")
        nodes.append(node)
    return tracer.nodes.cat(nodes)


@_in(ROWS, "sum")
def _sum(tracer: Tracer, result: Tensor, x: Tensor, dims: Sequence[int], *rest: Any, **settings: Any) -> Node:
    """Not over the rows: the result would have none."""
    axes = {dim % x.dim() for dim in dims}
    node, shape = tracer.node(x, x), [*x.shape]
    for axis in sorted(axes, reverse=True):
        node = tracer.nodes.sum_axis(node, shape[axis], math.prod(shape[axis + 1 :]))
        shape[axis] = 1
    return node


@_in(ROWS, "mean")
def _mean(tracer: Tracer, result: Tensor, x: Tensor, *rest: Any, **settings: Any) -> Node:
    sum_of_them = _sum(tracer, result, x, *rest, **settings)
    return tracer.nodes.affine(sum_of_them, sum_of_them.width / tracer.node(x, x).width)


@_in(ROWS, "native_layer_norm")
def _layer_norm(
    tracer: Tracer,
    result: Tensor,
    x: Tensor,
    shape: Sequence[int],
    gain: Tensor | None,
    shift: Tensor | None,
    epsilon: float,
) -> Node:
    make, node = tracer.nodes, tracer.node(x, x)
    if math.prod(shape) != node.width:
        raise TraceError("normalises parts of the units by themselves")

    def mean(of: Node) -> Node:
        return make.affine(make.sum_units(of), 1 / node.width)

    centred = make.apply("subtract", node, mean(node))
    spread = make.apply("root", make.affine(mean(make.apply("multiply", centred, centred)), 1, epsilon))
    normal = make.apply("multiply", centred, make.apply("divide", 1, spread))
    if gain is not None:
        normal = make.apply("multiply", normal, tracer.node(gain, result))
    return normal if shift is None else make.apply("add", normal, tracer.node(shift, result))


@_in(ROWS, "mm")
def _product(tracer: Tracer, result: Tensor, x: Tensor, matrix: Tensor) -> Node:
    if not tracer.is_dynamic(x):
        raise TraceError("multiplies weights with what comes in, and not the other way")
    return tracer.nodes.product(tracer.node(x, x), tracer.matrix(matrix), False, result.shape[1])


@_in(ROWS, "bmm")
def _product_of_rows(tracer: Tracer, result: Tensor, a: Tensor, b: Tensor) -> Node:
    """A matrix of each row's own (rows, M, K) times another (rows, K, N)."""
    make, (M, K), N = tracer.nodes, a.shape[1:], b.shape[2]
    left, right = make.expand(tracer.node(a, a), N, 1), make.expand(tracer.node(b, b), M, K * N)
    return make.sum_axis(make.apply("multiply", left, right), K, N)


@_in(ROWS, "addmm")
def _product_and_bias(
    tracer: Tracer, result: Tensor, bias: Tensor, x: Tensor, matrix: Tensor, beta: float = 1, alpha: float = 1
) -> Node:
    make = tracer.nodes
    product = make.affine(_product(tracer, result, x, matrix), alpha)
    return make.apply("add", product, make.affine(tracer.node(bias, result), beta))
