"""Keras's recurrent layers (Keras 3, any of its backends), both ways.

| keras.layers | here |
|---|---|
| SimpleRNN, activation "tanh", "relu", "sigmoid" | Elman, ElmanReLU, ElmanSigmoid |
| LSTM | LSTM |
| GRU (reset_after=True, its default) | GRU |
| GRU(reset_after=False) | ResetBeforeGRU |
| Bidirectional, merge_mode "concat" | two directions |

What is told otherwise there, and turned over here:

- `kernel` (F, G·H) is U transposed, `recurrent_kernel` (H, G·H) is W transposed.
- The GRU's blocks stand in the order update, reset, candidate; here reset comes first. The LSTM's order is the same.
- z keeps in both: h_t = z_t ∘ h_{t-1} + (1 − z_t) ∘ h̃_t.
- A GRU that resets after the product has two rows of bias (2, 3·H), beside the kernel and beside the recurrent kernel,
  which become one as torch's two do (`unrolled.interchange.twins`); every other layer has one bias.
- Data is (B, T, F) there. A mask keeps a row's state, and lets the last output stand unless `zero_output_for_mask`;
  lengths keep the state and give zeros.

Weights travel, and nothing that matters for training alone: regularisers, constraints, what is frozen. Nor does the
state that a `stateful` layer keeps to itself: states are handed in and out here. Keras is imported where it is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from unrolled.cells.cell import Cell
from unrolled.cells.elman import IRNN, Elman, ElmanReLU, ElmanSigmoid
from unrolled.cells.gru import GRU, ResetBeforeGRU
from unrolled.cells.lstm import LSTM
from unrolled.errors import OptionError, ShapeError
from unrolled.interchange import twins
from unrolled.layers.recurrent import Recurrent
from unrolled.states import State

if TYPE_CHECKING:
    import keras

#: Kind of cell → the class of its twin, and what tells it from others of that class.
_LAYERS: Mapping[type[Cell], tuple[str, dict[str, Any]]] = {
    Elman: ("SimpleRNN", {"activation": "tanh"}),
    ElmanReLU: ("SimpleRNN", {"activation": "relu"}),
    IRNN: ("SimpleRNN", {"activation": "relu"}),
    ElmanSigmoid: ("SimpleRNN", {"activation": "sigmoid"}),
    LSTM: ("LSTM", {}),
    GRU: ("GRU", {"reset_after": True}),
    ResetBeforeGRU: ("GRU", {"reset_after": False}),
}
#: Class → the order of its blocks, in the words of `Cell.GATES`.
_ORDER = {
    "SimpleRNN": ("candidate",),
    "LSTM": ("input", "forget", "candidate", "output"),
    "GRU": ("update", "reset", "candidate"),
}


def from_keras(model: keras.Layer | Sequence[keras.Layer]) -> Recurrent:
    """The stack that computes what a recurrent layer, a list of them, or a Sequential of nothing but them does.

    It gives the output of every time step, whatever `return_sequences` says of the last layer.
    Raises OptionError where something has no twin here; the message says what to do.
    """
    keras = _keras()
    layers = list(model) if isinstance(model, Sequence) else [model]
    if isinstance(model, keras.Sequential):
        layers = model.layers
    if not layers:
        raise OptionError("recurrent layers were expected, one at least; none came")
    for layer in layers[:-1]:
        if not getattr(layer, "return_sequences", True):
            raise OptionError(
                f"{layer.name} gives its last output alone, and a layer that stands on it here reads all of them: "
                "convert it and the layers on it one by one"
            )
    both = [isinstance(layer, keras.layers.Bidirectional) for layer in layers]
    if len(set(both)) > 1:
        raise OptionError(
            "layers of one direction and of two came in one stack, and a stack here has one or the other: convert "
            "those of each sort by themselves"
        )
    return twins.stack_from([_directions(layer) if both[0] else [_cell_from(layer)] for layer in layers])


def to_keras(stack: Recurrent) -> keras.Sequential:
    """The Keras model that computes what this stack does: (B, T, F) in, the output of every time step out.

    Its layers, of which each can be taken by itself, are `.layers`. Raises OptionError where Keras has no twin: another
    cell, and what stands around cells here alone (dropout of any kind, residual connections, zoneout, …).
    """
    keras = _keras()
    twins.check_plain(stack, "a Keras layer")
    dtype = _dtype_name(stack.cells()[0][0].get_parameter("U"))
    if dtype not in ("float32", "float64"):
        raise OptionError(f"Keras cannot make recurrent layers of {dtype} on every backend: take stack.float() there")
    model = keras.Sequential([keras.Input((None, stack.input_size), dtype=dtype)])
    for forward, *backward in stack.cells():
        layer = _layer(forward, dtype)
        if backward:
            second = _layer(backward[0], dtype, go_backwards=True)
            layer = keras.layers.Bidirectional(layer, backward_layer=second, dtype=dtype)
        model.add(layer)
        own = [layer.forward_layer, layer.backward_layer] if backward else [layer]
        for cell, one in zip([forward, *backward], own, strict=True):
            _copy(cell, one.cell)
    return model


def state_from_keras(stack: Recurrent, states: Sequence[Sequence[Any]]) -> State:
    """The state of `stack` from Keras's, a list for each layer: as a call of it with `return_state` gives them.

    Those are h, or h and c, forward and then backward, each (B, H). ShapeError where they are not of this stack.
    """
    form = stack.initial_state(len(states[0][0]) if states and states[0] else 0)
    wanted = [[tuple(leaf.shape) for one in layer for leaf in one] for layer in form]
    came = [[tuple(leaf.shape) for leaf in layer] for layer in states]
    if came != wanted:
        raise ShapeError(f"states of the shapes {wanted}, layer by layer, were expected; {came} came")
    device = next(stack.parameters()).device
    turned = []
    for layer, given in zip(form, states, strict=True):
        leaves = iter([_tensor(leaf).to(device) for leaf in given])
        turned.append(tuple(type(one)(*(next(leaves) for _ in one)) for one in layer))
    return tuple(turned)


def state_to_keras(state: State) -> list[list[Any]]:
    """A list of Keras's tensors for each layer, which a call of that layer takes as `initial_state`."""
    keras = _keras()
    return [
        [keras.ops.convert_to_tensor(_array(leaf), dtype=_dtype_name(leaf)) for one in layer for leaf in one]
        for layer in state
    ]


