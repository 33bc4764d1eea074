"""Two tasks that nothing but a long memory solves, drawn anew for each batch.

Adding (Hochreiter & Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735), in the form of Arjovsky et al. 2016
(arXiv:1511.06464): T pairs (value, mark), values uniform in [0, 1), one mark in each half; wanted is the sum of the two
marked values. Who always says 1 has a mean squared error of 2 · 1/12 = 0.167.

Copying, in the form of the same paper: ten symbols of eight, T − 1 blanks, a marker, ten blanks more; wanted are blanks
until the marker and then the ten symbols. Who remembers nothing loses 10 · ln 8 / (T + 20) a step.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from unrolled.data.examples import Draw, Fields

#: Copying: symbols to remember, how many kinds there are, and the two others.
RECALLED = 10
KINDS = 8
BLANK = KINDS
MARKER = KINDS + 1
SYMBOLS = KINDS + 2


def adding(length: int) -> Draw:
    """Fields `inputs` (T, B, 2), the value and the mark, and `targets` (1, B, 1), the sum; T is `length`, 2 or more."""

    def draw(generator: np.random.Generator, rows: int) -> Fields:
        values = generator.random((length, rows), dtype=np.float32)
        places = [generator.integers(0, length // 2, rows), generator.integers(length // 2, length, rows)]
        marks = np.zeros_like(values)
        for place in places:
            marks[place, np.arange(rows)] = 1
        total = (values * marks).sum(0)
        return {
            "inputs": torch.from_numpy(np.stack([values, marks], -1)),
            "targets": torch.from_numpy(total[None, :, None]),
        }

    return draw


def copying(delay: int) -> Draw:
    """Fields `inputs` and `targets`, (T + 20, B) symbols; T is `delay`, 1 or more."""

    def draw(generator: np.random.Generator, rows: int) -> Fields:
        remembered = generator.integers(0, KINDS, (RECALLED, rows))
        inputs = np.full((delay + 2 * RECALLED, rows), BLANK, dtype=np.int64)
        inputs[:RECALLED] = remembered
        inputs[RECALLED + delay - 1] = MARKER
        targets = np.full_like(inputs, BLANK)
        targets[-RECALLED:] = remembered
        return {"inputs": torch.from_numpy(inputs), "targets": torch.from_numpy(targets)}

    return draw


def loss_without_memory(delay: int) -> float:
    """10 · ln 8 / (T + 20): blanks foreseen, the ten symbols guessed."""
    return RECALLED * math.log(KINDS) / (delay + 2 * RECALLED)
