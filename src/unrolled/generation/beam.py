"""Beam search over any model that can take one step.

The `width` likeliest unfinished beginnings are kept and each is tried with every symbol. A hypothesis of n symbols (its
end symbol counted) has the score log p / n^α: with α = 0 the likeliest text wins, which is mostly a short one; with
α = 1 the one likeliest by symbol.
"""

from __future__ import annotations

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


class _Open(NamedTuple):
    """The unfinished beginnings, best first: symbols (n, so far), log-probabilities (n,), next ones' (n, V), state."""

    symbols: Tensor
    total: Tensor
    following: Tensor
    state: State


def beam_search(
    advance: Advance,
    state: State,
    prompt: Tensor,
    width: int,
    length: int,
    *,
    end: int | None = None,
    length_penalty: float = 0.0,
) -> list[Hypothesis]:
    """The best continuations of one prompt that the beam finds, best first, at most `width`.

    state: of one row. prompt: (T, 1) int64, T ≥ 1.
    width: how many beginnings are kept; 1 is greedy, V^length finds the best there is.
    length: the most symbols of a continuation.
    end: the symbol that ends a text; None lets every text run to `length`.
    length_penalty: α, from 0 to 10.

    It stops when `length` is reached, or when no beginning can still become one of the `width` best.
    """
    for name, value in (("width", width), ("length", length)):
        if value < 1:
            raise OptionError(f"beam search wants a {name} of 1 or more; {value} came")
    if not 0 <= length_penalty <= HIGHEST_LENGTH_PENALTY:
        raise OptionError(
            f"length penalty is from 0, which is off, to {HIGHEST_LENGTH_PENALTY:g}; {length_penalty:g} came. "
            "1 ranks by the mean log-probability of a symbol"
        )
    if prompt.dim() == 2 and prompt.shape[1] != 1:
        raise ShapeError(f"beam search continues one prompt, (T, 1); {tuple(prompt.shape)} came")

    with torch.inference_mode():
        logits, state = read_prompt(advance, state, prompt)
        device = logits.device
        beam = _Open(
            torch.empty(1, 0, dtype=torch.int64, device=device),
            torch.zeros(1, dtype=torch.float64, device=device),
            log_probabilities_of(logits).double(),
            state,
        )
        finished: list[Hypothesis] = []
        for n in range(1, length + 1):
            symbols, totals, parents, ended = _best_candidates(beam, width, end)
            stops = ended.nonzero().squeeze(-1)
            # One that ends must be among the `width` best to count, as one that goes on must.
            for i in stops[stops < width].tolist():
                finished.append(_hypothesis(symbols[i], totals[i], n, length_penalty, ended=True))
            finished = sorted(finished, key=_score, reverse=True)[:width]
            going_on = (~ended).nonzero().squeeze(-1)[:width]
            symbols, totals, parents = symbols[going_on], totals[going_on], parents[going_on]
            if n == length:
                finished += [
                    _hypothesis(row, total, n, length_penalty, ended=False)
                    for row, total in zip(symbols, totals, strict=True)
                ]
                break
            # At best every symbol to come is certain, and the text as long as it may be.
            if len(going_on) == 0 or (
                len(finished) == width and totals[0].item() / length**length_penalty <= finished[-1].score
            ):
                break
            logits, state = advance(symbols[:, -1], states.select(beam.state, parents))
            beam = _Open(symbols, totals, log_probabilities_of(logits).double(), state)
    return sorted(finished, key=_score, reverse=True)[:width]


def _best_candidates(beam: _Open, width: int, end: int | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Symbols (c, n), log-probabilities (c,), row it came from (c,), whether it ends (c,), likeliest first."""
    V = beam.following.shape[1]
    everything = (beam.total[:, None] + beam.following).flatten()
    # Each beginning can end in one way only, so that among 2·width candidates at least `width` go on, if so many can.
    totals, places = everything.topk(min(2 * width, len(everything)))
    possible = totals > -torch.inf
    totals, places = totals[possible], places[possible]
    parents, last = places // V, places % V
    symbols = torch.cat([beam.symbols[parents], last[:, None]], 1)
    ended = torch.zeros_like(possible[possible]) if end is None else last == end
    return symbols, totals, parents, ended


def _hypothesis(symbols: Tensor, total: Tensor, n: int, length_penalty: float, *, ended: bool) -> Hypothesis:
    return Hypothesis(tuple(symbols.tolist()), total.item(), total.item() / n**length_penalty, ended)


def _score(hypothesis: Hypothesis) -> float:
    return hypothesis.score
