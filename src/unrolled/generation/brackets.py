"""The rule of well-formed trees: steps that open phrases, take words and close phrases, so that a tree comes out.

A phrase is open at all times until the last word is taken; no phrase is empty; every word is taken, in order; what was
opened is closed, and then nothing but the end may come. At most so many phrases are opened between two words, so that
a tree over n words has an end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

OPEN, TAKE, CLOSE, END, START = range(5)


class Place(NamedTuple):
    """Where the writing of trees stands, each (B,) int64.

    left: words that are still to be taken. depth: phrases that are open. run: phrases opened since the last word.
    last: the kind of the last step.
    """

    left: Tensor
    depth: Tensor
    run: Tensor
    last: Tensor


class Brackets:
    """A `constrained.Rule`.

    kinds: for each symbol of the vocabulary, OPEN, TAKE, CLOSE, END or START. longest_run: phrases between two words.
    device: where the symbols are.
    """

    def __init__(self, kinds: Sequence[int], longest_run: int, device: torch.device | str = "cpu") -> None:
        self.kinds = torch.tensor(kinds, device=device)
        self.longest_run = longest_run

    def begin(self, words: Sequence[int]) -> Place:
        """Before the start symbol, over sentences of so many words, 1 at least."""
        left = torch.tensor(words, device=self.kinds.device)
        return Place(left, torch.zeros_like(left), torch.zeros_like(left), torch.full_like(left, START))

    def longest(self, words: int) -> int:
        """The most steps of a tree over so many words, its end counted."""
        return words * (2 * self.longest_run + 1) + 1

    def follow(self, symbols: Tensor, place: Place) -> Place:
        kind = self.kinds[symbols]
        opens, takes, closes = (kind == which for which in (OPEN, TAKE, CLOSE))
        return Place(
            place.left - takes.long(),
            place.depth + opens.long() - closes.long(),
            (place.run + opens.long()).masked_fill(takes, 0),
            kind,
        )

    def allowed(self, place: Place) -> Tensor:
        left, depth, run, last = place
        more, inside = left > 0, depth > 0
        begun = last != START
        by_kind = torch.stack(
            [
                more & (run < self.longest_run) & (inside | ~begun),
                more & inside,
                # The outermost phrase stays open while there are words; a phrase just opened is empty.
                inside & (last != OPEN) & ((depth > 1) | ~more),
                begun & ~inside,
                torch.zeros_like(more),
            ],
            1,
        )
        return by_kind[:, self.kinds]
