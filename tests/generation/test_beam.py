"""Beam search against exhaustive enumeration, greedy search and teacher forcing."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from unrolled.cells.lstm import LSTM
from unrolled.errors import CheckpointError, OptionError, ShapeError
from unrolled.generation.beam import beam_search
from unrolled.models.language_model import LanguageModel

V, END = 4, 0
PROMPT = torch.tensor([[2], [3]])


def make_model(seed: int) -> LanguageModel:
    torch.manual_seed(seed)
    model = LanguageModel(LSTM, V, 3, (5,)).eval()
    with torch.no_grad():
        model.softmax.weight.mul_(5)
    return model


def teacher_forced(model: LanguageModel, symbols: tuple[int, ...]) -> float:
    """Σ ln p of `symbols` after the prompt, with the whole sequence read at once."""
    text = torch.cat([PROMPT, torch.tensor(symbols)[:, None]])
    with torch.no_grad():
        logits = model.read(text[:-1], model.initial_state(1)).logits[len(PROMPT) - 1 :, 0]
    return logits.double().log_softmax(-1)[range(len(symbols)), list(symbols)].sum().item()


def every_text(length: int, end: int | None) -> set[tuple[int, ...]]:
    """All texts of `length` symbols, each cut after its first end symbol."""
    texts = set()
    for text in product(range(V), repeat=length):
        texts.add(text[: text.index(end) + 1] if end in text else text)
    return texts


@pytest.mark.parametrize("end", [None, END])
@pytest.mark.parametrize("length_penalty", [0.0, 0.6, 1.0, 2.0])
@pytest.mark.parametrize("length", [1, 4])
def test_a_beam_as_wide_as_all_texts_finds_them_all_in_order(end, length_penalty, length):
    model = make_model(0)
    scored = [(text, teacher_forced(model, text)) for text in every_text(length, end)]
    scored.sort(key=lambda pair: pair[1] / len(pair[0]) ** length_penalty, reverse=True)
    (found,) = beam_search(
        model.stepper(),
        model.initial_state(1),
        PROMPT,
        V**length,
        length,
        end=end,
        length_penalty=length_penalty,
    )
    assert len(found) == len(scored)
    for hypothesis, (text, total) in zip(found, scored, strict=True):
        assert hypothesis.symbols == text
        assert hypothesis.log_probability == pytest.approx(total, abs=1e-5)
        assert hypothesis.score == pytest.approx(total / len(text) ** length_penalty, abs=1e-5)
        assert hypothesis.ended == (text[-1] == end)


def greedy(model: LanguageModel, length: int) -> tuple[int, ...]:
    text: list[int] = []
    while len(text) < length and text[-1:] != [END]:
        read = torch.cat([PROMPT, torch.tensor(text, dtype=torch.int64)[:, None]])
        with torch.no_grad():
            text.append(int(model.read(read, model.initial_state(1)).logits[-1, 0].argmax()))
    return tuple(text)


@pytest.mark.parametrize("seed", range(8))
def test_a_beam_of_one_is_greedy(seed):
    model = make_model(seed)
    ((only,),) = beam_search(model.stepper(), model.initial_state(1), PROMPT, 1, 9, end=END)
    assert only.symbols == greedy(model, 9)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("width", [2, 3, 7])
def test_log_probabilities_are_those_of_teacher_forcing_and_the_states_follow_their_beams(seed, width):
    model = make_model(seed)
    (every,) = beam_search(model.stepper(), model.initial_state(1), PROMPT, width, 10, end=END, length_penalty=1.0)
    for found in every:
        assert found.log_probability == pytest.approx(teacher_forced(model, found.symbols), abs=1e-5)
        assert found.score == pytest.approx(found.log_probability / len(found.symbols), abs=1e-9)


def table_stepper(table: dict[tuple[int, ...], list[float]]):
    """A stepper whose state is the text itself, and whose next probabilities are read off a table by it."""
    steps = []

    def advance(symbols, state):
        (text,) = state
        text = torch.cat([text, symbols[:, None]], 1)
        steps.append(len(symbols))
        rows = [table[tuple(row[1:].tolist())] for row in text]
        return torch.tensor(rows).log(), (text,)

    return advance, (torch.zeros(1, 0, dtype=torch.int64),), steps


def test_a_wider_beam_finds_what_greedy_misses():
    table = {
        (): [0.0, 0.6, 0.4],
        (1,): [0.4, 0.3, 0.3],
        (2,): [0.9, 0.1, 0.0],
    }
    for width, best in ((1, (1, 0)), (2, (2, 0))):
        advance, state, _ = table_stepper(table)
        (found,) = beam_search(advance, state, torch.tensor([[1]]), width, 2, end=0)
        assert found[0].symbols == best
    assert found[0].log_probability == pytest.approx(torch.tensor(0.36).log().item())


def test_it_stops_once_nothing_open_can_win():
    table = {(): [0.9, 0.1], (1,): [0.5, 0.5], (1, 1): [0.5, 0.5], (1, 1, 1): [0.5, 0.5]}
    advance, state, steps = table_stepper(table)
    ((found,),) = beam_search(advance, state, torch.tensor([[1]]), 1, 4, end=0)
    assert found.symbols == (0,)
    assert len(steps) == 1  # the prompt: no step was spent on (1, …)


def test_it_goes_on_while_a_longer_text_can_still_win():
    """ln 0.6 alone against three symbols of ln 0.4, 0, 0: the mean of the longer is better."""
    table = {(): [0.6, 0.4], (1,): [0.0, 1.0], (1, 1): [1.0, 0.0]}
    for length_penalty, best in ((0.0, (0,)), (1.0, (1, 1, 0))):
        advance, state, _ = table_stepper(table)
        (found,) = beam_search(advance, state, torch.tensor([[1]]), 1, 3, end=0, length_penalty=length_penalty)
        # A beam of one keeps (1, …) alive although (0,) came first.
        assert found[0].symbols == best


def test_impossible_texts_are_not_found():
    advance, state, _ = table_stepper({(): [1.0, 0.0]})
    (found,) = beam_search(advance, state, torch.tensor([[1]]), 5, 3, end=0)
    assert [h.symbols for h in found] == [(0,)]


def test_hypotheses_come_best_first_and_at_most_width():
    model = make_model(3)
    (found,) = beam_search(model.stepper(), model.initial_state(1), PROMPT, 6, 8, end=END)
    assert len(found) == 6
    scores = [h.score for h in found]
    assert scores == sorted(scores, reverse=True)
    assert len({h.symbols for h in found}) == 6


@pytest.mark.parametrize("width", [1, 2, 5])
@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
def test_many_rows_are_searched_as_each_alone(width, length_penalty):
    """Rows of several prompts; each finds what it finds by itself."""
    model = make_model(4)
    prompts = torch.tensor([[2, 1, 3, 2, 1], [3, 1, 2, 2, 3]])
    more = {"end": END, "length_penalty": length_penalty}
    together = beam_search(model.stepper(), model.initial_state(5), prompts, width, 9, **more)
    for row in range(5):
        (alone,) = beam_search(model.stepper(), model.initial_state(1), prompts[:, row : row + 1], width, 9, **more)
        assert [h.symbols for h in together[row]] == [h.symbols for h in alone]
        assert [h.score for h in together[row]] == pytest.approx([h.score for h in alone], abs=1e-5)


def test_a_row_that_is_done_costs_no_more_steps():
    """One row ends at once; the other goes on alone."""
    sizes = []

    def advance(symbols, state):
        sizes.append(len(symbols))
        (goes_on,) = state
        return torch.where(goes_on[:, None], torch.tensor([0.0, 9.0]), torch.tensor([9.0, 0.0])), state

    found = beam_search(advance, (torch.tensor([False, True]),), torch.tensor([[1, 1]]), 1, 4, end=0)
    assert [one.symbols for (one,) in found] == [(0,), (1, 1, 1, 1)]
    assert sizes == [2, 1, 1, 1]


def test_each_row_may_have_a_length_of_its_own():
    model = make_model(4)
    prompts = PROMPT.expand(2, 3)
    state = model.initial_state(3)
    found = beam_search(model.stepper(), state, prompts, 3, [2, 7, 1], end=END, length_penalty=1.0)
    for one, length in zip(found, (2, 7, 1), strict=True):
        (alone,) = beam_search(model.stepper(), model.initial_state(1), PROMPT, 3, length, end=END, length_penalty=1.0)
        assert [h.symbols for h in one] == [h.symbols for h in alone]
        assert [h.ended for h in one] == [h.ended for h in alone]
    with pytest.raises(ShapeError, match="one length for each of 3 rows was expected; 2 came"):
        beam_search(model.stepper(), state, prompts, 3, [2, 7])


def test_what_cannot_be_searched():
    model = make_model(0)
    advance, state = model.stepper(), model.initial_state(1)
    with pytest.raises(OptionError, match="width of 1 or more; 0"):
        beam_search(advance, state, PROMPT, 0, 3)
    with pytest.raises(OptionError, match="length of 1 or more; 0"):
        beam_search(advance, state, PROMPT, 3, 0)
    with pytest.raises(OptionError, match="length penalty is from 0"):
        beam_search(advance, state, PROMPT, 3, 3, length_penalty=-1.0)
    with torch.no_grad():
        model.softmax.bias.fill_(float("nan"))
    with pytest.raises(CheckpointError, match="not finite"):
        beam_search(model.stepper(), state, PROMPT, 3, 3)
