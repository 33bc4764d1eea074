"""Which symbols read before moved a language model's forecast: gradients of one output on every input.

    s_p = ∂ ln p(target_p | s_1 … s_{p−1}) / ∂ x_t          x_t the embedding of s_t, or s_t one-hot where there is none

‖s_p‖ says how strongly the forecast hangs on x_t (Simonyan et al. 2013, arXiv:1312.6034); the product x_t · s_p,
whether what stands there speaks for the target or against it (Shrikumar et al. 2016, arXiv:1605.01713), to first order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from unrolled.errors import DataError, OptionError
from unrolled.figures import ColouredText, Curves, Series
from unrolled.models.language_model import LanguageModel, at_least_float32

#: Places over which `reach` takes its mean.
PLACES = 32


class Saliency(NamedTuple):
    """Of P forecasts of a text of T symbols; a forecast sees only what stands before its place.

    places: (P,) int64, which symbols are forecast, from 1 to T − 1. norm: (T, P), ‖∂ ln p / ∂ x_t‖. product: (T, P),
    x_t · ∂ ln p / ∂ x_t. Both are 0 from each place on. log_probabilities: (P,), ln p.
    """

    places: Tensor
    norm: Tensor
    product: Tensor
    log_probabilities: Tensor


def saliency(model: LanguageModel, symbols: Tensor, places: Sequence[int]) -> Saliency:
    """Read `symbols` (T,) int64, T ≥ 2, once for each place, in evaluation mode, and go back through all of it.

    DataError where the text has fewer than two symbols, OptionError where a place has nothing before it.
    """
    if symbols.dim() != 1 or len(symbols) < 2:
        raise DataError(f"a text of 2 symbols or more, (T,), was expected; {tuple(symbols.shape)} came")
    if odd := [place for place in places if not 1 <= place < len(symbols)]:
        raise OptionError(
            f"symbol {odd[0] + 1} cannot be explained: expected one from 2 to {len(symbols)}, which others precede"
        )
    device = next(model.parameters()).device
    symbols, rows = symbols.to(device), torch.tensor(places, device=device)
    # One row of the batch for each place: the rows don't meet, so that one way back serves all.
    read = symbols[:-1, None].expand(-1, len(places))
    training = model.training
    model.eval()
    try:
        with torch.enable_grad():
            x = _vectors(model, read).detach().requires_grad_()
            output, _ = model.recurrent(x, model.initial_state(len(places)))
            logits = at_least_float32(model.softmax(output[rows - 1, torch.arange(len(places), device=device)]))
            found = logits.log_softmax(-1).gather(-1, symbols[rows, None]).squeeze(-1)
            (gradient,) = torch.autograd.grad(found.sum(), x)
    finally:
        model.train(training)
    last = torch.zeros(1, len(places))
    norm = torch.cat([gradient.norm(dim=-1).float().cpu(), last])
    product = torch.cat([(gradient * x).sum(-1).detach().float().cpu(), last])
    return Saliency(rows.cpu(), norm, product, found.detach().cpu())


def _vectors(model: LanguageModel, symbols: Tensor) -> Tensor:
    """What the recurrent layers read for each symbol, (T, B, F)."""
    if model.embedding is not None:
        return model.embedding(symbols)
    one_hot = torch.nn.functional.one_hot(symbols, model.vocabulary_size)
    return one_hot.to(next(model.parameters()).dtype)


def strength_text(found: Saliency, tokens: Sequence[str]) -> ColouredText:
    """How strongly the first forecast hangs on each symbol; NaN from its place on."""
    values = _until(found.norm[:, 0], int(found.places[0]))
    high = max(value for value in values if not math.isnan(value))
    title = f"What the forecast of {_forecast(found, tokens)} hangs on"
    return ColouredText(title, tuple(tokens), values, (0.0, high or 1.0), "‖∂ ln p / ∂x‖")


def product_text(found: Saliency, tokens: Sequence[str]) -> ColouredText:
    """Which symbols speak for the first forecast (high) and which against it (low); NaN from its place on."""
    values = _until(found.product[:, 0], int(found.places[0]))
    reach = max(abs(value) for value in values if not math.isnan(value)) or 1.0
    title = f"What speaks for {_forecast(found, tokens)} (high), and what against it (low)"
    return ColouredText(title, tuple(tokens), values, (-reach, reach), "x · ∂ ln p / ∂x, nats")


def _forecast(found: Saliency, tokens: Sequence[str]) -> str:
    place = int(found.places[0])
    return f"{tokens[place]!r}, symbol {place + 1}, p = {found.log_probabilities[0].exp():.3f}"


def _until(values: Tensor, place: int) -> tuple[float, ...]:
    return (*values[:place].tolist(), *[math.nan] * (len(values) - place))


def spread_places(length: int) -> list[int]:
    """PLACES places or fewer over the second half of a text of `length` symbols, so that each has much before it."""
    first = max(length // 2, 1)
    step = max((length - first) // PLACES, 1)
    return list(range(first, length, step))[:PLACES]


def reach(found: Saliency) -> Curves:
    """How far back forecasts reach: the mean gradient norm against the distance, over all places that go so far."""
    longest = int(found.places.min())
    distances = torch.arange(1, longest + 1)
    norms = found.norm[found.places[None, :] - distances[:, None], torch.arange(len(found.places))]
    series = Series(
        f"mean of {len(found.places)} forecasts", tuple(distances.double().tolist()), tuple(norms.mean(1).tolist())
    )
    return Curves(
        "How far back the forecasts reach", (series,), "symbols before the forecast", "‖∂ ln p / ∂x‖", y_log=True
    )
