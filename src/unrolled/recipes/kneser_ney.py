"""The baseline of a language model: an n-gram with interpolated, modified Kneser–Ney smoothing.

p_1(w)      = (c(w) − D(c(w))) / Σ_v c(v) + γ / V
p_k(w | h)  = max(c(h w) − D(c(h w)), 0) / Σ_v c(h v) + γ(h) p_{k−1}(w | h')     h: k − 1 symbols; h': without its first
γ(h)        = (D_1 N_1(h) + D_2 N_2(h) + D_3 N_3(h)) / Σ_v c(h v)

N_j(h): how many w follow h with c(h w) = j, for j = 3 with 3 or more. An h that never came leaves p_{k−1} as it is.
At the highest order c counts how often h w came; below it, how many different symbols came before h w. With n_j the
number of h w of an order that have c(h w) = j, and Y = n_1 / (n_1 + 2 n_2): D_j = j − (j + 1) Y n_{j+1} / n_j.

Chen & Goodman 1998, An Empirical Study of Smoothing Techniques for Language Modeling, their modified Kneser–Ney.

Each order's h w stand in one sorted array, as (number of h) · V + w: building it is one sort, looking something up is a
bisection, and those that follow one h are neighbours. So 20 orders over millions of symbols take seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

#: Where the counts of counts give no discounts between 0 and j, as those of a tiny text: what KenLM falls back to.
FALLBACK = (0.5, 1.0, 1.5)


class Shares(NamedTuple):
    """own (G,): max(c − D(c), 0) / Σ c of each gram. back_off (C,): γ of each context; 1 for one that never came."""

    own: np.ndarray
    back_off: np.ndarray


class Level(NamedTuple):
    """All that is known of one order.

    keys (G,) int64, sorted: a gram's context, by its place among the keys of the order below, times V, plus its last
        symbol. highest: of counts, as the highest order takes them. lower: of different symbols before, as the others.
    """

    keys: np.ndarray
    highest: Shares
    lower: Shares

    def find(self, contexts: np.ndarray, symbols: np.ndarray, size: int) -> np.ndarray:
        """(N,) places among the keys, −1 for none: of contexts (N,), −1 for unknown ones, each with a symbol."""
        wanted = contexts * size + symbols
        places = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        return np.where(self.keys[places] == wanted, places, -1)


def levels(ids: np.ndarray, size: int, order: int) -> Iterator[Level]:
    """Orders 1 to `order` of a text of symbols (N,), 0 to size − 1, one after the other, in the memory of one."""
    symbols = ids.astype(np.int64)
    contexts, context_count = np.zeros(len(symbols), dtype=np.int64), 1
    keys, _, grams, counts = _grams(contexts, symbols, size)
    for k in range(1, min(order, len(symbols)) + 1):
        # What comes before a gram is found in the grams that are longer by one.
        longer = _grams(grams[:-1], symbols[k:], size)
        before = np.bincount(grams[longer[1] + 1], minlength=len(keys))
        yield Level(keys, _shares(keys // size, context_count, counts), _shares(keys // size, context_count, before))
        context_count = len(keys)
        keys, _, grams, counts = longer


def _grams(
    contexts: np.ndarray, symbols: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The distinct grams, where each begins first, which one begins at each place, how often each comes."""
    return np.unique(contexts * size + symbols, return_index=True, return_inverse=True, return_counts=True)


def _shares(contexts: np.ndarray, context_count: int, counts: np.ndarray) -> Shares:
    """contexts (G,): of each gram."""
    discount = np.array((0.0, *discounts(counts)))[np.minimum(counts, 3)]
    total = np.bincount(contexts, counts, context_count)
    came = np.maximum(total, 1)
    kept = np.bincount(contexts, discount, context_count) / came
    return Shares((counts - discount) / came[contexts], np.where(total > 0, kept, 1.0))


def discounts(counts: np.ndarray) -> tuple[float, float, float]:
    """D_1, D_2 and D_3 of the grams of one order that have these counts."""
    n = np.bincount(np.minimum(counts, 5), minlength=6)[1:5].astype(float)
    if n.min() == 0:
        return FALLBACK
    y = n[0] / (n[0] + 2 * n[1])
    one, two, three = (float(j - (j + 1) * y * n[j] / n[j - 1]) for j in (1, 2, 3))
    found = one, two, three
    return found if all(0 <= own <= j for j, own in enumerate(found, 1)) else FALLBACK


def losses(ids: np.ndarray, size: int, order: int, others: np.ndarray) -> list[float]:
    """Nats a symbol of `others` (M,), for the orders 1 to `order`, learnt from `ids` (N,). What stands before `others`
    is not seen, and its first symbol is not counted: so a recurrent model reads it, too.
    """
    symbols = others.astype(np.int64)
    nodes = np.zeros(len(symbols), dtype=np.int64)
    lower = np.full(len(symbols), 1 / size)
    found = []
    for k, level in enumerate(levels(ids, size, order), 1):
        contexts, own = nodes[: max(0, len(symbols) - k + 1)], symbols[k - 1 :]
        nodes = level.find(contexts, own, size)
        highest = lower.copy()
        highest[k - 1 :] = _interpolated(level.highest, contexts, nodes, lower[k - 1 :])
        lower[k - 1 :] = _interpolated(level.lower, contexts, nodes, lower[k - 1 :])
        found.append(float(-np.log(highest[1:]).mean()))
    return found


def _interpolated(shares: Shares, contexts: np.ndarray, grams: np.ndarray, below: np.ndarray) -> np.ndarray:
    back_off = np.where(contexts >= 0, shares.back_off[contexts], 1.0)
    return np.where(grams >= 0, shares.own[grams], 0.0) + back_off * below


def followed(known: Sequence[Level], nodes: Sequence[int], symbol: int, size: int) -> list[int]:
    """Where the last 0, 1, … symbols stand among the keys of each order, once `symbol` has come; `nodes`: before it."""
    pairs = zip(known, nodes, strict=False)
    return [0, *(int(level.find(np.array([node]), np.array([symbol]), size)[0]) for level, node in pairs)]


def distribution(known: Sequence[Level], nodes: Sequence[int], size: int) -> np.ndarray:
    """(V,): the probability of each symbol, where `nodes` says which contexts it follows."""
    p = np.full(size, 1 / size)
    for k, (level, node) in enumerate(zip(known, nodes, strict=False), 1):
        if node < 0:
            break
        shares = level.highest if k == len(known) else level.lower
        first, last = np.searchsorted(level.keys, (node * size, (node + 1) * size))
        p *= shares.back_off[node]
        p[level.keys[first:last] - node * size] += shares.own[first:last]
    return p


def draw(
    known: Sequence[Level],
    size: int,
    begin: Sequence[int],
    length: int,
    temperature: float,
    generator: np.random.Generator,
) -> list[int]:
    """So many symbols, one after the other, that follow `begin`."""
    nodes = [0]
    for symbol in begin:
        nodes = followed(known, nodes, symbol, size)
    drawn: list[int] = []
    for _ in range(length):
        p = distribution(known, nodes, size) ** (1 / temperature)
        chance = generator.random() * p.sum()
        drawn.append(min(int(np.searchsorted(p.cumsum(), chance, side="right")), size - 1))
        nodes = followed(known, nodes, drawn[-1], size)
    return drawn
