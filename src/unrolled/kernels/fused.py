"""Torch's own sequence operators (oneDNN, cuDNN) for the cells that have a twin in `torch.nn`.

The weight matrices are shared, not copied, but for cuDNN, which wants them in one piece. Torch wants x rather than its
projection, and two biases; our cells have one, so the second is zeros (for the GRU, zeros but for b_h).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from unrolled.cells.cell import Cell, is_symbols
from unrolled.cells.elman import IRNN, Elman, ElmanReLU, ElmanState
from unrolled.cells.gru import GRU, GRUState
from unrolled.cells.lstm import LSTM, LSTMState
from unrolled.cells.lstm_variations import ProjectedLSTM
from unrolled.kernels.kernel import Kernel, Pass, Record, Trace, past_length
from unrolled.states import State, map_state

# Exactly these classes: a subclass may have changed a step.
_OPERATOR: dict[type[Cell], Callable[..., Any]] = {
    Elman: torch.rnn_tanh,
    ElmanReLU: torch.rnn_relu,
    IRNN: torch.rnn_relu,
    GRU: torch.gru,
    LSTM: torch.lstm,
    ProjectedLSTM: torch.lstm,
}


def has_twin(cell: Cell) -> bool:
    """Whether torch has an operator with the same equations."""
    return type(cell) in _OPERATOR


class Fused(Kernel):
    """One call of torch's operator a pass."""

    NAME = "fused"
    TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12, torch.bfloat16: 3e-2}  # noqa: RUF012

    def refuses(self, passes: Sequence[Pass], record: Collection[Record] = ()) -> list[str]:
        reasons = []
        for one in passes:
            name = type(one.cell).__name__
            if not has_twin(one.cell):
                twins = ", ".join(sorted(cell.__name__ for cell in _OPERATOR))
                reasons.append(f"{name} has no twin in torch.nn (those with one: {twins})")
            if one.condition is not None:
                reasons.append("torch.nn takes no condition vector")
            if one.mask is not None:
                reasons.append(f"torch's {name} takes no mask on the recurrent product")
            if one.zoneout is not None:
                reasons.append(f"torch's {name} knows no zoneout")
            if one.lengths is not None and torch.compiler.is_compiling():
                reasons.append("torch.compile cannot look into packed sequences, which ragged rows are made into")
        if record:
            reasons.append(f"torch's operators give no record of every step ({', '.join(sorted(record))} asked for)")
        return list(dict.fromkeys(reasons))

    def _run(self, passes: Sequence[Pass], record: Collection[Record]) -> list[Trace]:
        return [_run_projected(one) if type(one.cell) is ProjectedLSTM else _run_operator(one) for one in passes]


def _flat_weights(cell: Cell) -> list[Tensor]:
    match cell:
        case GRU():
            second = F.pad(cell.b_h, (2 * cell.hidden_size, 0))
            return [cell.U, cell.W, cell.b, second]
        case ProjectedLSTM():
            return [cell.U, cell.W, cell.b, torch.zeros_like(cell.b), cell.P]
        case Elman() | LSTM():
            return [cell.U, cell.W, cell.b, torch.zeros_like(cell.b)]
    raise TypeError(f"{type(cell).__name__} has no twin in torch.nn")


def _torch_state(state: State) -> Any:
    """With torch's leading axis of layers; a tuple for the LSTM, a tensor for the others."""
    leaves = tuple(leaf[None] for leaf in state)
    return leaves if isinstance(state, LSTMState) else leaves[0]


def _own_state(like: State, parts: Sequence[Tensor]) -> State:
    leaves = [part[0].to(old.dtype) for part, old in zip(parts, like, strict=True)]
    match like:
        case LSTMState():
            return LSTMState(*leaves)
        case GRUState():
            return GRUState(*leaves)
        case ElmanState():
            return ElmanState(*leaves)
    raise TypeError(f"{type(like).__name__} is no state of a cell with a twin in torch.nn")


def _run_projected(one: Pass) -> Trace:
    with warnings.catch_warnings():
        # Torch says once that it falls back to its own code there, which is still faster than steps in Python.
        warnings.filterwarnings("ignore", "LSTM with projections is not supported with oneDNN", UserWarning)
        return _run_operator(one)


def _run_operator(one: Pass) -> Trace:
    # A row of length 0 is run as one of length 1 and its result thrown away, so what it holds must be harmless.
    x = past_length(one.x, one.lengths)
    if is_symbols(x):
        x = F.one_hot(x.long(), one.cell.input_size).to(one.cell.get_parameter("U").dtype)
    backward = one.direction == "backward"
    if backward:
        x = _reverse(x, one.lengths)
    weights, state = _flat_weights(one.cell), one.state
    if x.device.type == "cuda":
        x, state, weights = _for_cudnn(x, state, weights)
        with torch.autocast("cuda", enabled=False):
            output, final = _call(one, x, state, weights)
    else:
        output, final = _call(one, x, state, weights)
    if backward:
        output = _reverse(output, one.lengths)
    return Trace(past_length(output, one.lengths), _own_state(one.state, final))


def _for_cudnn(x: Tensor, state: State, weights: list[Tensor]) -> tuple[Tensor, State, list[Tensor]]:
    """The same in the type that autocast asks for, if it does, and the weights in one piece of memory.

    Left to itself torch takes float16 there whichever type autocast asks for, and puts the weights together with a
    warning at each call. cuDNN's order is the matrices, then the biases.
    """
    matrices_first = sorted(range(len(weights)), key=lambda number: weights[number].dim() == 1)
    piece = torch.cat([weights[number].reshape(-1) for number in matrices_first])
    if torch.is_autocast_enabled("cuda") and piece.dtype != torch.float64:
        dtype = torch.get_autocast_dtype("cuda")
        piece, x, state = piece.to(dtype), x.to(dtype), map_state(lambda leaf: leaf.to(dtype), state)
    parts = dict(zip(matrices_first, piece.split([weights[number].numel() for number in matrices_first]), strict=True))
    return x, state, [parts[number].view_as(weight) for number, weight in enumerate(weights)]


def _call(one: Pass, x: Tensor, state: State, weights: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """Outputs, and torch's final state. Ragged rows go through torch's packed form, which knows no rows of length 0."""
    operator = _OPERATOR[type(one.cell)]
    # layers 1, dropout 0, training or not, one direction
    settings = (True, 1, 0.0, torch.is_grad_enabled(), False)
    lengths = one.lengths
    if lengths is None:
        output, *final = operator(x, _torch_state(state), weights, *settings, False)
        return output, final
    packed = pack_padded_sequence(x, lengths.clamp(min=1).cpu(), enforce_sorted=False)
    order, back = packed.sorted_indices, packed.unsorted_indices
    assert order is not None and back is not None
    hx = _torch_state(map_state(lambda leaf: leaf[order], state))
    data, *final = operator(packed.data, packed.batch_sizes, hx, weights, *settings)
    output, _ = pad_packed_sequence(packed._replace(data=data), total_length=x.shape[0])
    empty = (lengths == 0)[:, None]
    kept = [
        torch.where(empty, old, part[0][back].to(old.dtype))[None] for part, old in zip(final, one.state, strict=True)
    ]
    return output, kept


def _reverse(x: Tensor, lengths: Tensor | None) -> Tensor:
    """x (T, B, F) backwards in time, each row within its own length."""
    if lengths is None:
        return x.flip(0)
    t = torch.arange(x.shape[0], device=x.device)[:, None]
    index = torch.where(t < lengths, lengths - 1 - t, t)
    return x.gather(0, index[:, :, None].expand_as(x))
