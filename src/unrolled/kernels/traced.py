"""The traced kernel: cells of which the native core has no struct, somebody's own among them, in compiled code.

The cell's own step is taken once, and what it asks of torch is written down as a program (trace_step.py), which the
native core runs through all of time, forward and backward (native_program.py). docs/native.md tells how it works.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Iterator, Sequence
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from unrolled import states
from unrolled.cells.cell import Cell, is_symbols, state_like
from unrolled.kernels import native_core, native_products, native_program, reference
from unrolled.kernels.kernel import Kernel, Pass, Record, Trace, at, past_length
from unrolled.kernels.program import Program
from unrolled.kernels.program_rules import TraceError
from unrolled.kernels.trace_step import Made, Tracer, remake

#: T below which the reference is faster (measured with one row of 64 units and with 16 of 128).
_FEWEST_STEPS = 4
#: What a step may read of a cell's class: another function there is another step.
_METHODS = ("prepare", "project", "step", "recur", "combine", "coefficients", "readout")
#: What torch keeps in a module's dictionary for itself.
_OF_EVERY_MODULE = frozenset(vars(torch.nn.Module())) - {"training"}
#: Traced steps that are kept for one cell: with and without masks, training and not.
_MOST_PLANS = 16
#: How many rows a step is traced with: the first of these that no length of a weight can be taken for.
_ROWS = (7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97)


class Plan(NamedTuple):
    """A cell's traced step, and what of its weights goes into it.

    output: the shape of one row's. made: what depends on the weights alone (trace_step.py), and which of it are
    vectors and matrices of the program.
    """

    step: native_program.TracedStep
    output: torch.Size
    made: list[Made]
    vectors: list[int]
    matrices: list[int]


_plans: WeakKeyDictionary[Cell, dict[Hashable, Plan | str]] = WeakKeyDictionary()


class Traced(Kernel):
    """The cell's own step, traced and run in the native core. Under autocast it computes in float32."""

    NAME = "traced"
    TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12, torch.bfloat16: 3e-2}  # noqa: RUF012

    def refuses(self, passes: Sequence[Pass], record: Collection[Record] = ()) -> list[str]:
        if why := native_core.lacks("run_program"):
            return [why]
        if torch.compiler.is_compiling():
            return ["torch.compile cannot look into a traced step"]
        reasons = []
        for one in passes:
            dtype = _dtype(one.cell)
            if one.x.device.type != "cpu" or any(leaf.device.type != "cpu" for _, leaf in states.leaves(one.state)):
                reasons.append(f"the native core runs on the CPU, and this is on {one.x.device}")
            elif dtype not in (torch.float32, torch.float64):
                reasons.append(f"programs are of float32 or float64, and these weights are {dtype}")
            elif isinstance(plan := _plan(one), str):
                reasons.append(f"{type(one.cell).__name__} is no program: its step {plan}")
        if record:
            reasons.append(f"a traced step gives no record of every step ({', '.join(sorted(record))} asked for)")
        return list(dict.fromkeys(reasons))

    def yields(self, passes: Sequence[Pass], record: Collection[Record] = ()) -> list[str]:
        if any(len(one.x) < _FEWEST_STEPS for one in passes):
            return ["for so few steps, making a sequence ready costs more than it saves"]
        return []

    def _run(self, passes: Sequence[Pass], record: Collection[Record]) -> list[Trace]:
        return [_run_pass(one) for one in passes]


def _run_pass(one: Pass) -> Trace:
    plan, cell = _plan(one), one.cell
    assert isinstance(plan, Plan)  # `refuses` saw to it
    dtype, (T, B) = _dtype(cell), one.x.shape[:2]
    weights = cell.prepare()
    with native_products.Projections():
        u = cell.project(past_length(one.x, one.lengths), weights, one.condition)
    with torch.autocast("cpu", enabled=False):
        made = [_computed(tensor, dtype) for tensor in _weights(cell, weights)]
        vectors = [_computed(v, dtype).flatten() for v in remake(plan.made, made, plan.vectors)]
        matrices = [_computed(m, dtype) for m in remake(plan.made, made, plan.matrices)]
        streams = [_flat(leaf.to(dtype), 2) for leaf in (*_leaves(u), *_leaves(one.zoneout))]
        masks = [_flat(leaf.to(dtype), 1).expand(T, B, -1) for leaf in _leaves(one.mask)]
        start = [_flat(leaf.to(dtype), 1) for _, leaf in states.leaves(one.state)]
        output, last = native_program.run(
            plan.step, [*streams, *masks], start, vectors, matrices, one.lengths, one.direction == "backward"
        )
    after = iter(last)
    state = states.map_state(lambda leaf: next(after).view(leaf.shape).to(leaf.dtype), one.state)
    return Trace(output.view(T, B, *plan.output), state)


# --- what a plan depends on ---


def _dtype(cell: Cell) -> torch.dtype:
    """The type that the cell's weights have."""
    return next((own.dtype for own in cell.parameters()), torch.get_default_dtype())


