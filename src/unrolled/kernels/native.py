"""The native kernels: whole sequences in compiled code, forward and backward, for the cells that it knows.

Where the package was built without a compiler, this kernel refuses, and says so. docs/native.md
tells how it works, and how a cell is added.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from unrolled.cells.cell import Cell, is_symbols
from unrolled.cells.elman import IRNN, Elman, ElmanReLU, ElmanSigmoid
from unrolled.cells.gru import GRU
from unrolled.cells.leaky import GatedLeaky, Leaky, LearntLeaky
from unrolled.cells.lstm import LSTM, LSTMState
from unrolled.cells.lstm_variations import CoupledLSTM, NoForgetLSTM, PeepholeLSTM, ProjectedLSTM
from unrolled.cells.small import IndRNN
from unrolled.cells.xlstm import SLSTM
from unrolled.kernels import native_core, native_directions, native_operators, native_products
from unrolled.kernels.fused import has_twin
from unrolled.kernels.kernel import DIRECTIONS, Kernel, Pass, Record, Trace, past_length
from unrolled.kernels.native_operators import Told


class Struct(NamedTuple):
    """A cell's struct in the native core.

    extra: the weights that the cell has beside the product, (EXTRA, H).
    heads: parts of the units that the product keeps apart, each with a recurrence of its own.
    """

    name: str
    extra: Callable[[Any], Tensor | None] = lambda cell: None
    heads: Callable[[Any], int] = lambda cell: 1


#: T·B below which torch's operators are faster (measured at T = B = 1, H = 256: 0.5 to 0.6 of their speed).
_FEWEST_STEPS = 8

# Exactly these classes: a subclass may have changed a step.
_STRUCTS: dict[type[Cell], Struct] = {
    Elman: Struct("elman-tanh"),
    ElmanReLU: Struct("elman-relu"),
    IRNN: Struct("elman-relu"),
    ElmanSigmoid: Struct("elman-sigmoid"),
    LSTM: Struct("lstm"),
    GRU: Struct("gru", lambda cell: cell.b_h[None]),
    PeepholeLSTM: Struct("peephole-lstm", lambda cell: cell.p.view(3, -1)),
    CoupledLSTM: Struct("coupled-lstm"),
    NoForgetLSTM: Struct("no-forget-lstm"),
    ProjectedLSTM: Struct("lstm"),
    Leaky: Struct("leaky", lambda cell: cell.W.new_full((1, cell.hidden_size), cell.alpha)),
    LearntLeaky: Struct("leaky", lambda cell: torch.sigmoid(cell.a)[None]),
    GatedLeaky: Struct("gated-leaky"),
    IndRNN: Struct("indrnn", lambda cell: cell.w[None]),
    SLSTM: Struct("slstm", heads=lambda cell: cell.heads),
}


class Native(Kernel):
    """Compiled code, on the CPU."""

    NAME = "native"
    TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12, torch.bfloat16: 3e-2}  # noqa: RUF012

    def refuses(self, passes: Sequence[Pass], record: Collection[Record] = ()) -> list[str]:
        if why := native_core.lacks("forward"):
            return [why]
        reasons = []
        for one in passes:
            if type(one.cell) not in _STRUCTS:
                there = ", ".join(sorted(cell.__name__ for cell in _STRUCTS))
                reasons.append(f"the native core has no struct for {type(one.cell).__name__} (it has: {there})")
                continue
            weight = _recurrent_weight(one.cell)
            if one.x.device.type != "cpu" or weight.device.type != "cpu":
                reasons.append(f"the native core runs on the CPU, and this is on {one.x.device}")
            if weight.dtype not in (torch.float32, torch.float64):
                reasons.append(f"the native core takes weights of float32 or float64, and these are {weight.dtype}")
            if torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") != torch.bfloat16:
                reasons.append("the native core knows bfloat16 as the one type of autocast")
            if one.mask is not None and type(one.cell) is IndRNN:
                reasons.append("the native core makes no product for IndRNN, and so has none to mask")
            if one.mask is not None and type(one.cell) is ProjectedLSTM:
                reasons.append(
                    "the native core joins ProjectedLSTM's two products, and what a mask acts on is between them"
                )
            if one.zoneout is not None:
                reasons.append("the native core knows no zoneout")
        if record:
            reasons.append(f"the native core gives no record of every step ({', '.join(sorted(record))} asked for)")
        return list(dict.fromkeys(reasons))

    def yields(self, passes: Sequence[Pass], record: Collection[Record] = ()) -> list[str]:
        reasons = []
        for one in passes:
            if not has_twin(one.cell) or torch.compiler.is_compiling():  # which cannot look into packed rows
                continue
            if one.x.shape[0] * one.x.shape[1] < _FEWEST_STEPS:
                reasons.append("for so few steps, putting the weights in order costs more than it saves")
            elif type(one.cell) is LSTM and not torch.is_grad_enabled():
                reasons.append("torch's LSTM is as fast or faster where there are no gradients to compute")
        return list(dict.fromkeys(reasons))

    def _run(self, passes: Sequence[Pass], record: Collection[Record]) -> list[Trace]:
        if _are_directions(passes):
            return _run_directions(*passes)
        return [_run_projected(one) if type(one.cell) is ProjectedLSTM else _run_pass(one) for one in passes]


def _recurrent_weight(cell: Cell) -> Tensor:
    own = cast("Any", cell)  # not get_parameter: under weight drop another tensor stands here
    return own.w.new_empty(0, cell.hidden_size) if isinstance(cell, IndRNN) else own.W


def _run_pass(one: Pass) -> Trace:
    output, last = _recurrence(one, _told(one))
    return Trace(output, type(one.state)(*last))


def _told(one: Pass) -> Told:
    extra = _STRUCTS[type(one.cell)].extra(one.cell)
    leaves = cast("tuple[Tensor, ...]", one.state)
    mask = None if one.mask is None else cast("tuple[Tensor, ...]", one.mask)[0]
    # One leaf needs no copy.
    start = leaves[0][None] if len(leaves) == 1 else torch.stack(leaves)
    return Told(*_came_in(one), _recurrent_weight(one.cell), extra, mask, start)


def _are_directions(passes: Sequence[Pass]) -> bool:
    """Whether they are the two directions of one layer, of a cell that is one recurrence as it stands."""
    cells = [one.cell for one in passes]
    return (
        [one.direction for one in passes] == list(DIRECTIONS)
        and type(cells[0]) is type(cells[1])
        and not isinstance(cells[0], ProjectedLSTM)
        and all(_STRUCTS[type(cell)].heads(cell) == 1 for cell in cells)
        and all(one.lengths is passes[0].lengths for one in passes)
    )


def _run_directions(forward: Pass, backward: Pass) -> list[Trace]:
    told = [_told(one) for one in (forward, backward)]
    keep = any(map(_keeps, told))
    number = native_core.number(_STRUCTS[type(forward.cell)].name)
    given = native_directions.directions(*told[0], *told[1], forward.lengths, number, keep)
    form = type(forward.state)
    return [Trace(given[0], form(*given[1].unbind(0))), Trace(given[4], form(*given[5].unbind(0)))]


def _keeps(told: Told) -> bool:
    """Whether there will be a backward pass, for which much is kept."""
    return torch.is_grad_enabled() and any(one is not None and one.requires_grad for one in told)


def _run_projected(one: Pass) -> Trace:
    """ProjectedLSTM: with m = o ∘ tanh c and h = P m, W h is (W P) m, so that m can go round in the place of h, and P
    can wait until all times are there. What h_0 gives to the first step comes in with its input, and m_0 is zero.
    """
    cell = cast("Any", one.cell)
    h_0, c_0 = cast("LSTMState", one.state)
    T, B = one.x.shape[:2]
    x, U, b = _came_in(one)
    u = x if U is None else native_products.projection(x, U, b)
    with torch.autocast("cpu", enabled=False):
        W, given = cell.W @ cell.P, h_0 @ cell.W.mT
    rows = torch.arange(B)
    taken = torch.full((B,), T) if one.lengths is None else one.lengths
    first = (taken - 1).clamp(min=0) if one.direction == "backward" else torch.zeros_like(rows)
    u = u.index_put((first, rows), given.to(u.dtype), accumulate=True)
    told = Told(u, None, None, W, None, None, torch.stack([torch.zeros_like(c_0), c_0]))
    m, (m_last, c_last) = _recurrence(one, told)
    with torch.autocast("cpu", enabled=False):
        h_last = torch.where((taken == 0)[:, None], h_0, m_last @ cell.P.mT)
    return Trace(F.linear(m, cell.P), LSTMState(h_last, c_last))


def _recurrence(one: Pass, told: Told) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The output, and the last state's leaves, of the recurrence of each of the cell's heads."""
    struct = _STRUCTS[type(one.cell)]
    keep = _keeps(told)
    rest = (one.lengths, native_core.number(struct.name), one.direction == "backward", keep)
    if (heads := struct.heads(one.cell)) == 1:
        output, last, _, _ = native_operators.recurrence(*told, *rest)
        return output, last.unbind(0)
    parts = [native_operators.recurrence(*own, *rest)[:2] for own in _by_head(told, heads)]
    output, last = (torch.cat(part, -1) for part in zip(*parts, strict=True))
    return output, last.unbind(0)


