"""What interchange with any library needs: cells from given weights, stacks from given cells, two biases and one.

Weights are copied, and keep their type and, within torch, their device. A layer without bias comes in with zeros that
are not trained (`requires_grad` is false), and goes out without bias again.

Other libraries have two biases, beside U and beside W, where the equations here have their sum. Only in the candidate
of a GRU that resets after the product do the two differ in effect: there the second is b_h.

    b = b_1 + b_2                                         and back   b_1 = b,   b_2 = 0
    GRU   b = b_1 + [b_2r; b_2z; 0],   b_h = b_2c         and back   b_1 = b,   b_2 = [0; 0; b_h]
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unrolled.cells.cell import Cell
from unrolled.cells.gru import GRU
from unrolled.errors import OptionError
from unrolled.layers.recurrent import Recurrent

_BIASES = ("b", "b_h")
#: One of the names that `check_plain` knows.
DROPOUT = "dropout between layers"


def cell_from(kind: type[Cell], weights: Mapping[str, Tensor], **options: int) -> Cell:
    """A cell of this kind that holds copies of `weights`, named as its parameters; U (G·H, F) tells its sizes.

    A bias that is not among them becomes zeros that are not trained. options: whatever else the cell is made with.
    """
    U = weights["U"]
    with torch.device("meta"):  # nothing is drawn for weights that are about to be replaced
        cell = kind(U.shape[1], U.shape[0] // len(kind.GATES), **options)
    for name, own in list(cell.named_parameters()):
        if name in weights:
            value = weights[name].detach().clone(memory_format=torch.contiguous_format)
        else:
            assert name in _BIASES, name
            value = U.new_zeros(own.shape)
        setattr(cell, name, nn.Parameter(value, requires_grad=name in weights))
    return cell


def one_bias(kind: type[Cell], first: Tensor, second: Tensor) -> dict[str, Tensor]:
    """Our bias, or two for the GRU, from the one beside U and the one beside W, each (G·H), gates in our order."""
    if kind is not GRU:
        return {"b": first + second}
    gates = len(second) * 2 // 3
    return {"b": first + F.pad(second[:gates], (0, len(second) - gates)), "b_h": second[gates:]}


def two_biases(cell: Cell) -> tuple[Tensor, Tensor]:
    """The one beside U and the one beside W, each (G·H), gates in our order."""
    b = cell.get_parameter("b").detach()
    if not isinstance(cell, GRU):
        return b, torch.zeros_like(b)
    return b, F.pad(cell.b_h.detach(), (2 * cell.hidden_size, 0))


def has_bias(cell: Cell) -> bool:
    """Whether a bias of the cell is trained, or is not zero."""
    biases = [own for name, own in cell.named_parameters() if name in _BIASES]
    return any(own.requires_grad or bool(own.any()) for own in biases)


def stack_from(cells: Sequence[Sequence[Cell]], dropout: float = 0.0) -> Recurrent:
    """The stack of these cells, [layer][direction]. OptionError where they do not stand on one another."""
    made = iter([cell for layer in cells for cell in layer])

    def the_next(input_size: int, hidden_size: int) -> Cell:
        cell = next(made)
        if (cell.input_size, cell.hidden_size) != (input_size, hidden_size):
            raise OptionError(
                f"a layer that reads {input_size} features and has {hidden_size} units was expected, and one that "
                f"reads {cell.input_size} and has {cell.hidden_size} came: give the layers in the order in which they "
                "stand on one another; both directions of a layer have equally many units"
            )
        return cell

    first = cells[0][0]
    sizes = [layer[0].hidden_size for layer in cells]
    return Recurrent(the_next, first.input_size, sizes, two_directions=len(cells[0]) == 2, dropout=dropout)


def check_plain(stack: Recurrent, library: str, allowed: Collection[str] = ()) -> None:
    """OptionError, with what to do, where the stack has what `library` knows no twin of.

    allowed: names of options that the library does have.
    """
    noise = stack.noise
    bare = "load its weights into a Recurrent without that (load_state_dict), which gives the same in evaluation"
    zoneout = noise.zoneout.values() if isinstance(noise.zoneout, Mapping) else [noise.zoneout]
    options = [
        (stack.connections != "plain", f"{stack.connections} connections", "take its cells over one by one"),
        (
            stack.starts is not None,
            "learnt initial state",
            "load its weights into a Recurrent without that (load_state_dict, strict=False), and hand over what "
            "initial_state gives as a state",
        ),
        (any(zoneout), "zoneout", "it counts in evaluation too, so this stack has to be run here"),
        (noise.dropout.rate > 0 and not noise.dropout.through_time, DROPOUT, bare),
        (noise.dropout.rate > 0 and noise.dropout.through_time, "variational dropout", bare),
        (noise.recurrent_dropout > 0, "recurrent dropout of this kind", bare),
        (noise.weight_drop > 0, "weight drop", bare),
    ]
    for present, name, advice in options:
        if present and name not in allowed:
            raise OptionError(f"{library} knows no {name}: {advice}")


def check_twin(cell: Cell, kinds: Collection[type[Cell]], library: str) -> None:
    """OptionError unless the cell is of one of these kinds exactly: a subclass may have changed a step."""
    if type(cell) not in kinds:
        known = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise OptionError(
            f"{library} has no {type(cell).__name__}: run it here, or take a cell that has a twin there ({known})"
        )
