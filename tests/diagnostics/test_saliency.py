"""Saliency against finite differences of what the model itself says, and how far it reaches."""

from __future__ import annotations

import math

import pytest
import torch

from unrolled.cells.lstm import LSTM
from unrolled.diagnostics.saliency import (
    PLACES,
    product_text,
    reach,
    saliency,
    spread_places,
    strength_text,
)
from unrolled.errors import DataError, OptionError
from unrolled.models.language_model import LanguageModel

SYMBOLS = torch.tensor([0, 3, 3, 1, 4, 2, 0])


@pytest.fixture
def model() -> LanguageModel:
    model = LanguageModel(LSTM, 5, 4, (6, 5), dropout=0.5, embedding_dropout=0.5).double()
    with torch.no_grad():
        model.softmax.weight.mul_(4)
    return model.eval()


def log_probability(model: LanguageModel, vectors: torch.Tensor, place: int) -> float:
    """ln p of the symbol at `place`, step by step over `vectors` (T, E)."""
    stepper, state = model.recurrent.stepper(), model.initial_state(1)
    with torch.no_grad():
        for x in vectors[:place]:
            output, state = stepper(x[None], state)
        return model.softmax(output)[0].log_softmax(-1)[SYMBOLS[place]].item()


def test_it_is_what_small_changes_of_each_input_do(model):
    places = [3, 6, 1]
    model.train()
    found = saliency(model, SYMBOLS, places)
    assert model.training
    model.eval()
    vectors = model.embedding(SYMBOLS).detach()
    assert found.norm.shape == found.product.shape == (7, 3)
    for column, place in enumerate(places):
        assert found.log_probabilities[column].item() == pytest.approx(log_probability(model, vectors, place))
        for t in range(7):
            gradient = []
            for feature in range(4):
                step = torch.zeros_like(vectors)
                step[t, feature] = 1e-5
                ends = [log_probability(model, vectors + way * step, place) for way in (1, -1)]
                gradient.append((ends[0] - ends[1]) / 2e-5)
            gradient = torch.tensor(gradient, dtype=torch.float64)
            assert found.norm[t, column].item() == pytest.approx(gradient.norm().item(), abs=1e-6)
            assert found.product[t, column].item() == pytest.approx((gradient @ vectors[t]).item(), abs=1e-6)
            assert (found.norm[t, column] == 0) == (t >= place)


def test_one_hot_input_without_an_embedding():
    model = LanguageModel(LSTM, 5, 0, (6,)).double().eval()
    found = saliency(model, SYMBOLS, [4])
    vectors = torch.nn.functional.one_hot(SYMBOLS, 5).double()
    step = torch.zeros_like(vectors)
    step[2, SYMBOLS[2]] = 1e-5
    ends = [log_probability(model, vectors + way * step, 4) for way in (1, -1)]
    # Of a one-hot vector times the gradient, one entry is left.
    assert found.product[2, 0].item() == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=1e-6)


def test_figures(model):
    found = saliency(model, SYMBOLS, [4])
    strength, product = strength_text(found, "addbeca"), product_text(found, "addbeca")
    assert strength.values[:4] == pytest.approx(found.norm[:4, 0].tolist())
    assert product.values[:4] == pytest.approx(found.product[:4, 0].tolist())
    assert all(math.isnan(value) for value in (*strength.values[4:], *product.values[4:]))
    assert strength.scale == (0.0, pytest.approx(found.norm.max().item()))
    assert product.scale[0] == -product.scale[1] == pytest.approx(-found.product.abs().max().item())
    assert f"'e', symbol 5, p = {found.log_probabilities[0].exp():.3f}" in strength.title


def test_reach_is_the_mean_over_the_places_at_each_distance(model):
    places = [3, 5]
    found = saliency(model, SYMBOLS, places)
    (series,) = reach(found).series
    assert series.x == (1, 2, 3)
    wanted = [(found.norm[3 - d, 0] + found.norm[5 - d, 1]).item() / 2 for d in (1, 2, 3)]
    assert series.y == pytest.approx(wanted)


@pytest.mark.parametrize("length", [2, 3, 10, 64, 65, 200, 1000])
def test_places_are_in_the_second_half(length):
    places = spread_places(length)
    assert 1 <= len(places) <= PLACES
    assert places[0] == max(length // 2, 1) and max(places) < length and len(set(places)) == len(places)


def test_what_cannot_be_explained(model):
    with pytest.raises(DataError, match="2 symbols or more"):
        saliency(model, SYMBOLS[:1], [1])
    for place in (0, 7, -1):
        with pytest.raises(OptionError, match=rf"symbol {place + 1} cannot be explained: expected one from 2 to 7"):
            saliency(model, SYMBOLS, [3, place])
