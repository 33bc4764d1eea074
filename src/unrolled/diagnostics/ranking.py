"""Units ranked by what they follow, without a hand in it: "the quote detector", found.

For a label that is yes or no, a unit is scored by the area under its ROC curve, which is the probability that the unit
is higher at a yes than at a no, a tie counting half (Mann & Whitney 1947; Hanley & McNeil 1982): 0.5 is chance, and a
unit that is low where the label is yes counts as one that is high. For a label that is a number, by Spearman's rank
correlation.

The best of thousands of units owes some of its score to luck on the text on which it was chosen, so that it is measured
again on another. And the best unit of a network that was never trained stands beside it: what that one follows as well
(the current character, or the last few) was not learnt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from unrolled.diagnostics.labels import HOW_FAR, YES_OR_NO, Label
from unrolled.figures import Table

#: A label is left out where a text has fewer symbols of it, or without it.
LEAST = 20
AUC, SPEARMAN = "AUC", "Spearman"

Layers = Sequence[Mapping[str, Tensor]]
_Place = tuple[int, str, int]


class Follower(NamedTuple):
    """The unit that follows a label best.

    label: what it follows. measure: AUC or SPEARMAN. layer, unit: counted from 1. signal: the field or gate.
    sign: 1 where the unit rises with the label, −1 where it falls.
    chosen, confirmed: the measure on the text on which it was chosen and on the other, the sign taken into account.
    untrained: the best measure, of either sign, that any unit of the untrained network has on the other text.
    """

    label: str
    measure: str
    layer: int
    signal: str
    unit: int
    sign: int
    chosen: float
    confirmed: float
    untrained: float

    @property
    def margin(self) -> float:
        """How much better than any unit of the untrained network."""
        return self.confirmed - self.untrained


class Text(NamedTuple):
    """tokens: put together they are the text. trained, untrained: what the units of both networks do over it."""

    tokens: Sequence[str]
    trained: Layers
    untrained: Layers


def followers(first: Text, second: Text) -> list[Follower]:
    """The best unit for each label: chosen on the first text, confirmed on the second; the widest margin first.

    A label that one of the texts hardly has (or hardly lacks) is left out.
    """
    on_first, on_second = (labelled(text.tokens, {**YES_OR_NO, **HOW_FAR}) for text in (first, second))
    told = [name for name in on_first if _tells(on_first[name]) and _tells(on_second[name])]
    answers, numbers = ([name for name in told if name in labels] for labels in (YES_OR_NO, HOW_FAR))
    places, chosen = _scores(first.trained, _columns(on_first, answers), _columns(on_first, numbers))
    on_second_text = (_columns(on_second, answers), _columns(on_second, numbers))
    _, confirmed = _scores(second.trained, *on_second_text)
    _, untrained = _scores(second.untrained, *on_second_text)
    found = []
    for column, label in enumerate([*answers, *numbers]):
        measure, middle = (AUC, 0.5) if label in YES_OR_NO else (SPEARMAN, 0.0)
        best = int(np.abs(chosen[:, column] - middle).argmax())
        sign = 1 if chosen[best, column] >= middle else -1
        on_one, on_other = (middle + sign * float(scores[best, column] - middle) for scores in (chosen, confirmed))
        highest = middle + float(np.abs(untrained[:, column] - middle).max())
        found.append(Follower(label, measure, *places[best], sign, on_one, on_other, highest))
    return sorted(found, key=lambda one: -one.margin)


def labelled(tokens: Sequence[str], labels: Mapping[str, Label]) -> dict[str, np.ndarray]:
    """Each label at each symbol, (T,) float64: as it is at the last character that has been read by then."""
    text = "".join(tokens)
    # Before a first character is whole, there is nothing to be seen.
    places = np.cumsum([len(token) for token in tokens])
    return {name: np.concatenate([[0.0], label(text)])[places] for name, label in labels.items()}


def _tells(values: np.ndarray) -> bool:
    """Whether LEAST symbols or more are not of the commonest value."""
    return len(values) - int(np.unique(values, return_counts=True)[1].max()) >= LEAST


def _columns(labels: Mapping[str, np.ndarray], names: Sequence[str]) -> Tensor:
    """(T, names) float64."""
    T = len(next(iter(labels.values())))
    return torch.from_numpy(np.array([labels[name] for name in names]).reshape(len(names), T).T.astype(float))


def _scores(layers: Layers, answers: Tensor, numbers: Tensor) -> tuple[list[_Place], np.ndarray]:
    """The place of every unit, and its score against every label, (units, labels): answers first, then numbers."""
    places: list[_Place] = []
    scores = []
    for number, layer in enumerate(layers, 1):
        for signal, values in layer.items():
            places += [(number, signal, unit) for unit in range(1, values.shape[1] + 1)]
            ranked = ranks(values)
            scores.append(torch.cat([auc(ranked, answers), spearman(ranked, numbers)], 1).numpy())
    return places, np.concatenate(scores)


def auc(ranked: Tensor, labels: Tensor) -> Tensor:
    """ranked (T, units), the `ranks` of what units did; labels (T, n), 1 for yes and 0 for no → (units, n) float64.

    The area under each ROC curve; NaN where a label is never yes, or never no.
    """
    yes = labels.double()
    count = yes.sum(0)
    above = ranked.t() @ yes - (count * (count + 1) / 2)
    return above / (count * (len(labels) - count))


def spearman(ranked: Tensor, numbers: Tensor) -> Tensor:
    """ranked (T, units), the `ranks` of what units did; numbers (T, n) → (units, n) float64.

    Spearman's rank correlation; 0 for a unit or a number that never changes.
    """
    return _standardised(ranked).t() @ _standardised(ranks(numbers))


def _standardised(columns: Tensor) -> Tensor:
    """Each column with mean 0 and length 1; zeros where it is constant."""
    return torch.nn.functional.normalize(columns - columns.mean(0), dim=0, eps=1e-9)


def ranks(values: Tensor) -> Tensor:
    """(T, n) → (T, n) float64: the rank of each value in its column, from 1; equal values share their mean rank."""
    # Side by side in memory, what is sorted sorts several times faster.
    rows = values.t().contiguous()
    ordered, order = rows.sort(-1)
    T = rows.shape[1]
    numbers = torch.arange(T, dtype=torch.int32).expand_as(ordered)
    new = torch.ones_like(ordered, dtype=torch.bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    ends = torch.ones_like(new)
    ends[:, :-1] = new[:, 1:]
    # Of each group of equals: the place of its first, carried on, and of its last, carried back.
    first = numbers.where(new, 0).cummax(-1).values
    last = numbers.where(ends, T - 1).flip(-1).cummin(-1).values.flip(-1)
    shared = (first + last).double() / 2 + 1
    return torch.empty_like(shared).scatter_(-1, order, shared).t()


def ranking_table(found: Sequence[Follower], title: str = "What single units follow") -> Table:
    """One line a label: the unit, the measure on both texts, and the best unit of the untrained network."""
    columns = ("follows", "unit", "measure", "chosen on", "confirmed on", "untrained's best", "margin")
    lines = [
        (
            f"{'' if one.sign > 0 else 'not ' if one.measure == AUC else 'minus '}{one.label}",
            unit_name(one),
            one.measure,
            one.chosen,
            one.confirmed,
            one.untrained,
            one.margin,
        )
        for one in found
    ]
    return Table(title, columns, tuple(lines))


def unit_name(one: Follower) -> str:
    """ "layer 1, cell 42"."""
    return f"layer {one.layer}, {one.signal} {one.unit}"
