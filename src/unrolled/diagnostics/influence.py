"""Which steps of a sequence each answer hangs on: the shape in which a network is used, seen from its gradients.

    s_{a,t} = ‖∂ y_a[said] / ∂ x_t‖      y_a[said] what is answered: the logit of the class, or the sum of the numbers;
                                         of a word's several tags, the logit of the first

One row where the whole sequence gets one answer; a triangle where answers come in step, since none sees what comes
later; a square where the sequence is read in both directions; a diagonal where nothing is remembered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from unrolled.batch import NOT_ASKED, Batch, Ragged
from unrolled.diagnostics.unrolling import in_double
from unrolled.errors import DataError
from unrolled.figures import HeatMap
from unrolled.models.answering import AnsweringModel
from unrolled.models.sequence_classifier import SequenceClassifier
from unrolled.models.tagger import Tagger
from unrolled.models.word_tagger import WordTagger


class Influence(NamedTuple):
    """Of one sequence of T steps that gets A answers.

    norm: (A, T), ‖∂ y_a[said] / ∂ x_t‖; exactly 0 where an answer cannot depend on a step. asked: for each answer, the
    step at which it is asked for, from 1; T for an answer to the whole sequence.
    """

    norm: Tensor
    asked: tuple[int, ...]


def influence(model: AnsweringModel, batch: Batch, row: int = 0) -> Influence:
    """Of row `row` of the batch, in float64, on a copy. DataError where it asks for nothing."""
    model = in_double(model)
    values, lengths = model.inputs(batch)
    length = values.shape[0] if lengths is None else int(lengths[row])
    own = _row(batch, row, length)
    with torch.enable_grad():
        x = _vectors(model, own).detach().requires_grad_()
        answer, _ = model.answer(Batch({"inputs": x}), model.initial_state(1))
        if isinstance(model, WordTagger):
            asked = [*range(length)]
            said = [answer[t, 0, : model.lines[0].tags].max() for t in asked]  # type: ignore[index]
        elif isinstance(model, Tagger):
            targets = own.tensor("targets")
            asked = [t for t in range(length) if targets[t, 0] != NOT_ASKED]
            said = [answer[t, 0].max() for t in asked]
        else:
            asked = [length - 1]
            said = [answer[0].max() if isinstance(model, SequenceClassifier) else answer[0].sum()]
        if not said:
            raise DataError(f"{batch.origin or 'the batch'}: row {row + 1} asks for no answer: look at another")
        gradients = [torch.autograd.grad(one, x, retain_graph=True)[0] for one in said]
    norm = torch.stack([gradient[:, 0].norm(dim=-1) for gradient in gradients])
    return Influence(norm, tuple(t + 1 for t in asked))


def _row(batch: Batch, row: int, length: int) -> Batch:
    """One row of a batch, as plain fields of its own length."""
    plain = {name: field.values if isinstance(field, Ragged) else field for name, field in batch.fields.items()}
    return Batch({name: values[:length, row : row + 1].cpu() for name, values in plain.items()})


def _vectors(model: AnsweringModel, batch: Batch) -> Tensor:
    """What the recurrent layers read, (T, 1, F), in float64."""
    x = model.vectors(batch)
    if x.dim() == 2:
        x = torch.nn.functional.one_hot(x, model.recurrent.input_size)
    return x.double()


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
