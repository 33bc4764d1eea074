"""Drawing symbols one after the other from any model that can take one step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from unrolled.errors import OptionError
from unrolled.generation.position import Advance, Position, log_probabilities_of, read_prompt
from unrolled.generation.settings import Sampling
from unrolled.states import State, map_state

__all__ = ["Alternatives", "Continuation", "Drawn", "Generation", "Sampling", "filter_logits", "generate"]


class Alternatives(NamedTuple):
    """The likeliest symbols (B, n) at one place, likeliest first, and their log-probabilities (B, n) in nats."""

    symbols: Tensor
    log_probabilities: Tensor


class Drawn(NamedTuple):
    """One draw.

    symbols: (B,) int64.
    log_probabilities: (B,), of what was drawn, in nats, under the model itself: temperature 1 and nothing filtered.
    alternatives: what else the model thought of, the drawn symbol included where it is among them; None unless asked.
    """

    symbols: Tensor
    log_probabilities: Tensor
    alternatives: Alternatives | None = None


class Continuation(NamedTuple):
    """All that the next draws depend on: saved (`states.to_tensors`) and given back, it leads to the same draws.

    logits: (B, V) and state: after everything read and drawn so far.
    random: the random generator's state, (n,) uint8.
    """

    logits: Tensor
    state: State
    random: Tensor


def filter_logits(logits: Tensor, sampling: Sampling) -> Tensor:
    """Logits (…, V) with what may not be drawn at −∞, and the rest divided by the temperature.

    Order: temperature, top-k, top-p, min-p, each on what the one before left, renormalised. It is the order of the
    Transformers library (llama.cpp applies the temperature last, which makes its top-p and min-p blind to it).
    Among equals the symbol of the lower number is preferred; the likeliest always stays.
    """
    best = logits.amax(-1, keepdim=True)
    if sampling.temperature == 0:
        first = logits.argmax(-1, keepdim=True)
        return torch.full_like(logits, -torch.inf).scatter(-1, first, 0.0)
    # Less the maximum, so that a low temperature makes nothing overflow.
    logits = (logits - best) / sampling.temperature
    if 0 < sampling.top_k < logits.shape[-1] or sampling.top_p < 1:
        ranked, order = logits.sort(dim=-1, descending=True, stable=True)
        if sampling.top_k > 0:
            ranked[..., sampling.top_k :] = -torch.inf
        if sampling.top_p < 1:
            probabilities = ranked.softmax(-1)
            # A symbol stays if those before it do not yet have the probability asked for: the first one always does.
            ahead = probabilities.cumsum(-1) - probabilities
            ranked = ranked.masked_fill(ahead >= sampling.top_p, -torch.inf)
        logits = torch.empty_like(logits).scatter(-1, order, ranked)
    if sampling.min_p > 0:
        # The likeliest symbol's logit is 0 here, so that a probability's share of the highest is exp(logit).
        logits = logits.masked_fill(logits.exp() < sampling.min_p, -torch.inf)
    return logits


class Generation(Iterator[Drawn]):
    """Draws without end, one `Drawn` a step; the caller stops. Made by `generate`, or here, from a position.

    advance: one step of the model.
    position: after the prompt.
    generator: on the device of the logits; it goes on from where it is.
    alternatives: how many of the likeliest symbols each draw tells (at most V).
    """

    def __init__(
        self,
        advance: Advance,
        position: Position,
        sampling: Sampling,
        *,
        generator: torch.Generator,
        alternatives: int = 0,
    ) -> None:
        if alternatives < 0:
            raise OptionError(f"alternatives is a number of symbols, 0 for none; {alternatives} came")
        self.sampling = sampling
        self._advance = advance
        self._position = position
        self._generator = generator
        self._alternatives = min(alternatives, position.logits.shape[-1])
        # What was drawn but not yet read: reading waits for the next draw, so that the last symbol costs no step.
        self._unread: Tensor | None = None

    @classmethod
    def resume(
        cls, advance: Advance, continuation: Continuation, sampling: Sampling, *, alternatives: int = 0
    ) -> Generation:
        """Go on from where `continuation()` was taken, to the same draws, bit for bit."""
        generator = torch.Generator(continuation.logits.device)
        generator.set_state(continuation.random)
        position = Position(continuation.logits, continuation.state)
        return cls(advance, position, sampling, generator=generator, alternatives=alternatives)

    def __next__(self) -> Drawn:
        with torch.inference_mode():
            logits = self._read().logits
            own = log_probabilities_of(logits)
            if self.sampling.temperature == 0:
                symbols = logits.argmax(-1)
            else:
                kept = filter_logits(logits.float(), self.sampling).softmax(-1)
                symbols = torch.multinomial(kept, 1, generator=self._generator).squeeze(-1)
            self._unread = symbols
            drawn = own.gather(-1, symbols[:, None]).squeeze(-1)
            if not self._alternatives:
                return Drawn(symbols, drawn)
            top = own.topk(self._alternatives, -1)
            return Drawn(symbols, drawn, Alternatives(top.indices, top.values))

    def continuation(self) -> Continuation:
        """Where this stands now. Going on afterwards changes nothing in it."""
        with torch.inference_mode():
            position = self._read()
        # Cloned outside inference mode: ordinary tensors, good for any use.
        logits, state = map_state(torch.clone, position)
        return Continuation(logits, state, self._generator.get_state())

    def _read(self) -> Position:
        if self._unread is not None:
            self._position = Position(*self._advance(self._unread, self._position.state))
            self._unread = None
        return self._position


def generate(
    advance: Advance,
    state: State,
    prompt: Tensor,
    sampling: Sampling,
    *,
    generator: torch.Generator,
    alternatives: int = 0,
) -> Generation:
    """Read `prompt` (T, B) int64 from `state`, then draw without end; the prompt itself is not given back.

    PromptError where the prompt is empty; CheckpointError, at a draw, where the model's output is not finite.
    """
    position = read_prompt(advance, state, prompt)
    return Generation(advance, position, sampling, generator=generator, alternatives=alternatives)
