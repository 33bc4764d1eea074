"""Counter-based randomness: any draw can be made without those before it, so that nothing has to be saved to go on.

Philox (Salmon et al. 2011, Parallel Random Numbers: As Easy as 1, 2, 3) is a function of a key and a counter.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import TypeVar

import numpy as np

Option = TypeVar("Option")


class Purpose(IntEnum):
    """What a draw is for, so that draws for different things are independent. The numbers must never change."""

    OFFSETS = 1
    RESETS = 2
    ORDER = 3
    SPLIT = 4
    EXAMPLES = 5
    HELD_OUT = 6
    PERMUTATION = 7


def draws(seed: int, purpose: Purpose, number: int = 0) -> np.random.Generator:
    """The generator of (seed, purpose, number), each a world of its own of 2⁶⁴ blocks."""
    key = np.array([seed % 2**64, purpose], dtype=np.uint64)
    # The lowest word of the counter runs on as numbers are drawn.
    counter = np.array([0, number % 2**64, 0, 0], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


def pick(options: Sequence[Option], chance: float) -> Option:
    """The option that a number from [0, 1) falls on; all are alike likely."""
    return options[int(chance * len(options))]
