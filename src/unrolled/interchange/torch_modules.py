"""torch.nn's recurrent modules and their cells, both ways.

| torch.nn | here |
|---|---|
| RNN, RNNCell, nonlinearity "tanh" and "relu" | Elman, ElmanReLU |
| LSTM, LSTMCell | LSTM |
| LSTM with proj_size | ProjectedLSTM |
| GRU, GRUCell | GRU |

Gate blocks stand in one order in both: weight_ih is U, weight_hh is W, weight_hr is P. Torch's two biases become one,
and where one goes back, bias_hh is zero but for the GRU's b_h (`unrolled.interchange.twins`). Dropout between layers,
directions and training mode travel; `batch_first` is a matter of the caller's data, which is time-major here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from unrolled.cells.cell import Cell
from unrolled.cells.elman import IRNN, Elman, ElmanReLU
from unrolled.cells.gru import GRU
from unrolled.cells.lstm import LSTM, LSTMState
from unrolled.cells.lstm_variations import ProjectedLSTM
from unrolled.errors import OptionError, ShapeError
from unrolled.interchange import twins
from unrolled.layers.recurrent import Recurrent
from unrolled.states import State

#: Kind of cell → the class of a stack's twin, and what tells it from others of that class.
_STACKS: Mapping[type[Cell], tuple[Any, dict[str, Any]]] = {
    Elman: (nn.RNN, {"nonlinearity": "tanh"}),
    ElmanReLU: (nn.RNN, {"nonlinearity": "relu"}),
    IRNN: (nn.RNN, {"nonlinearity": "relu"}),
    LSTM: (nn.LSTM, {}),
    ProjectedLSTM: (nn.LSTM, {}),
    GRU: (nn.GRU, {}),
}
#: The same for one cell.
_CELLS: Mapping[type[Cell], tuple[Any, dict[str, Any]]] = {
    Elman: (nn.RNNCell, {"nonlinearity": "tanh"}),
    ElmanReLU: (nn.RNNCell, {"nonlinearity": "relu"}),
    IRNN: (nn.RNNCell, {"nonlinearity": "relu"}),
    LSTM: (nn.LSTMCell, {}),
    GRU: (nn.GRUCell, {}),
}


def from_torch(module: nn.RNNBase) -> Recurrent:
    """The stack that computes what an nn.RNN, nn.LSTM or nn.GRU does.

    Raises OptionError for any other module, one that merely inherits from these too: it may compute something else.
    """
    kind = _kind(module, (nn.RNN, nn.LSTM, nn.GRU))
    ways = ("", "_reverse") if module.bidirectional else ("",)
    cells = [[_cell_from(module, kind, f"_l{layer}{way}") for way in ways] for layer in range(module.num_layers)]
    return twins.stack_from(cells, module.dropout).train(module.training)


def to_torch(stack: Recurrent, batch_first: bool = False) -> nn.RNNBase:
    """The nn.RNN, nn.LSTM or nn.GRU that computes what this stack does.

    batch_first: whether it is to read (B, T, F).
    Raises OptionError where torch.nn has no twin: another cell, layers of several sizes or kinds, and what stands
    around cells here alone (residual connections, zoneout, …). The message says what to do.
    """
    twins.check_plain(stack, "torch.nn", allowed=[twins.DROPOUT])
    first = _one_for_all(stack)
    cls, options = _STACKS[type(first)]
    if isinstance(first, ProjectedLSTM):
        options = {"proj_size": first.projection_size}
    bias = any(twins.has_bias(cell) for layer in stack.cells() for cell in layer)
    module = cls(
        stack.input_size,
        first.hidden_size,
        num_layers=len(stack.sizes),
        bias=bias,
        batch_first=batch_first,
        dropout=stack.noise.dropout.rate if len(stack.sizes) > 1 else 0.0,
        bidirectional=stack.two_directions,
        device="meta",  # nothing is drawn for weights that are about to be replaced
        **options,
    )
    weights: dict[str, Tensor] = {}
    for number, layer in enumerate(stack.cells()):
        for cell, way in zip(layer, ("", "_reverse"), strict=False):
            weights |= _weights_of(cell, bias, f"_l{number}{way}")
    module.load_state_dict(weights, assign=True)
    module.flatten_parameters()  # one piece of memory, as cuDNN wants it
    return module.train(stack.training)


def cell_from_torch(module: nn.RNNCellBase) -> Cell:
    """The cell that computes what an nn.RNNCell, nn.LSTMCell or nn.GRUCell does. OptionError for any other module."""
    return _cell_from(module, _kind(module, (nn.RNNCell, nn.LSTMCell, nn.GRUCell))).train(module.training)


def cell_to_torch(cell: Cell) -> nn.RNNCellBase:
    """The nn.RNNCell, nn.LSTMCell or nn.GRUCell that computes what this cell does. OptionError where there is none."""
    twins.check_twin(cell, _CELLS, "torch.nn's modules for one cell")
    cls, options = _CELLS[type(cell)]
    bias = twins.has_bias(cell)
    module = cls(cell.input_size, cell.hidden_size, bias=bias, device="meta", **options)
    module.load_state_dict(_weights_of(cell, bias), assign=True)
    return module.train(cell.training)


def state_from_torch(stack: Recurrent, state: Tensor | tuple[Tensor, Tensor]) -> State:
    """The state of `stack` from torch's: h (L·D, B, H), or (h, c) for LSTMs, layer by layer, forward first.

    ShapeError where it is not one of this stack. A cell's state needs no help: `LSTMState(h, c)`, `GRUState(h)`.
    """
    parts = state if isinstance(state, tuple) else (state,)
    form = stack.initial_state(parts[0].shape[-2])
    flat = [one for layer in form for one in layer]
    wanted = [(len(flat), *leaf.shape) for leaf in flat[0]]
    if [tuple(part.shape) for part in parts] != wanted:
        raise ShapeError(
            f"a state of {len(wanted)} tensor(s), layers × directions first, was expected: {wanted}; "
            f"{[tuple(part.shape) for part in parts]} came"
        )
    taken = iter([type(flat[0])(*leaves) for leaves in zip(*parts, strict=True)])
    return tuple(tuple(next(taken) for _ in layer) for layer in form)


def state_to_torch(state: State) -> Tensor | tuple[Tensor, Tensor]:
    """Torch's form of a stack's state: h (L·D, B, H), or (h, c) for LSTMs. ShapeError for layers of several sizes."""
    flat = [one for layer in state for one in layer]
    if len({tuple(leaf.shape for leaf in one) for one in flat}) > 1:
        raise ShapeError("torch.nn keeps the states of all layers in one tensor: layers of one size were expected")
    stacked = [torch.stack(leaves) for leaves in zip(*flat, strict=True)]
    return (stacked[0], stacked[1]) if isinstance(flat[0], LSTMState) else stacked[0]


def _kind(module: nn.Module, known: Collection[type[nn.Module]]) -> type[Cell]:
    if type(module) not in known:
        raise OptionError(
            f"one of torch.nn's own {', '.join(cls.__name__ for cls in known)} was expected, and "
            f"{type(module).__name__} came: where it holds one of these, give that; where it computes the same, copy "
            "its weights into one first"
        )
    if isinstance(module, nn.RNN | nn.RNNCell):
        return Elman if module.nonlinearity == "tanh" else ElmanReLU
    if isinstance(module, nn.LSTM):
        return ProjectedLSTM if module.proj_size else LSTM
    return LSTM if isinstance(module, nn.LSTMCell) else GRU


def _cell_from(module: nn.Module, kind: type[Cell], suffix: str = "") -> Cell:
    """The cell with the weights whose names end in `suffix`."""
    weights = {"U": getattr(module, "weight_ih" + suffix), "W": getattr(module, "weight_hh" + suffix)}
    if module.bias:
        first, second = getattr(module, "bias_ih" + suffix), getattr(module, "bias_hh" + suffix)
        weights |= twins.one_bias(kind, first, second)
    if kind is not ProjectedLSTM:
        return twins.cell_from(kind, weights)
    weights["P"] = getattr(module, "weight_hr" + suffix)
    return twins.cell_from(kind, weights, projection_size=len(weights["P"]))


def _weights_of(cell: Cell, bias: bool, suffix: str = "") -> dict[str, Tensor]:
    """Copies of the weights of `cell` by torch's names."""
    weights: dict[str, Tensor] = {"weight_ih": cell.get_parameter("U"), "weight_hh": cell.get_parameter("W")}
    if bias:
        weights["bias_ih"], weights["bias_hh"] = twins.two_biases(cell)
    if isinstance(cell, ProjectedLSTM):
        weights["weight_hr"] = cell.P
    return {name + suffix: weight.detach().clone() for name, weight in weights.items()}


def _one_for_all(stack: Recurrent) -> Cell:
    """A cell of the stack, after making sure that all are of one kind and size, which torch.nn knows."""
    cells = [cell for layer in stack.cells() for cell in layer]
    for cell in cells:
        twins.check_twin(cell, _STACKS, "torch.nn")
    names = sorted({type(cell).__name__ for cell in cells})
    if len(names) > 1 or len({(cell.hidden_size, cell.output_size) for cell in cells}) > 1:
        raise OptionError(
            f"one module of torch.nn has layers of one kind and size; this stack has {', '.join(names)} of "
            f"{stack.sizes}: take its cells over one by one"
        )
    return cells[0]