def _came_in(one: Pass) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """x, U and b, of which the core makes u = U x + b; or u (T, B, G·H), in the type in which the sequence is to be
    stored, where torch must make it: of symbols, and of other types."""
    x, cell = past_length(one.x, one.lengths), cast("Any", one.cell)
    autocast = torch.is_autocast_enabled("cpu") and cell.U.dtype == torch.float32
    if autocast or is_symbols(x) or x.dtype != cell.U.dtype:
        u = cell.project(x, cell.prepare(), one.condition)
        return u.to(torch.bfloat16) if autocast else u, None, None
    return x, cell.U, cell.b


def _by_head(told: Told, heads: int) -> Iterator[Told]:
    """What each head's recurrence is told: the units of one head in every gate block, and its rows of the weights."""
    x, U, b, W, extra, mask, start = told
    u = x if U is None else native_products.projection(x, U, b)

    def part(tensor: Tensor | None) -> list[Tensor] | list[None]:
        return [None] * heads if tensor is None else list(tensor.unflatten(-1, (heads, -1)).unbind(-2))

    gates = len(W) // start.shape[-1]
    of_u = [p.flatten(-2) for p in u.unflatten(-1, (gates, heads, -1)).unbind(-2)]
    of_W = [p.flatten(0, 1) for p in W.unflatten(0, (gates, heads, -1)).unbind(1)]
    nothing = [None] * heads
    parts = zip(of_u, nothing, nothing, of_W, part(extra), part(mask), part(start), strict=True)
    return itertools.starmap(Told, parts)