def _computed(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """In the type that is computed with; what else weights are (indices, say) stays."""
    return tensor.to(dtype) if tensor.is_floating_point() or tensor.dtype == torch.bool else tensor


def _flat(tensor: Tensor, axes: int) -> Tensor:
    """The first `axes` axes as they are, and one for all others."""
    return tensor.reshape(*tensor.shape[:axes], math.prod(tensor.shape[axes:]))


def _leaves(value: Any) -> list[Tensor]:
    """The tensors in tuples, lists and dictionaries, in order. TraceError where there is something else."""
    if value is None:
        return []
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = tuple(value.values())
    if not isinstance(value, (tuple, list)):
        raise TraceError(f"is given something else than tensors ({type(value).__name__})")
    return [leaf for part in value for leaf in _leaves(part)]


def _own(module: torch.nn.Module) -> Iterator[Tensor]:
    """A module's tensors: parameters, buffers, and those that stand in their place or beside them."""
    for one in module.modules():
        held = {**one._parameters, **one._buffers, **{k: v for k, v in vars(one).items() if isinstance(v, Tensor)}}
        yield from (tensor for _, tensor in sorted(held.items()) if tensor is not None)


def _weights(cell: Cell, prepared: Any) -> list[Tensor]:
    """All tensors that a step may read besides its input and its state."""
    return [*_own(cell), *_leaves(prepared)]


def _setting(value: Any) -> Hashable:
    """What a step may read of it, to compare; tensors and modules are looked at elsewhere."""
    if isinstance(value, (Tensor, torch.nn.Module)):
        return None
    if isinstance(value, (int, float, str, type(None))) or callable(value):
        return value
    if isinstance(value, dict):
        value = tuple(value.items())
    return tuple(map(_setting, value)) if isinstance(value, (tuple, list)) else repr(value)


def _key(one: Pass) -> Hashable:
    """Whatever a traced step may depend on, but for numbers in tensors."""
    settings = tuple(
        (name, _setting(value))
        for module in one.cell.modules()
        for name, value in vars(module).items()
        if name not in _OF_EVERY_MODULE
    )
    kind = type(one.cell)
    zoneout = (
        None if one.zoneout is None else tuple(leaf is None or leaf.dtype for _, leaf in states.leaves(one.zoneout))
    )
    return (
        *(is_symbols(one.x), one.x.shape[2:], one.mask is None, zoneout, settings),
        tuple((leaf.shape[1:], leaf.dtype) for _, leaf in states.leaves(one.state)),
        tuple((tensor.shape, tensor.dtype) for tensor in _own(one.cell)),
        tuple(getattr(kind, name, None) for name in _METHODS),
    )


def _plan(one: Pass) -> Plan | str:
    """The plan for passes like this one, or why there is none."""
    plans = _plans.setdefault(one.cell, {})
    key = _key(one)
    if key not in plans:
        if len(plans) == _MOST_PLANS:
            plans.clear()
        try:
            plan, same = (_traced(one, seed) for seed in (0, 1))
            if [*plan.step.program.nodes.made] != [*same.step.program.nodes.made]:
                raise TraceError("does another thing where numbers are others")
            plans[key] = plan
        except TraceError as why:
            plans[key] = str(why)
        except Exception as error:  # noqa: BLE001 (whatever it is, the reference kernel will meet it, and a person with it)
            plans[key] = f"could not be tried by itself ({type(error).__name__}: {error})"
    return plans[key]


def _traced(one: Pass, seed: int) -> Plan:
    """The step, taken once on random numbers, of a few rows: as many as nothing else is long."""
    cell, dtype = one.cell, _dtype(one.cell)
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int, like: torch.dtype = dtype) -> Tensor:
        numbers = torch.randn(*shape, generator=generator, dtype=torch.float64)
        if like not in (dtype, torch.bool):
            raise TraceError(f"has a state of {like}, where its weights are {dtype}")
        return numbers > 0 if like == torch.bool else numbers.to(like)

    with torch.no_grad(), torch.autocast("cpu", enabled=False):
        prepared = cell.prepare()
        weights = _weights(cell, prepared)
        rest = one.x.shape[2:]
        B = next(
            rows for rows in _ROWS if all(length % rows for tensor in weights for length in (*tensor.shape, *rest))
        )
        x = torch.zeros(1, B, dtype=torch.int64) if is_symbols(one.x) else draw(1, B, *rest)
        condition = draw(B, cell.condition_size) if cell.condition_size else None
        u = at(cell.project(x, prepared, condition), 0)
        state = states.map_state(lambda leaf: draw(*leaf.shape, like=leaf.dtype), state_like(cell, x))
        mask = None if one.mask is None else states.map_state(lambda leaf: draw(*leaf.shape, like=leaf.dtype), state)
        zoneout = None
        if one.zoneout is not None:
            zoneout = states.map_state(
                lambda leaf, kept: (
                    None if kept is None else draw(*leaf.shape, like=kept.dtype if kept.dtype == torch.bool else dtype)
                ),
                state,
                one.zoneout,
            )
        tracer = Tracer(B, dtype)
        u = states.map_state(lambda leaf: None if leaf is None else leaf.contiguous(), u)
        learnt = len(_leaves(u))
        for number, leaf in enumerate((*_leaves(u), *_leaves(zoneout), *_leaves(mask))):
            tracer.read("stream", number, leaf)
        for number, (_, leaf) in enumerate(states.leaves(state)):
            tracer.read("state", number, leaf)
        for tensor in weights:
            tracer.weight(tensor)
        with tracer:
            step = reference.take_step(cell, u, state, prepared, mask, zoneout)
        given = tracer.left(step.output)
        after = tuple(tracer.left(leaf) for _, leaf in states.leaves(step.state))
    widths = tuple(leaf[0].numel() for _, leaf in states.leaves(state))
    program = Program(tracer.nodes, (given,), after)
    return Plan(
        native_program.TracedStep(program, widths, learnt),
        step.output.shape[1:],
        tracer.made,
        tracer.vectors,
        tracer.matrices,
    )
