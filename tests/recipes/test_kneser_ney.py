"""The n-gram against the same model written down term by term, with dictionaries."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.recipes import kneser_ney


class ByDictionary:
    """p(w | context) from the definition: every count is looked up among tuples, every sum is a sum."""

    def __init__(self, text: Sequence[int], size: int, order: int) -> None:
        grams = [Counter(tuple(text[i : i + k]) for i in range(len(text) - k + 1)) for k in range(order + 1)]
        self.size = size
        self.counts = {order: grams[order]}
        for k in range(1, order):
            self.counts[k] = Counter(gram[1:] for gram in grams[k + 1])
        self.discounts = {k: self._discounts(list(self.counts[k].values())) for k in self.counts}

    def _discounts(self, values: list[int]) -> tuple[float, ...]:
        one, two, three, four = (values.count(j) for j in (1, 2, 3, 4))
        if one and two and three and four:
            y = one / (one + 2 * two)
            found = (1 - 2 * y * two / one, 2 - 3 * y * three / two, 3 - 4 * y * four / three)
            if 0 <= found[0] <= 1 and 0 <= found[1] <= 2 and 0 <= found[2] <= 3:
                return found
        return 0.5, 1.0, 1.5

    def probability(self, k: int, context: tuple[int, ...], symbol: int) -> float:
        if k == 0:
            return 1 / self.size
        below = self.probability(k - 1, context[1:], symbol)
        followers = [self.counts[k][(*context, v)] for v in range(self.size)]
        if sum(followers) == 0:
            return below
        taken = [self.discounts[k][min(count, 3) - 1] if count else 0.0 for count in followers]
        return (followers[symbol] - taken[symbol] + sum(taken) * below) / sum(followers)

    def loss(self, order: int, others: Sequence[int]) -> float:
        total = 0.0
        for place in range(1, len(others)):
            k = min(order, place + 1)
            total -= math.log(self.probability(k, tuple(others[place - k + 1 : place]), others[place]))
        return total / (len(others) - 1)


@given(
    text=st.lists(st.integers(0, 3), min_size=2, max_size=120),
    others=st.lists(st.integers(0, 4), min_size=2, max_size=12),
)
def test_every_order_is_the_definition(text: list[int], others: list[int]) -> None:
    order = min(5, len(text))
    found = kneser_ney.losses(np.array(text), 5, 5, np.array(others))
    assert len(found) == order
    for k in range(1, order + 1):
        assert found[k - 1] == pytest.approx(ByDictionary(text, 5, k).loss(k, others), rel=1e-12)


def test_counted_by_hand() -> None:
    # abab, V = 2, order 2: ab twice, ba once; before a comes b alone, before b comes a alone. Discounts 0.5, 1, 1.5.
    # p_1(a) = p_1(b) = (1 − 0.5)/2 + (0.5 + 0.5)/2 · 1/2 = 0.5
    # p_2(b | a) = (2 − 1)/2 + 1/2 · 0.5 = 0.75      p_2(a | b) = (1 − 0.5)/1 + 0.5/1 · 0.5 = 0.75
    found = kneser_ney.losses(np.array([0, 1, 0, 1]), 2, 2, np.array([0, 1, 0]))
    assert found[1] == pytest.approx(-math.log(0.75))
    # As the highest order, a and b are counted: twice each, so (2 − 1)/4 + 2/4 · 1/2.
    assert found[0] == pytest.approx(-math.log(0.5))


def test_discounts_from_counts_of_counts() -> None:
    counts = np.array([1] * 10 + [2] * 4 + [3] * 2 + [4] * 1 + [9])
    y = 10 / 18
    assert kneser_ney.discounts(counts) == pytest.approx((1 - 2 * y * 0.4, 2 - 3 * y * 0.5, 3 - 4 * y * 0.5))
    assert kneser_ney.discounts(np.array([1, 2, 3])) == kneser_ney.FALLBACK


def test_a_text_with_structure_costs_less_the_longer_the_context() -> None:
    draw = np.random.default_rng(0)
    words = [draw.integers(0, 10, 6) for _ in range(20)]
    text = np.concatenate([words[which] for which in draw.integers(0, 20, 2000)])
    found = kneser_ney.losses(text[:10_000], 10, 8, text[10_000:])
    assert found == sorted(found[:4], reverse=True) + found[4:] and found[3] < 0.75 * found[0]
    # Twenty words of six symbols: whoever knows where a word begins pays ln 20 for six symbols.
    assert math.log(20) / 6 < min(found) < 1.2


def test_what_is_drawn_from_is_the_definition_too() -> None:
    text = np.random.default_rng(0).integers(0, 4, 60)
    known = list(kneser_ney.levels(text, 5, 3))
    definition = ByDictionary(text.tolist(), 5, 3)
    for context in ([], [1], [2, 0], [0, 1, 2, 3], [4, 1], [1, 4]):
        nodes = [0]
        for symbol in context:
            nodes = kneser_ney.followed(known, nodes, symbol, 5)
        p = kneser_ney.distribution(known, nodes, 5)
        seen = tuple(context[-2:])
        expected = [definition.probability(1 + len(seen), seen, symbol) for symbol in range(5)]
        assert p == pytest.approx(expected, rel=1e-12) and p.sum() == pytest.approx(1)


def test_a_text_drawn_cold_goes_on_as_it_was_learnt() -> None:
    text = np.array([0, 1, 2, 3] * 20)
    known = list(kneser_ney.levels(text, 4, 3))
    assert kneser_ney.draw(known, 4, [1, 2], 6, 0.01, np.random.default_rng(0)) == [3, 0, 1, 2, 3, 0]
