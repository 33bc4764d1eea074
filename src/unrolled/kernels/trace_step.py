"""From a cell's own step, in torch, to a program: the step is taken once, and what it asks of torch is written down.

What depends on the weights alone is not part of the program: it is done again in torch for each sequence, with its
gradients (`remake`). What is left must be made of rows of numbers, unit by unit, along axes of them or with sums over
those, and of products with matrices; anything else is a `TraceError`, in words.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from unrolled.kernels.program import Node, Nodes
from unrolled.kernels.program_rules import ROWS, UNITS, TraceError


class Made(NamedTuple):
    """What depends on the weights alone: one of the weights (no function), or what torch makes of them.

    result: which one of several results.
    """

    function: Any
    arguments: tuple
    keywords: dict[str, Any]
    result: int | None


class Place(NamedTuple):
    """In the arguments of `Made`: what stands at that place of the list."""

    number: int


class Tracer(TorchDispatchMode):
    """While it is entered, every operator that torch is asked for is written down.

    rows: how many rows the inputs have; no other length there may be the same.
    """

    def __init__(self, rows: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.rows, self.dtype = rows, dtype
        self.nodes = Nodes()
        self.made: list[Made] = []
        self.vectors: list[int] = []  # what stands in a program as a static, by its place in `made`
        self.matrices: list[int] = []
        self._dynamic: dict[int, Node] = {}
        self._static: dict[int, int] = {}
        self._wider: dict[tuple[int, tuple[int, ...]], Tensor] = {}
        self._alive: list[Tensor] = []  # what is known by its id must not go

    # --- what is known of tensors ---

    def read(self, operation: str, number: int, tensor: Tensor) -> Node:
        """What comes in at each time, or from the step before: (rows, ...), number `number` of its kind."""
        node = self.nodes.raw(operation, (), tensor[0].numel(), place=(number,))
        self.know(tensor, node)
        return node

    def weight(self, tensor: Tensor) -> None:
        """One of the weights, in the order in which a sequence will give them."""
        self._made(Made(None, (), {}, None), tensor)

    def know(self, tensor: Tensor, node: Node) -> None:
        if tensor.dtype not in (self.dtype, torch.bool):
            raise TraceError(f"computes in {tensor.dtype}, where its weights are {self.dtype}")
        self._dynamic[id(tensor)] = node
        self._alive.append(tensor)

    def _made(self, made: Made, tensor: Tensor) -> None:
        self.made.append(made)
        self._static[id(tensor)] = len(self.made) - 1
        self._alive.append(tensor)

    def is_dynamic(self, value: Any) -> bool:
        return isinstance(value, Tensor) and id(value) in self._dynamic

    def left(self, tensor: Tensor) -> Node:
        """The node of what the step gives or leaves."""
        if not self.is_dynamic(tensor):
            raise TraceError("leaves what has nothing to do with its input")
        return self._dynamic[id(tensor)]

    def node(self, value: Tensor, like: Tensor) -> Node:
        """What an operand of a result like `like` (rows, ...) is: of the rows, or a weight by unit."""
        rest = like.shape[1:]
        if id(value) in self._dynamic:
            node = self._dynamic[id(value)]
            return node if node.width == 1 else self._expanded(node, value.shape[1:], rest)
        if value.numel() != 1 and _without_ones(value.shape) != _without_ones(rest):
            value = self._weights_expanded(value, rest)
        return self.nodes.raw("static", (), value.numel(), place=(self._numbered(self.vectors, value),))

    def _expanded(self, node: Node, own: Sequence[int], rest: Sequence[int]) -> Node:
        """A node of rows (rows, *own) as (rows, *rest), in which axes of one number are longer."""
        if len(own) != len(rest):
            raise TraceError(f"puts {tuple(own)} units beside {tuple(rest)}")
        run = 1
        for length, wanted in zip(reversed(own), reversed(rest), strict=True):
            if length != wanted:
                node = self.nodes.expand(node, wanted, run)
            run *= wanted
        return node

    def _weights_expanded(self, value: Tensor, rest: Sequence[int]) -> Tensor:
        """The same for weights, in torch, once a sequence."""
        key = id(value), tuple(rest)
        if key not in self._wider:
            if value.dim() > len(rest):
                raise TraceError(f"has weights of {tuple(value.shape)} where rows are {tuple(rest)}")
            self._wider[key] = value.expand(rest)
            self._made(
                Made(torch.ops.aten.expand.default, (Place(self._place(value)), [*rest]), {}, None), self._wider[key]
            )
        return self._wider[key]

    def matrix(self, value: Tensor) -> int:
        """The number of a matrix (K, N) that depends on the weights alone."""
        if self.is_dynamic(value) or value.dim() != 2:
            raise TraceError("multiplies what comes in with what comes in")
        return self._numbered(self.matrices, value)

    def _numbered(self, places: list[int], value: Tensor) -> int:
        place = self._place(value)
        if place not in places:
            places.append(place)
        return places.index(place)

    def _place(self, value: Tensor) -> int:
        if id(value) not in self._static:
            raise TraceError("reads a tensor that is neither its own nor given to it")
        return self._static[id(value)]

    # --- what torch is asked for ---

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = func._schema.name.removeprefix("aten::")
        if name in ("_local_scalar_dense", "equal", "is_nonzero"):
            raise TraceError("looks at numbers to decide what to do")
        if func._schema.is_mutable:
            raise TraceError(f"changes a tensor in place ({name})")
        if torch.Tag.nondeterministic_seeded in func.tags:
            raise TraceError(f"draws random numbers ({name})")
        result = func(*args, **kwargs)
        results = [result] if isinstance(result, Tensor) else list(result)
        dynamic = [one for one in _tensors((args, kwargs)) if self.is_dynamic(one)]
        of_rows = [one.dim() > 0 and one.shape[0] == self.rows for one in results]
        if not dynamic and not (name in ROWS and all(of_rows)):  # constants for all rows are made of nothing
            arguments, keywords = self._recorded(args), {key: self._recorded(one) for key, one in kwargs.items()}
            for number, one in enumerate(results):
                self._made(Made(func, arguments, keywords, None if isinstance(result, Tensor) else number), one)
        elif not of_rows[0]:
            raise TraceError(f"mixes rows of the batch ({name})")
        elif dynamic and name not in ROWS and len(views := self._views(results, dynamic)) == len(results):
            for one, node in zip(results, views, strict=True):
                self.know(one, self.nodes.stop(node) if name == "detach" else node)
        else:  # what more a normalisation gives, steps do not ask for
            self.know(results[0], self._ruled(name, results[0], args, kwargs))
        return result

    def _ruled(self, name: str, result: Tensor, args: Sequence[Any], kwargs: dict[str, Any]) -> Node:
        width = result[0].numel()
        if name in ROWS:
            return self.nodes.spread(ROWS[name](self, result, *args, **kwargs), width)
        if name not in UNITS:
            raise TraceError(f"asks torch for {name}, of which the native core knows nothing")

        def operand(value: Any) -> Any:
            return self.nodes.spread(self.node(value, result), width) if isinstance(value, Tensor) else value

        return UNITS[name](self.nodes, *map(operand, args), **{key: operand(one) for key, one in kwargs.items()})

    def _recorded(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            return Place(self._place(value))
        if isinstance(value, (tuple, list)):
            return type(value)(self._recorded(one) for one in value)
        return value

    def _views(self, results: Sequence[Tensor], dynamic: Sequence[Tensor]) -> list[Node]:
        """What each of the results that is a view of something looks at."""
        return [node for one in results if (node := self._view(one, dynamic)) is not None]

    def _view(self, result: Tensor, dynamic: Sequence[Tensor]) -> Node | None:
        """Where it only looks at some of another tensor's memory: which numbers of it."""
        for one in dynamic:
            if result.untyped_storage().data_ptr() != one.untyped_storage().data_ptr() or result.dtype != one.dtype:
                continue
            node, width = self._dynamic[id(one)], result[0].numel()
            if node.width == 1 and width > 1:
                return self.nodes.spread(node, width)
            if not (_in_order(one) and _in_order(result) and (result.stride(0) == one.stride(0) or self.rows == 1)):
                raise TraceError(f"takes units apart, {tuple(one.shape)} to {tuple(result.shape)}")
            return self.nodes.slice(node, int(result.storage_offset() - one.storage_offset()), width)
        return None


