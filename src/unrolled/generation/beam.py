"""Beam search over any model that can take one step, for many rows at a time.

For each row the `width` likeliest unfinished beginnings are kept, and each is tried with every symbol. A hypothesis of
n symbols (its end symbol counted) has the score log p / n^α: with α = 0 the likeliest text wins, which is mostly a
short one; with α = 1 the one likeliest by symbol.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from unrolled import states
from unrolled.errors import OptionError, ShapeError
from unrolled.generation.position import Advance, log_probabilities_of, read_prompt
from unrolled.states import State

HIGHEST_LENGTH_PENALTY = 10.0


class Hypothesis(NamedTuple):
    """One text found.

    symbols: those after the prompt, the end symbol last if it ended.
    log_probability: in nats, the sum over `symbols`.
    score: what hypotheses are ranked by.
    ended: false where `length` cut it off.
    """

    symbols: tuple[int, ...]
    log_probability: float
    score: float
    ended: bool


class _Candidates(NamedTuple):
    """The likeliest ways to go on, for each row that is still searched: (rows, c) each, likeliest first, −∞ for none.

    totals: log-probabilities. parents: which open beginning each comes from. last: its new symbol.
    """

    totals: Tensor
    parents: Tensor
    last: Tensor


def beam_search(
    advance: Advance,
    state: State,
    prompt: Tensor,
    width: int,
    length: int | Sequence[int],
    *,
    end: int | None = None,
    length_penalty: float = 0.0,
) -> list[list[Hypothesis]]:
    """For each row the best continuations of its prompt that the beam finds, best first, at most `width`.

    state: of B rows. prompt: (T, B) int64, T ≥ 1.
    width: how many beginnings of a row are kept; 1 is greedy, V^length finds the best there is.
    length: the most symbols of a continuation, one for all rows or one each.
    end: the symbol that ends a text; None lets every text run to `length`.
    length_penalty: α, from 0 to 10.

    A row's search stops when `length` is reached, or when no beginning can still become one of the `width` best; the
    others go on without it. A symbol whose logit is −∞ is never written.
    """
    B = prompt.shape[-1]
    lengths = [length] * B if isinstance(length, int) else list(length)
    if len(lengths) != B:
        raise ShapeError(f"one length for each of {B} rows was expected; {len(lengths)} came")
    for name, value in (("width", width), ("length", min(lengths, default=1))):
        if value < 1:
            raise OptionError(f"beam search wants a {name} of 1 or more; {value} came")
    if not 0 <= length_penalty <= HIGHEST_LENGTH_PENALTY:
        raise OptionError(
            f"length penalty is from 0, which is off, to {HIGHEST_LENGTH_PENALTY:g}; {length_penalty:g} came. "
            "1 ranks by the mean log-probability of a symbol"
        )

    with torch.inference_mode():
        logits, state = read_prompt(advance, state, prompt)
        finished: list[list[Hypothesis]] = [[] for _ in range(B)]
        # One open beginning, the empty one, for each row.
        rows = torch.arange(B, device=logits.device)
        symbols = rows.new_empty(B, 0)
        totals = torch.zeros(B, dtype=torch.float64, device=logits.device)
        for n in range(1, max(lengths, default=0) + 1):
            searched, candidates = _best_candidates(rows, totals, log_probabilities_of(logits), width)
            ended = torch.zeros_like(candidates.parents, dtype=torch.bool) if end is None else candidates.last == end
            possible = candidates.totals > -torch.inf
            # One that ends must be among the `width` best to count, as one that goes on must.
            stops = (ended & possible)[:, :width]
            _keep(finished, searched, symbols, candidates, stops, n, length_penalty, ended=True)
            # Each beginning can end in one way only, so that among 2·width candidates `width` go on, if so many can.
            open_ = ~ended & possible
            open_ &= open_.cumsum(1) <= width
            last_step = torch.tensor([lengths[row] == n for row in searched.tolist()], device=rows.device)[:, None]
            _keep(finished, searched, symbols, candidates, open_ & last_step, n, length_penalty, ended=False)
            open_ &= ~last_step
            for place, row in enumerate(searched.tolist()):
                finished[row] = sorted(finished[row], key=_score, reverse=True)[:width]
                best = candidates.totals[place][open_[place]][:1].tolist()
                # At best every symbol to come is certain, and the text as long as it may be.
                if len(finished[row]) == width and best:
                    hopeless = best[0] / lengths[row] ** length_penalty <= finished[row][-1].score
                    open_[place] &= not hopeless
            if not open_.any():
                break
            rows = searched[:, None].expand_as(open_)[open_]
            totals, parents, last = (part[open_] for part in candidates)
            symbols = torch.cat([symbols[parents], last[:, None]], 1)
            logits, state = advance(last, states.select(state, parents))
    return [sorted(found, key=_score, reverse=True)[:width] for found in finished]


def _best_candidates(rows: Tensor, totals: Tensor, following: Tensor, width: int) -> tuple[Tensor, _Candidates]:
    """Which rows are searched, and for each its 2·width likeliest candidates.

    rows: (m,) the row of each open beginning, those of one row together, the likeliest first. following: (m, V).
    """
    searched, counts = torch.unique_consecutive(rows, return_counts=True)
    # The best of a row are among the best of each of its beginnings.
    each, symbols = following.topk(min(2 * width, following.shape[1]), 1)
    c = each.shape[1]
    place = torch.repeat_interleave(torch.arange(len(searched), device=rows.device), counts)
    first = counts.cumsum(0) - counts
    number = torch.arange(len(rows), device=rows.device) - first[place]
    grid = totals.new_full((len(searched), width, c), -torch.inf)
    grid[place, number] = totals[:, None] + each.double()
    best, found = grid.flatten(1).topk(min(2 * width, width * c), 1)
    parents = (first[:, None] + found // c).clamp(max=len(rows) - 1)
    return searched, _Candidates(best, parents, symbols[parents, found % c])


def _keep(
    finished: list[list[Hypothesis]],
    searched: Tensor,
    symbols: Tensor,
    candidates: _Candidates,
    kept: Tensor,
    n: int,
    length_penalty: float,
    *,
    ended: bool,
) -> None:
    """Put the candidates that `kept` (rows, ·) names among their rows' hypotheses."""
    places, ranks = kept.nonzero(as_tuple=True)
    parents, last = candidates.parents[places, ranks], candidates.last[places, ranks]
    texts = torch.cat([symbols[parents], last[:, None]], 1).tolist()
    for row, text, total in zip(
        searched[places].tolist(), texts, candidates.totals[places, ranks].tolist(), strict=True
    ):
        finished[row].append(Hypothesis(tuple(text), total, total / n**length_penalty, ended))


def _score(hypothesis: Hypothesis) -> float:
    return hypothesis.score
