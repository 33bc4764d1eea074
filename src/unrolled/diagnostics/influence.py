"""Which steps of a sequence each answer hangs on: the shape in which a network is used, seen from its gradients.

    s_{a,t} = ‖∂ y_a[said] / ∂ x_t‖      y_a[said] what is answered: the logit of the class, or the sum of the numbers

One row where the whole sequence gets one answer; a triangle where answers come in step, since none sees what comes
later; a square where the sequence is read in both directions; a diagonal where nothing is remembered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from unrolled.batch import NOT_ASKED, Batch
from unrolled.diagnostics.unrolling import in_double
from unrolled.errors import DataError
from unrolled.figures import HeatMap
from unrolled.models.answering import AnsweringModel
from unrolled.models.sequence_classifier import SequenceClassifier
from unrolled.models.tagger import Tagger


class Influence(NamedTuple):
    """Of one sequence of T steps that gets A answers.

    norm: (A, T), ‖∂ y_a[said] / ∂ x_t‖; exactly 0 where an answer cannot depend on a step. asked: for each answer, the
    step at which it is asked for, from 1; T for an answer to the whole sequence.
    """

    norm: Tensor
    asked: tuple[int, ...]


def influence(model: AnsweringModel, batch: Batch, row: int = 0) -> Influence:
    """Of row `row` of the batch, in float64, on a copy. DataError where it asks for nothing."""
    targets = _targets(model, batch)
    model = in_double(model)
    values, lengths = model.inputs(batch)
    length = values.shape[0] if lengths is None else int(lengths[row])
    read = values[:length, row : row + 1].cpu()
    with torch.enable_grad():
        x = _vectors(model, read).detach().requires_grad_()
        model.embedding = None  # x has been through it
        answer, _ = model.answer(Batch({"inputs": x}), model.initial_state(1))
        if isinstance(model, Tagger):
            asked = [t for t in range(length) if targets[t, row] != NOT_ASKED]
            said = [answer[t, 0].max() for t in asked]
        else:
            asked = [length - 1]
            said = [answer[0].max() if isinstance(model, SequenceClassifier) else answer[0].sum()]
        if not said:
            raise DataError(f"{batch.origin or 'the batch'}: row {row + 1} asks for no answer: look at another")
        gradients = [torch.autograd.grad(one, x, retain_graph=True)[0] for one in said]
    norm = torch.stack([gradient[:, 0].norm(dim=-1) for gradient in gradients])
    return Influence(norm, tuple(t + 1 for t in asked))


def _targets(model: AnsweringModel, batch: Batch) -> Tensor:
    return model.targets(batch) if isinstance(model, Tagger) else torch.empty(0)


def _vectors(model: AnsweringModel, values: Tensor) -> Tensor:
    """What the recurrent layers read, (T, 1, F), in float64."""
    if model.embedding is not None:
        return model.embedding(values)
    if values.is_floating_point():
        return values.double()
    return torch.nn.functional.one_hot(values, model.recurrent.input_size).double()


def influence_map(found: Influence, title: str, names: Sequence[str] = ()) -> HeatMap:
    """One row an answer, one column a step: the norms, each row by its own greatest, so that 1 is the step that counts
    most.

    names: of the steps; none numbers them.
    """
    largest = found.norm.amax(1, keepdim=True)
    shares = (found.norm / largest.where(largest > 0, 1.0)).tolist()
    columns = tuple(names) or tuple(str(t + 1) for t in range(found.norm.shape[1]))
    rows = tuple(f"answer at {columns[t - 1]}" if names else f"answer at {t}" for t in found.asked)
    return HeatMap(
        title, tuple(tuple(row) for row in shares), rows, columns, "‖∂ answer / ∂x_t‖, by the row's greatest"
    )