def _keras() -> Any:
    try:
        import keras
    except ImportError as error:
        raise OptionError(
            f"Keras cannot be imported ({error}): pip install 'unrolled[keras]', and set the environment variable "
            "KERAS_BACKEND to torch, or to another backend that is installed, before Keras is imported"
        ) from error
    return keras


def _directions(layer: Any) -> list[Cell]:
    """The cells of a Bidirectional, forward first."""
    if layer.merge_mode != "concat":
        raise OptionError(
            f"{layer.name} joins its directions by {layer.merge_mode!r}, and here they stand side by side ('concat'): "
            "convert with merge_mode='concat', and join the two halves of the output yourself"
        )
    if layer.forward_layer.go_backwards:
        raise OptionError(f"{layer.name} reads backwards first, and here forward comes first: exchange its two layers")
    return [_cell_from(layer.forward_layer), _cell_from(layer.backward_layer, backwards=True)]


def _cell_from(layer: Any, backwards: bool = False) -> Cell:
    kind = _kind(layer)
    theirs = layer.cell
    if not theirs.built:
        raise OptionError(f"{layer.name} has no weights yet: call it once, or build((None, None, features)), first")
    for name in ("dropout", "recurrent_dropout"):
        if rate := getattr(theirs, name):
            raise OptionError(
                f"{layer.name} has {name}={rate}, one mask for a sequence in each layer, which has no twin here: make "
                f"the layer with {name}=0, set_weights(layer.get_weights()), and convert that; dropout, "
                "variational, recurrent_dropout of Recurrent are the ones here"
            )
    if layer.go_backwards and not backwards:
        raise OptionError(
            f"{layer.name} reads backwards (go_backwards), which one direction here does not: make it with "
            "go_backwards=False, set_weights(layer.get_weights()), convert that, and turn the data round (x.flip(0))"
        )
    weights = {
        "U": _turned(_tensor(theirs.kernel).T, kind),
        "W": _turned(_tensor(theirs.recurrent_kernel).T, kind),
    }
    if theirs.use_bias:
        first, *second = (_turned(row, kind) for row in torch.atleast_2d(_tensor(theirs.bias)))
        weights |= twins.one_bias(kind, first, *second) if second else {"b": first}
    return twins.cell_from(kind, weights)


