"""What an oracle is: a cell's equations in NumPy, from its paper, for one row of a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np


class Answer(NamedTuple):
    """What a cell must give over one row.

    outputs: (T, ..., output_size). state: the leaves of the final state, in order. gates: name → (T, ...), all that
    the cell's GATES names among them.
    """

    outputs: np.ndarray
    state: tuple[np.ndarray, ...]
    gates: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Oracle:
    """The equations of one cell, and what the trials have to know of it.

    run: `run(p, x, *state)` → Answer, for one row: p the parameters and buffers by name, x (T, ..., F), the leaves of
        the state before the first step. Where the cell takes a condition, it comes as `condition=`.
    options: for the constructor, after (input_size, hidden_size).
    places: rows and columns, for a cell over a grid.
    std: of the random weights.
    blocks: parameter → number of equal blocks along its first axis, where these are not of hidden_size rows each.
    alike: parameters that the equations only ever add up, so that exchanging them changes nothing.
    """

    run: Callable[..., Answer]
    options: Mapping[str, Any] = field(default_factory=dict)
    places: tuple[int, ...] = ()
    std: float = 0.7
    blocks: Mapping[str, int] = field(default_factory=dict)
    alike: tuple[frozenset[str], ...] = ()


def by_steps(step: Callable[..., tuple[np.ndarray, tuple, dict]]) -> Callable[..., Answer]:
    """`run` from one step: `step(p, x_t, *state)` → (output, new state, gates)."""

    def run(p, x, *state, **condition):
        outputs, gates = [], []
        for x_t in x:
            output, state, gate = step(p, x_t, *state, **condition)
            outputs.append(output)
            gates.append(gate)
        return Answer(np.stack(outputs), tuple(state), {name: np.stack([g[name] for g in gates]) for name in gates[0]})

    return run


def sigmoid(x):
    """σ(x) = 1/(1 + e^(−x))."""
    return 1 / (1 + np.exp(-x))
