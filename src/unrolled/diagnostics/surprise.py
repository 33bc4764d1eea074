"""How surprised a language model is by each symbol of a text, and what it had expected instead.

Surprise is −ln p(s_t | s_1 … s_{t−1}) in nats (Shannon 1948): 0 where the symbol was certain; ln V is what guessing
among V symbols without a clue costs, and a symbol may surprise more than that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from unrolled import states
from unrolled.errors import DataError, OptionError
from unrolled.figures import ColouredText, Table
from unrolled.models.language_model import LanguageModel
from unrolled.states import State

#: Symbols read at once: bounds memory at WINDOW × V numbers, whatever the text's length.
WINDOW = 512


class Surprise(NamedTuple):
    """What a model makes of a text of T symbols.

    symbols: (T,) int64.
    log_probabilities: (T,) float32, of each symbol given those before it, in nats; NaN for the first, which nothing
        precedes.
    alternatives: (T, n) int64, the symbols that were likeliest there, likeliest first, and
    alternative_log_probabilities: (T, n) float32. The first row is without meaning: −1 and NaN.
    """

    symbols: Tensor
    log_probabilities: Tensor
    alternatives: Tensor
    alternative_log_probabilities: Tensor

    def mean(self) -> float:
        """Mean surprise of all symbols but the first, in nats."""
        return -self.log_probabilities[1:].double().mean().item()


def surprise(model: LanguageModel, symbols: Tensor, state: State | None = None, alternatives: int = 0) -> Surprise:
    """Read `symbols` (T,) int64, T ≥ 2, from `state` (of one row; None starts anew), in evaluation mode.

    alternatives: how many of the likeliest symbols to tell at each place, at most V.
    DataError where the text has fewer than two symbols.
    """
    if symbols.dim() != 1 or len(symbols) < 2:
        raise DataError(
            f"surprise is measured from the second symbol on: a text of 2 symbols or more, (T,), was expected; "
            f"{tuple(symbols.shape)} came"
        )
    if alternatives < 0:
        raise OptionError(f"alternatives is a number of symbols, 0 for none; {alternatives} came")
    count = min(alternatives, model.vocabulary_size)
    own = [torch.full((1,), math.nan)]
    best = [torch.full((1, count), -1)]
    best_own = [torch.full((1, count), math.nan)]
    for known, following in _windows(model, symbols, state):
        own.append(known.gather(-1, following[:, None]).squeeze(-1).cpu())
        top = known.topk(count, -1)
        best.append(top.indices.cpu())
        best_own.append(top.values.cpu())
    return Surprise(symbols.cpu(), torch.cat(own), torch.cat(best), torch.cat(best_own))


def _windows(model: LanguageModel, symbols: Tensor, state: State | None) -> Iterator[tuple[Tensor, Tensor]]:
    """Window by window, with the state carried: log-probabilities (t, V), and the symbols (t,) that came."""
    device = next(model.parameters()).device
    symbols = symbols.to(device)
    state = model.initial_state(1) if state is None else state
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            for start in range(0, len(symbols) - 1, WINDOW):
                end = min(start + WINDOW, len(symbols) - 1)
                logits, state, _ = model.read(symbols[start:end, None], state)
                state = states.detach(state)
                yield logits[:, 0].float().log_softmax(-1), symbols[start + 1 : end + 1]
    finally:
        model.train(training)


def coloured_text(
    found: Surprise, tokens: Sequence[str], vocabulary_size: int, title: str = "What surprised the model"
) -> ColouredText:
    """The text, each symbol coloured by its surprise, from 0 to ln V. tokens: the text, symbol by symbol."""
    # Zero less the number, not its negative: certainty is 0, not −0.
    values = tuple((0.0 - found.log_probabilities).tolist())
    return ColouredText(title, tuple(tokens), values, (0.0, math.log(max(vocabulary_size, 2))), "surprise, nats")


def alternatives_table(
    found: Surprise,
    name: Callable[[int], str],
    rows: int | None = 10,
    title: str = "What came, and what was expected",
) -> Table:
    """What came, how likely it was, and what was expected.

    rows: the symbols that surprised most, in the order of the text; None for all but the first.
    name: a symbol as a person reads it.
    """
    order = (0.0 - found.log_probabilities[1:]).argsort(descending=True, stable=True)[:rows] + 1
    lines = []
    for place in sorted(order.tolist()):
        expected = "  ".join(
            f"{name(symbol)} {math.exp(log_probability):.1%}"
            for symbol, log_probability in zip(
                found.alternatives[place].tolist(), found.alternative_log_probabilities[place].tolist(), strict=True
            )
        )
        known = found.log_probabilities[place].item()
        lines.append((place + 1, name(int(found.symbols[place])), math.exp(known), 0.0 - known, expected))
    return Table(title, ("symbol number", "came", "probability", "surprise, nats", "expected"), tuple(lines))