def _in_order(tensor: Tensor) -> bool:
    """Whether the numbers of each row stand side by side."""
    return tensor[0].is_contiguous()


def _without_ones(shape: Sequence[int]) -> tuple[int, ...]:
    """The same without the axes of one that lead it."""
    return tuple(itertools.dropwhile(lambda length: length == 1, shape))


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = tuple(value.values())
    return [found for one in value for found in _tensors(one)] if isinstance(value, (tuple, list)) else []


def remake(made: Sequence[Made], weights: Sequence[Tensor], wanted: Sequence[int]) -> list[Tensor]:
    """What stands at the places `wanted` of the list, from a sequence's own weights, with gradients."""
    known: dict[int, Any] = {}

    def at(place: int) -> Any:
        if place not in known:
            one = made[place]
            if one.function is None:
                known[place] = weights[place]
            else:
                result = one.function(
                    *_filled(one.arguments, at), **{k: _filled(v, at) for k, v in one.keywords.items()}
                )
                known[place] = result if one.result is None else result[one.result]
        return known[place]

    return [at(place) for place in wanted]


def _filled(value: Any, at: Callable[[int], Any]) -> Any:
    if isinstance(value, Place):
        return at(value.number)
    return type(value)(_filled(one, at) for one in value) if type(value) in (tuple, list) else value
