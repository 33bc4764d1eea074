"""Which words speak for the class that a classifier gives a text, and which against it: gradients of its probability.

    s_t = ∂ ln p(class) / ∂ x_t          x_t the embedding of the word at t, or the word one-hot where there is none

The product x_t · s_t is what the word adds to ln p, to first order (Shrikumar et al. 2016, arXiv:1605.01713); ‖s_t‖
says how strongly the answer hangs on what stands there (Simonyan et al. 2013, arXiv:1312.6034).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.diagnostics.unrolling import in_double
from unrolled.errors import DataError
from unrolled.figures import ColouredText, Table
from unrolled.models.sequence_classifier import SequenceClassifier


class WordSaliency(NamedTuple):
    """Of one text of T words. norm: (T,), ‖∂ ln p / ∂ x_t‖. product: (T,), x_t · ∂ ln p / ∂ x_t. said: the class, by
    its number. probabilities: (classes,).
    """

    norm: Tensor
    product: Tensor
    said: int
    probabilities: Tensor


def word_saliency(model: SequenceClassifier, batch: Batch) -> WordSaliency:
    """Of a batch of one text, in float64, on a copy. DataError where there is nothing in it."""
    model = in_double(model)
    values, lengths = model.inputs(batch)
    length = values.shape[0] if lengths is None else int(lengths[0])
    if length == 0:
        raise DataError("a text without anything that can be read: give another")
    x = model.vectors(Batch({"inputs": values[:length].cpu()}))
    if x.dim() == 2:
        x = torch.nn.functional.one_hot(x, model.recurrent.input_size)
    with torch.enable_grad():
        x = x.detach().double().requires_grad_()
        found = model.answer(Batch({"inputs": x}), model.initial_state(1))[0].log_softmax(-1)[0]
        said = int(found.argmax())
        (gradient,) = torch.autograd.grad(found[said], x)
    return WordSaliency(gradient[:, 0].norm(dim=-1), (gradient * x.detach()).sum(-1)[:, 0], said, found.detach().exp())


def for_and_against(found: WordSaliency, tokens: Sequence[str], classes: Sequence[str]) -> ColouredText:
    """Words that speak for the class that is said are high, those against it low."""
    reach = float(found.product.abs().max()) or 1.0
    title = f"What speaks for {_said(found, classes)} (high), and what against it (low)"
    return ColouredText(title, tuple(tokens), tuple(found.product.tolist()), (-reach, reach), "x · ∂ ln p / ∂x, nats")


def strength(found: WordSaliency, tokens: Sequence[str], classes: Sequence[str]) -> ColouredText:
    """How strongly the answer hangs on each word."""
    title = f"What {_said(found, classes)} hangs on"
    high = float(found.norm.max()) or 1.0
    return ColouredText(title, tuple(tokens), tuple(found.norm.tolist()), (0.0, high), "‖∂ ln p / ∂x‖")


def class_table(found: WordSaliency, classes: Sequence[str]) -> Table:
    """The probability of each class, the likeliest first."""
    order = found.probabilities.argsort(descending=True).tolist()
    rows = tuple((classes[number], float(found.probabilities[number])) for number in order)
    return Table("How likely each class is", ("class", "p"), rows)


def _said(found: WordSaliency, classes: Sequence[str]) -> str:
    return f"{classes[found.said]!r}, p = {float(found.probabilities[found.said]):.3f},"
