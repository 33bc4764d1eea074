"""The baseline of text classification: naive Bayes over counts of words and of pairs of neighbours.

ln p(class | text) = ln p(class) + Σ_w n_w ln p(w | class) + const,    p(w | class) = (n_{w, class} + 1) / (n_class + V)

n_w: how often w is in the text; n_{w, class}: in the training texts of the class; V: the number of distinct w in
training, others are left out (McCallum & Nigam 1998, A Comparison of Event Models for Naive Bayes Text Classification).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np


def terms(tokens: Sequence[str]) -> list[str]:
    """What is counted: each token, and each pair of neighbours."""
    return [*tokens, *(f"{one} {two}" for one, two in pairwise(tokens))]


def naive_bayes(
    texts: Sequence[Sequence[str]], classes: np.ndarray, others: Sequence[Sequence[str]], class_count: int
) -> np.ndarray:
    """(M,) int64: the class of each of the M `others`, learnt from `texts` and their `classes` (N,)."""
    numbers: dict[str, int] = {}
    counted = [Counter(terms(tokens)) for tokens in texts]
    for counts in counted:
        for term in counts:
            numbers.setdefault(term, len(numbers))
    table = np.ones((len(numbers), class_count))
    for counts, which in zip(counted, classes.tolist(), strict=True):
        table[[numbers[term] for term in counts], which] += list(counts.values())
    weights = np.log(table / table.sum(0))
    # A class without a training text has probability zero, whose logarithm is said to be the least there is.
    prior = np.log(np.maximum(np.bincount(classes, minlength=class_count) / len(texts), np.finfo(float).tiny))
    found = np.zeros(len(others), dtype=np.int64)
    for place, tokens in enumerate(others):
        known = [numbers[term] for term in terms(tokens) if term in numbers]
        found[place] = int((prior + weights[known].sum(0)).argmax())
    return found


def log_odds(texts: Sequence[np.ndarray], classes: np.ndarray, vocabulary_size: int, class_count: int) -> np.ndarray:
    """(V, classes): ln p(w | class), less its mean over the classes, of each word of texts (N,) encoded; how strongly a
    word speaks for each class. p(w | class) is here the share of the class's texts that have w, with one added to each.
    """
    table = np.ones((vocabulary_size, class_count))
    for words, which in zip(texts, classes.tolist(), strict=True):
        table[np.unique(words), which] += 1
    found = np.log(table / table.sum(0))
    return found - found.mean(1, keepdims=True)
