"""A cell's step as a plan: its program, and what of its weights goes into it. Made once for each form of what comes in.

A plan depends on the cell's settings (its numbers, words and functions), on shapes and types, and on training or not;
never on a number in a tensor. It is made again where one of these changes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary, ref

import torch
from torch import Tensor

from unrolled import states
from unrolled.cells.cell import Cell, is_symbols, state_like
from unrolled.kernels import native_program, reference
from unrolled.kernels.kernel import Pass, at
from unrolled.kernels.native_core import constant
from unrolled.kernels.program import Program
from unrolled.kernels.program_rules import TraceError
from unrolled.kernels.trace_step import Made, Tracer, remake

#: What a step may read of a cell's class: another function there is another step.
_METHODS = ("prepare", "project", "step", "recur", "combine", "coefficients", "readout")
#: What torch keeps in a module's dictionary for itself.
_OF_EVERY_MODULE = frozenset(vars(torch.nn.Module())) - {"training"}
#: Plans that are kept for one cell: with and without masks, training and not.
_MOST_PLANS = 16
#: How many rows a step is traced with: the first of these that no length of a weight can be taken for.
_ROWS = (7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97)


class Form(NamedTuple):
    """What comes in, as far as a plan depends on it.

    symbols: x is whole numbers. rest: axes of x behind time and rows. mask: there is one. zoneout: there is one; the
    type of each leaf, or None. whole: what the cell makes of x by itself (`project`) is part of the program, whose
    first stream is x then, in place of u.
    """

    symbols: bool
    rest: tuple[int, ...]
    mask: bool
    zoneout: tuple[torch.dtype | None, ...] | None
    whole: bool


class Plan(NamedTuple):
    """A cell's traced step, and what of its weights goes into it.

    dtype: what it is computed in. output: the shape of one row's. made: what depends on the weights alone
    (trace_step.py), and which of it are vectors and matrices of the program.
    """

    step: native_program.TracedStep
    dtype: torch.dtype
    output: torch.Size
    made: list[Made]
    vectors: list[int]
    matrices: list[int]

    def weights(self, given: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """The program's vectors, flat, and its matrices, from the cell's own (`weights_of`), with gradients."""
        own = [_computed(tensor, self.dtype) for tensor in given]
        vectors, matrices = (
            [_computed(tensor, self.dtype) for tensor in remake(self.made, own, places)]
            for places in (self.vectors, self.matrices)
        )
        return [vector.flatten() for vector in vectors], matrices


_plans: WeakKeyDictionary[Cell, dict[Hashable, Plan | str]] = WeakKeyDictionary()


def form_of(one: Pass) -> Form:
    """The form of a pass, whose u comes from torch."""
    zoneout = None if one.zoneout is None else kept_types(one.zoneout)
    symbols = is_symbols(one.x)
    # Not what x says of its features: to torch.compile, that may be an unknown.
    rest = () if symbols else (*one.x.shape[2:-1], one.cell.input_size)
    return Form(symbols, rest, one.mask is not None, zoneout, False)


def kept_types(zoneout: states.State) -> tuple[torch.dtype | None, ...]:
    """The type of each leaf, or None."""
    return tuple(None if leaf is None else leaf.dtype for _, leaf in states.leaves(zoneout))


def plan_for(cell: Cell, form: Form) -> Plan | str:
    """The plan, or why there is none, in words that follow "its step"."""
    plans = _plans.setdefault(cell, {})
    key = (form, settings := _settings(cell))
    if key not in plans:
        if len(plans) == _MOST_PLANS:
            plans.clear()
        own = ref(cell)

        def unchanged() -> bool:
            held = own()
            return held is None or _settings(held) == settings

        try:
            plan, same = (_traced(cell, form, seed, unchanged) for seed in (0, 1))
            if [*plan.step.program.nodes.made] != [*same.step.program.nodes.made]:
                raise TraceError("does another thing where numbers are others")
            plans[key] = plan
        except TraceError as why:
            plans[key] = str(why)
        except Exception as error:  # noqa: BLE001 (whatever it is, the reference kernel will meet it, and a person with it)
            plans[key] = f"could not be tried by itself ({type(error).__name__}: {error})"
    return plans[key]


@constant
def why_not(cell: Cell, *form: Any) -> str:
    """Why there is no plan; empty where there is one. form: the parts of a `Form`: torch.compile hands on no more."""
    plan = plan_for(cell, Form(*form))
    return plan if isinstance(plan, str) else ""


def dtype_of(cell: Cell) -> torch.dtype:
    """The type that the cell's weights have."""
    return next((own.dtype for own in cell.parameters()), torch.get_default_dtype())


