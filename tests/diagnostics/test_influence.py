"""Influence against finite differences of what a model answers, and the shapes in which networks are used."""

from __future__ import annotations

import pytest
import torch

from unrolled.batch import NOT_ASKED, Batch, Ragged
from unrolled.cells.gru import GRU
from unrolled.cells.memoryless import Memoryless
from unrolled.diagnostics.influence import Influence, influence, influence_map
from unrolled.errors import DataError
from unrolled.models.answering import AnsweringModel
from unrolled.models.sequence_classifier import SequenceClassifier
from unrolled.models.sequence_regressor import SequenceRegressor
from unrolled.models.tagger import Tagger

T, B, F = 5, 3, 2


def features(model: AnsweringModel, x: torch.Tensor) -> torch.Tensor:
    """What the model answers to features (T, 1, F), beyond its embedding."""
    with torch.no_grad():
        recorded = model.recurrent.record(x, model.initial_state(1), None, record=())
        if isinstance(model, Tagger):
            return model.output(recorded.output)[:, 0]
        return model.output(model.last(recorded, None))


def by_differences(model: AnsweringModel, x: torch.Tensor, answers: list[tuple[int, list[int]]]) -> torch.Tensor:
    """(A, T): the norm of the slope of the sum of these outputs at that answer, by central differences."""
    rows = []
    for place, outputs in answers:
        norms = []
        for t in range(len(x)):
            slope = []
            for feature in range(x.shape[-1]):
                step = torch.zeros_like(x)
                step[t, 0, feature] = 1e-6
                high, low = (features(model, x + way * step)[place, outputs].sum() for way in (1, -1))
                slope.append(float(high - low) / 2e-6)
            norms.append(torch.tensor(slope).double().norm())
        rows.append(torch.stack(norms))
    return torch.stack(rows)


@pytest.mark.parametrize("two_directions", [False, True])
def test_in_step_and_ragged(two_directions: bool) -> None:
    model = Tagger(GRU, 6, (4,), 3, embedding_size=F, two_directions=two_directions, dropout=0.5).double()
    symbols = torch.randint(6, (T, B))
    targets = torch.randint(3, (T, B))
    targets[1] = NOT_ASKED
    lengths = torch.tensor([5, 4, 2])
    found = influence(model, Batch({"inputs": Ragged(symbols, lengths), "targets": Ragged(targets, lengths)}), row=1)
    assert found.asked == (1, 3, 4) and model.training and model.embedding is not None
    model.eval()
    x = model.embedding(symbols[:4, 1:2]).detach()
    said = features(model, x).argmax(-1).tolist()
    expected = by_differences(model, x, [(t, [said[t]]) for t in (0, 2, 3)])
    torch.testing.assert_close(found.norm, expected, rtol=1e-5, atol=1e-8)
    later = torch.tensor([[t >= step for t in range(4)] for step in found.asked])
    assert bool((found.norm[later] == 0).all()) != two_directions


def test_one_answer_to_a_whole_sequence() -> None:
    numbers, classes = SequenceRegressor(GRU, F, (4,), 2), SequenceClassifier(GRU, F, (4,), 3)
    for model, outputs in ((numbers.double(), [0, 1]), (classes.double(), None)):
        x = torch.randn(T, B, F, dtype=torch.float64)
        found = influence(model, Batch({"inputs": x}), row=2)
        said = outputs or [int(features(model, x[:, 2:]).argmax())]
        torch.testing.assert_close(found.norm, by_differences(model, x[:, 2:], [(0, said)]), rtol=1e-5, atol=1e-8)
        assert found.asked == (T,)


def test_what_remembers_nothing_is_a_diagonal() -> None:
    model = Tagger(Memoryless, 6, (4,), 3)
    batch = Batch({"inputs": torch.randint(6, (T, B)), "targets": torch.zeros(T, B, dtype=torch.int64)})
    norm = influence(model, batch).norm
    assert norm.dtype == torch.float64 and bool((norm.diagonal() > 0).all())
    assert bool((norm - norm.diagonal().diag() == 0).all())


def test_the_map_is_by_each_rows_greatest() -> None:
    found = Influence(torch.tensor([[0.0, 0.0], [1.0, 4.0]]), (1, 2))
    figure = influence_map(found, "what", ("he", "ran"))
    assert figure.values == ((0.0, 0.0), (0.25, 1.0))
    assert (figure.rows, figure.columns) == (("answer at he", "answer at ran"), ("he", "ran"))
    assert influence_map(found, "what").rows == ("answer at 1", "answer at 2")


def test_nothing_asked() -> None:
    model = Tagger(GRU, F, (4,), 3)
    batch = Batch({"inputs": torch.randn(T, B, F), "targets": torch.full((T, B), NOT_ASKED)}, origin="these")
    with pytest.raises(DataError, match="these: row 1 asks for no answer"):
        influence(model, batch)
