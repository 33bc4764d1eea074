"""What is forbidden is never written; what is allowed are exactly the trees."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from unrolled import states
from unrolled.data.trees import CLOSE as CLOSES
from unrolled.data.trees import from_steps, longest_run
from unrolled.generation.beam import beam_search
from unrolled.generation.brackets import CLOSE, END, OPEN, START, TAKE, Brackets
from unrolled.generation.constrained import constrained

#: Two phrases, a word, a closing, the start and the end.
STEPS = ("(A", "(B", "X", CLOSES, "", "")
KINDS = (OPEN, OPEN, TAKE, CLOSE, START, END)
BEGIN, STOP, RUN = 4, 5, 2


def unruled(symbols: torch.Tensor, state: tuple) -> tuple[torch.Tensor, tuple]:
    """A model without any opinion."""
    return torch.zeros(len(symbols), len(KINDS)), state


def all_allowed(words: int) -> set[tuple[int, ...]]:
    """Everything that a beam wide enough for all of it writes."""
    rule = Brackets(KINDS, RUN)
    step = constrained(unruled, rule)
    (found,) = beam_search(
        step, ((), rule.begin([words])), torch.tensor([[BEGIN]]), 4000, rule.longest(words), end=STOP
    )
    assert all(one.ended for one in found)
    return {one.symbols[:-1] for one in found}


def all_trees(words: int, longest: int) -> set[tuple[int, ...]]:
    """Every sequence of steps that is a tree, by trying them all."""
    trees = set()
    for length in range(1, longest + 1):
        for symbols in product(range(4), repeat=length):
            taken = [STEPS[symbol] for symbol in symbols]
            try:
                from_steps(taken, ["w"] * words)
            except ValueError:
                continue
            if longest_run(taken) <= RUN:
                trees.add(symbols)
    return trees


def test_exactly_the_trees_are_allowed() -> None:
    one = all_allowed(1)
    assert one == all_trees(1, 5) and len(one) == 6  # (A •), (B •), and each of two in each of two
    two = all_allowed(2)
    assert {tree for tree in two if len(tree) <= 7} == all_trees(2, 7)
    assert max(map(len, two)) == Brackets(KINDS, RUN).longest(2) - 1


@pytest.mark.parametrize("seed", range(5))
def test_a_random_walk_always_ends_in_a_tree(seed: int) -> None:
    rule = Brackets(KINDS, 3)
    words = [1, 2, 5, 9]
    generator = torch.Generator().manual_seed(seed)
    place = rule.follow(torch.full((4,), BEGIN), rule.begin(words))
    written: list[list[int]] = [[] for _ in words]
    for _ in range(rule.longest(max(words))):
        allowed = rule.allowed(place)
        going = torch.tensor([symbols[-1:] != [STOP] for symbols in written])
        assert allowed[going].any(-1).all()
        drawn = torch.multinomial(allowed.float() + 1e-9, 1, generator=generator).squeeze(-1)
        assert allowed[torch.arange(4)[going], drawn[going]].all()
        for symbols, symbol, goes_on in zip(written, drawn.tolist(), going.tolist(), strict=True):
            if goes_on:
                symbols.append(symbol)
        place = rule.follow(drawn, place)
    for symbols, count in zip(written, words, strict=True):
        assert symbols[-1] == STOP
        from_steps([STEPS[symbol] for symbol in symbols[:-1]], ["w"] * count)


def test_probabilities_of_what_is_left_add_up_to_one() -> None:
    rule = Brackets(KINDS, RUN)
    logits, state = constrained(unruled, rule)(torch.tensor([BEGIN]), ((), rule.begin([1])))
    assert logits.softmax(-1)[0].tolist() == [0.5, 0.5, 0, 0, 0, 0]
    assert states.select(state, torch.tensor([0, 0]))[1].left.tolist() == [1, 1]