def _computed(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """In the type that is computed with; what else weights are (indices, say) stays."""
    return tensor.to(dtype) if tensor.is_floating_point() or tensor.dtype == torch.bool else tensor


def flat(tensor: Tensor, axes: int) -> Tensor:
    """The first `axes` axes as they are, and one for all others."""
    return tensor.reshape(*tensor.shape[:axes], math.prod(tensor.shape[axes:]))


def leaves(value: Any) -> list[Tensor]:
    """The tensors in tuples, lists and dictionaries, in order. TraceError where there is something else."""
    if value is None:
        return []
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = tuple(value.values())
    if not isinstance(value, (tuple, list)):
        raise TraceError(f"is given something else than tensors ({type(value).__name__})")
    return [leaf for part in value for leaf in leaves(part)]


@constant
def _own_names(cell: Cell) -> tuple[tuple[str, ...], ...]:
    """The paths to its tensors: parameters, buffers, and those that stand in their place or beside them."""
    found = []
    for path, one in cell.named_modules():
        held = {**one._parameters, **one._buffers, **{k: v for k, v in vars(one).items() if isinstance(v, Tensor)}}
        found += [(*filter(None, path.split(".")), name) for name, tensor in sorted(held.items()) if tensor is not None]
    return tuple(found)


def _own(cell: Cell) -> list[Tensor]:
    """These tensors."""
    found = []
    for path in _own_names(cell):
        one: Any = cell
        for name in path:
            one = getattr(one, name)
        found.append(one)
    return found


def weights_of(cell: Cell, prepared: Any) -> list[Tensor]:
    """All tensors that a step may read besides its input and its state."""
    return [*_own(cell), *leaves(prepared)]


def _setting(value: Any) -> Hashable:
    """What a step may read of it, to compare; tensors and modules are looked at elsewhere."""
    if isinstance(value, (Tensor, torch.nn.Module)):
        return None
    if isinstance(value, (int, float, str, type(None))) or callable(value):
        return value
    if isinstance(value, dict):
        value = tuple(value.items())
    return tuple(map(_setting, value)) if isinstance(value, (tuple, list)) else repr(value)


def _settings(cell: Cell) -> Hashable:
    """Whatever of a cell a traced step may depend on, but for numbers in tensors."""
    settings = tuple(
        (name, _setting(value))
        for module in cell.modules()
        for name, value in vars(module).items()
        if name not in _OF_EVERY_MODULE
    )
    kind = type(cell)
    own = tuple((tensor.shape, tensor.dtype) for tensor in _own(cell))
    return settings, own, tuple(getattr(kind, name, None) for name in _METHODS)


def _traced(cell: Cell, form: Form, seed: int, unchanged: Callable[[], bool]) -> Plan:
    """The step, taken once on random numbers, of a few rows: as many as nothing else is long."""
    dtype = dtype_of(cell)
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int, like: torch.dtype = dtype) -> Tensor:
        numbers = torch.randn(*shape, generator=generator, dtype=torch.float64)
        if like not in (dtype, torch.bool):
            raise TraceError(f"has a state of {like}, where its weights are {dtype}")
        return numbers > 0 if like == torch.bool else numbers.to(like)

    with torch.no_grad(), torch.autocast("cpu", enabled=False):
        prepared = cell.prepare()
        weights = weights_of(cell, prepared)
        B = next(
            rows for rows in _ROWS if all(length % rows for tensor in weights for length in (*tensor.shape, *form.rest))
        )
        # In the whole, rows stand where time does: what is made of one time does not depend on the others.
        before = (B, 1) if form.whole else (1, B)
        x = torch.zeros(*before, dtype=torch.int64) if form.symbols else draw(*before, *form.rest)
        like = state_like(cell, x.view(1, B, *x.shape[2:]))
        state = states.map_state(lambda leaf: draw(*leaf.shape, like=leaf.dtype), like)
        mask = states.map_state(lambda leaf: draw(*leaf.shape, like=leaf.dtype), state) if form.mask else None
        zoneout = None
        if form.zoneout is not None:
            kinds = iter(form.zoneout)

            def drawn(leaf: Tensor) -> Tensor | None:
                kind = next(kinds)
                return None if kind is None else draw(*leaf.shape, like=kind if kind == torch.bool else dtype)

            zoneout = states.map_state(drawn, state)
        u: Any = x
        if not form.whole:
            condition = draw(B, cell.condition_size) if cell.condition_size else None
            u = at(cell.project(x, prepared, condition), 0)
            u = states.map_state(lambda leaf: None if leaf is None else leaf.contiguous(), u)
        tracer = Tracer(B, dtype)
        learnt = len(leaves(u))
        for number, leaf in enumerate((*leaves(u), *leaves(zoneout), *leaves(mask))):
            tracer.read("stream", number, leaf)
        for number, (_, leaf) in enumerate(states.leaves(state)):
            tracer.read("state", number, leaf)
        for tensor in weights:
            tracer.weight(tensor)
        with tracer:
            if form.whole:
                u = states.map_state(lambda leaf: None if leaf is None else leaf[:, 0], cell.project(x, prepared))
            step = reference.take_step(cell, u, state, prepared, mask, zoneout)
        given = tracer.left(step.output)
        after = tuple(tracer.left(leaf) for _, leaf in states.leaves(step.state))
    widths = tuple(leaf[0].numel() for _, leaf in states.leaves(state))
    program = Program(tracer.nodes, (given,), after)
    return Plan(
        native_program.TracedStep(program, widths, learnt, unchanged),
        dtype,
        step.output.shape[1:],
        tracer.made,
        tracer.vectors,
        tracer.matrices,
    )