def _copy(cell: Cell, theirs: Any) -> None:
    """The weights of `cell` into those of a Keras cell."""
    theirs.kernel.assign(_array(_turned(cell.get_parameter("U"), type(cell), back=True).T))
    theirs.recurrent_kernel.assign(_array(_turned(cell.get_parameter("W"), type(cell), back=True).T))
    if theirs.use_bias:
        first, second = (_turned(bias, type(cell), back=True) for bias in twins.two_biases(cell))
        theirs.bias.assign(_array(torch.stack([first, second]) if isinstance(cell, GRU) else first))


def _kind(layer: Any) -> type[Cell]:
    """The kind of cell that computes what this layer does."""
    keras = _keras()
    known = {getattr(keras.layers, name): name for name in _ORDER}
    if type(layer) not in known:
        raise OptionError(
            f"{', '.join(_ORDER)} of keras.layers, or a Bidirectional of one, were expected, and "
            f"{type(layer).__name__} came: give a model's recurrent layers as a list, in their order, and keep the rest"
        )
    functions = {"activation": layer.activation}
    if hasattr(layer, "recurrent_activation"):
        functions["recurrent_activation"] = layer.recurrent_activation
    for kind, (name, options) in _LAYERS.items():
        wanted = {"activation": "tanh", "recurrent_activation": "sigmoid"} | options
        same = all(function is keras.activations.get(wanted[which]) for which, function in functions.items())
        if name == known[type(layer)] and same and wanted.get("reset_after") == getattr(layer, "reset_after", None):
            return kind
    names = ", ".join(f"{which}={function.__name__}" for which, function in functions.items())
    raise OptionError(
        f"{layer.name} has {names}, of which no cell here is a twin. Known are tanh, relu and sigmoid in SimpleRNN, "
        "tanh with recurrent sigmoid in LSTM and GRU; for others write a cell, which CONTRIBUTING.md shows"
    )


def _layer(cell: Cell, dtype: str, go_backwards: bool = False) -> Any:
    """The layer that is the twin of this cell, its weights still to be given."""
    twins.check_twin(cell, _LAYERS, "Keras")
    name, options = _LAYERS[type(cell)]
    return getattr(_keras().layers, name)(
        cell.hidden_size,
        use_bias=twins.has_bias(cell),
        return_sequences=True,
        go_backwards=go_backwards,
        dtype=dtype,
        **options,
    )


def _turned(weight: Tensor, kind: type[Cell], back: bool = False) -> Tensor:
    """The gate blocks on the first axis, from Keras's order into ours, or back."""
    ours, theirs = kind.GATES, _ORDER[_LAYERS[kind][0]]
    have, want = (ours, theirs) if back else (theirs, ours)
    blocks = weight.detach().chunk(len(have))
    return torch.cat([blocks[have.index(gate)] for gate in want])


def _tensor(value: Any) -> Tensor:
    """What a Keras variable or tensor holds, in its own type."""
    keras = _keras()
    # By way of float64, which holds every float exactly, bfloat16 too, which torch cannot take from NumPy.
    array = keras.ops.convert_to_numpy(keras.ops.convert_to_tensor(value)).astype("float64")
    return torch.from_numpy(array).to(getattr(torch, keras.backend.standardize_dtype(value.dtype)))


def _array(tensor: Tensor) -> Any:
    """The same as a NumPy array of float64, which every backend takes and rounds back exactly."""
    return tensor.detach().double().cpu().numpy()


def _dtype_name(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
