"""The measures against counting by hand, and the ranking against a unit whose weights were set by hand."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unrolled.cells.elman import Elman
from unrolled.diagnostics import ranking, units
from unrolled.diagnostics.ranking import auc, ranks, spearman
from unrolled.models.language_model import LanguageModel

LETTERS = "ab “”\n"
PLANTED = 5


@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=25))
def test_auc_is_the_share_of_pairs_in_order(pairs):
    values = torch.tensor([[float(value)] for value, _ in pairs])
    labels = torch.tensor([[float(label)] for _, label in pairs])
    yes = [value for value, label in pairs if label]
    no = [value for value, label in pairs if not label]
    found = auc(ranks(values), labels).item()
    if not yes or not no:
        assert np.isnan(found)
        return
    above = sum((a > b) + 0.5 * (a == b) for a in yes for b in no)
    assert found == pytest.approx(above / (len(yes) * len(no)), abs=1e-12)


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 4)), min_size=2, max_size=25))
def test_spearman_is_the_correlation_of_ranks(pairs):
    def ranked(numbers):
        return [sum(b < a for b in numbers) + (sum(b == a for b in numbers) + 1) / 2 for a in numbers]

    first, second = (ranked([float(pair[i]) for pair in pairs]) for i in (0, 1))
    values, numbers = (torch.tensor([[float(pair[i])] for pair in pairs]) for i in (0, 1))
    assert ranks(values)[:, 0].tolist() == first
    found = spearman(ranks(values), numbers).item()
    if len(set(first)) == 1 or len(set(second)) == 1:
        assert found == 0
    else:
        assert found == pytest.approx(np.corrcoef(first, second)[0, 1], abs=1e-9)


def test_all_units_and_labels_at_once_as_one_by_one():
    values = torch.randn(40, 3).round(decimals=1)
    labels = (torch.rand(40, 2) < 0.4).double()
    found = auc(ranks(values), labels)
    assert found.shape == (3, 2)
    for unit in range(3):
        for label in range(2):
            one = auc(ranks(values[:, unit : unit + 1]), labels[:, label : label + 1]).item()
            assert found[unit, label] == pytest.approx(one)


def planted(sign: float = 1.0, unit: int = PLANTED) -> LanguageModel:
    """A network of which one unit is turned on by “ and off by ”, and holds what it has: w > 1 makes it do so."""
    model = LanguageModel(Elman, len(LETTERS), 0, (12,)).eval()
    (cell,) = model.recurrent.cells()[0]
    with torch.no_grad():
        cell.W[unit] = 0
        cell.W[unit, unit] = 2
        cell.U[unit] = 0
        cell.U[unit, LETTERS.index("“")] = 6 * sign
        cell.U[unit, LETTERS.index("”")] = -6 * sign
        cell.b[unit] = 0
    return model


def quoting(seed: int, words: int = 60) -> str:
    draw = random.Random(seed)
    said = ["".join(draw.choices("ab", k=draw.randint(1, 6))) for _ in range(words)]
    return "“”" + " ".join(f"“{word} a”" if draw.random() < 0.4 else word for word in said) + "\n"


def text_of(model: LanguageModel, untrained: LanguageModel, text: str) -> ranking.Text:
    symbols = torch.tensor([LETTERS.index(letter) for letter in text])
    return ranking.Text(tuple(text), units.activity(model, symbols), units.activity(untrained, symbols))


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_planted_unit_is_found(sign):
    model, untrained = planted(sign), LanguageModel(Elman, len(LETTERS), 0, (12,)).eval()
    first, second = (text_of(model, untrained, quoting(seed)) for seed in (1, 2))
    found = {one.label: one for one in ranking.followers(first, second)}
    one = found["inside a quotation"]
    assert (one.layer, one.signal, one.unit, one.sign) == (1, "hidden", PLANTED + 1, int(sign))
    assert one.chosen > 0.99 and one.confirmed > 0.99
    # The figures are what the definitions say, on each of the two texts.
    for text, figure in ((first, one.chosen), (second, one.confirmed)):
        label = ranking.labelled(text.tokens, ranking.YES_OR_NO)["inside a quotation"]
        values = text.trained[0]["hidden"][:, PLANTED] * sign
        yes, no = values[label > 0], values[label == 0]
        assert figure == pytest.approx(((yes[:, None] > no).double() + 0.5 * (yes[:, None] == no)).mean().item())
    label = ranking.labelled(second.tokens, ranking.YES_OR_NO)["inside a quotation"]
    fresh = auc(ranks(second.untrained[0]["hidden"]), torch.from_numpy(label)[:, None])
    assert one.untrained == pytest.approx(0.5 + (fresh - 0.5).abs().max().item())
    assert one.margin == one.confirmed - one.untrained > 0.1

    table = ranking.ranking_table(list(found.values()))
    rows = {row[0].removeprefix("not "): row for row in table.rows}
    assert rows["inside a quotation"][:3] == (
        "inside a quotation" if sign > 0 else "not inside a quotation",
        f"layer 1, hidden {PLANTED + 1}",
        "AUC",
    )
    assert [row[-1] for row in table.rows] == sorted((row[-1] for row in table.rows), reverse=True)


def test_a_unit_is_chosen_on_the_first_text_alone():
    """On the second it does nothing, and another follows quotes there: the figure says so, the choice stays."""
    model, other = planted(), planted(unit=2)
    (cell,) = other.recurrent.cells()[0]
    with torch.no_grad():
        for parameter in (cell.W, cell.U, cell.b):
            parameter[PLANTED] = 0
    first, second = text_of(model, model, quoting(1)), text_of(other, model, quoting(2))
    one = next(one for one in ranking.followers(first, second) if one.label == "inside a quotation")
    assert one.unit == PLANTED + 1
    assert one.chosen > 0.99 and one.confirmed == pytest.approx(0.5)


def test_labels_that_one_text_hardly_has_are_left_out():
    model = planted()
    plain = "ab ab\n" * 40
    both = [text_of(model, model, text) for text in (quoting(1), plain)]
    for pair in (both, both[::-1]):
        labels = {one.label for one in ranking.followers(*pair)}
        assert "inside a quotation" not in labels and "inside a word" in labels
    assert ranking.followers(text_of(model, model, "ab"), text_of(model, model, "ab")) == []


def test_symbols_of_several_characters_or_of_none_take_the_label_of_the_last_that_was_read():
    tokens = ("", "“a", "b", "", "” c")
    label = ranking.labelled(tokens, ranking.YES_OR_NO)["inside a quotation"]
    assert label.tolist() == [0, 1, 1, 1, 0]
