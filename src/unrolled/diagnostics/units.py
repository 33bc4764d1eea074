"""What single units do while a language model reads: every field of the state and every gate, step by step.

    layers = activity(model, symbols)      one dictionary a layer: "hidden", "cell", … and the gates, each (T, units)
    unit_text(values, tokens, …)           one unit over a text
    unit_map(values, tokens, …)            all units of a layer over a short one

Karpathy, Johnson & Fei-Fei (2015), arXiv:1506.02078, looked at LSTMs in this way.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from unrolled import states
from unrolled.errors import DataError, OptionError, did_you_mean
from unrolled.figures import ColouredText, HeatMap
from unrolled.models.language_model import LanguageModel

#: Symbols read at once: bounds what is in use beside the result.
WINDOW = 512


def activity(model: LanguageModel, symbols: Tensor) -> list[dict[str, Tensor]]:
    """Read `symbols` (T,) int64 from the initial state, in evaluation mode, and keep what every unit does.

    One dictionary a layer: the leaves of the state by name ("state" where it is one tensor, so that it has none), then
    the gates; each (T, units), real, on the CPU, after the symbol of that time was read. A complex leaf gives two,
    "… real" and "… imaginary"; a leaf of several axes is flattened; a gate with the name of a leaf is called "… gate".
    DataError where the text is empty.
    """
    if symbols.dim() != 1 or len(symbols) == 0:
        raise DataError(f"a text of 1 symbol or more, (T,), was expected; {tuple(symbols.shape)} came")
    symbols = symbols.to(next(model.parameters()).device)
    kept: list[dict[str, list[Tensor]]] = []
    state = model.initial_state(1)
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            for window in symbols.split(WINDOW):
                _, state, traces = model.read(window[:, None], state, record=("states", "gates"))
                for number, (trace, *_) in enumerate(traces):
                    if number == len(kept):
                        kept.append({})
                    for name, values in _signals(trace.states, trace.gates or {}):
                        kept[number].setdefault(name, []).append(values.cpu())
    finally:
        model.train(training)
    return [{name: torch.cat(parts) for name, parts in layer.items()} for layer in kept]


def _signals(state: states.State, gates: dict[str, Tensor]) -> list[tuple[str, Tensor]]:
    """(name, (T, units)) of the leaves (T, 1, …) and of the gates (T, 1, …)."""
    found: list[tuple[str, Tensor]] = []
    leaves = [(name or "state", leaf) for name, leaf in states.leaves(state)]
    taken = {name for name, _ in leaves}
    named = [*leaves, *((f"{name} gate" if name in taken else name, gate) for name, gate in gates.items())]
    for name, values in named:
        if values.is_complex():
            found += [(f"{name} real", values.real.flatten(1)), (f"{name} imaginary", values.imag.flatten(1))]
        else:
            found.append((name, values.flatten(1)))
    return found


def find_signal(layers: Sequence[dict[str, Tensor]], layer: int, name: str = "") -> tuple[str, Tensor]:
    """(name, (T, units)) of a layer, counted from 1; an empty name is the first, the hidden state of most cells.

    OptionError where there is no such layer, or the cell has nothing of that name.
    """
    if not 1 <= layer <= len(layers):
        raise OptionError(f"--layer {layer}: the network has {_counted(len(layers), 'layer')}, counted from 1")
    signals = layers[layer - 1]
    name = name or next(iter(signals))
    if name not in signals:
        raise OptionError(
            f"--gate {name}: layer {layer} has no such gate or field of the state.{did_you_mean(name, signals)} "
            f"It has {', '.join(signals)}"
        )
    return name, signals[name]


def find_unit(values: Tensor, unit: int) -> Tensor:
    """(T,) of a unit of `values` (T, units), counted from 1. OptionError where there is none of that number."""
    if not 1 <= unit <= values.shape[1]:
        raise OptionError(f"--unit {unit}: there are {_counted(values.shape[1], 'unit')}, counted from 1")
    return values[:, unit - 1]


def unit_text(values: Tensor, tokens: Sequence[str], title: str, value_label: str) -> ColouredText:
    """The text, each symbol coloured by what the unit (T,) was after it.

    From the lowest value to the highest; as far below zero as above, where there are values on both sides of it.
    """
    numbers = values.double()
    low, high = numbers.min().item(), numbers.max().item()
    if low < 0 < high:
        low, high = -max(-low, high), max(-low, high)
    elif low == high:
        low, high = low - 0.5, high + 0.5
    return ColouredText(title, tuple(tokens), tuple(numbers.tolist()), (low, high), value_label)


def unit_map(values: Tensor, tokens: Sequence[str], title: str, value_label: str) -> HeatMap:
    """All units (T, units), one row each, over the text, one column a symbol."""
    rows = tuple(tuple(row) for row in values.double().t().tolist())
    names = tuple(str(number) for number in range(1, values.shape[1] + 1))
    return HeatMap(title, rows, names, tuple(tokens), value_label)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
