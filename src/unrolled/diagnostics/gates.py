"""How often each gate is all but shut, and how often all but open.

    left  saturation of a unit = share of times at which its gate is below 0.1
    right saturation of a unit = share of times at which it is above 0.9

A unit whose forget gate is right-saturated all the time remembers for as long as the text goes on; gates that are
never saturated work as weights rather than switches (Karpathy, Johnson & Fei-Fei 2015, arXiv:1506.02078).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

from unrolled.errors import DataError
from unrolled.figures import Points, Series, Table

#: Below the first a gate is left-saturated, above the second right-saturated.
SHUT, OPEN = 0.1, 0.9


class Saturation(NamedTuple):
    """left, right: (units,) float64, shares of the time, 0 to 1."""

    left: Tensor
    right: Tensor


def saturation(signals: Mapping[str, Tensor]) -> dict[str, Saturation]:
    """Of every gate among `signals`, name → (T, units), as the record of a kernel or of `units.activity` gives them.

    A gate is what stays between 0 and 1 all the time; states and candidates, which do not, are left out.
    DataError where nothing is a gate.
    """
    gates = {name: values for name, values in signals.items() if len(values) and ((values >= 0) & (values <= 1)).all()}
    if not gates:
        raise DataError(
            f"a gate stays between 0 and 1; of the signals {', '.join(signals) or '(none)'} of this cell, none does. "
            "An LSTM and a GRU have some"
        )
    return {
        name: Saturation((values < SHUT).double().mean(0).flatten(), (values > OPEN).double().mean(0).flatten())
        for name, values in gates.items()
    }


def saturation_points(signals: Mapping[str, Tensor], title: str = "Saturation of gates") -> Points:
    """One point a unit and gate: across, the share of time that it was shut, upwards, that it was open.

    Near the origin are gates that weigh, on the line from corner to corner those that switch, at the corners those that
    never change.
    """
    series = tuple(
        Series(name, tuple(found.left.tolist()), tuple(found.right.tolist()))
        for name, found in saturation(signals).items()
    )
    edge = Series("always saturated", (0.0, 0.0, 1.0, 0.0), (0.0, 1.0, 0.0, 0.0))
    return Points(title, series, f"share of time below {SHUT:g}", f"share of time above {OPEN:g}", (edge,))


def saturation_table(signals: Mapping[str, Tensor], title: str = "Saturation of gates, mean over units") -> Table:
    """A row a gate: the mean shares, and how many units are shut, or open, for nine tenths of the time or more."""
    rows = []
    for name, found in saturation(signals).items():
        always = [int((share >= 0.9).sum()) for share in found]
        rows.append((name, found.left.mean().item(), found.right.mean().item(), *always, len(found.left)))
    columns = ("gate", f"below {SHUT:g}", f"above {OPEN:g}", "units shut", "units open", "units")
    return Table(title, columns, tuple(rows))
