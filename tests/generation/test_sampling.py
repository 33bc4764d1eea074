"""Drawing: filters against a NumPy oracle, frequencies against exact probabilities, continuation bit for bit."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unrolled import states
from unrolled.cells.gru import GRU
from unrolled.cells.lstm import LSTM
from unrolled.errors import CheckpointError, OptionError, PromptError, ShapeError
from unrolled.generation.position import Position, read_prompt
from unrolled.generation.sampling import Continuation, Generation, Sampling, filter_logits, generate
from unrolled.models.language_model import LanguageModel

V = 7


@pytest.fixture
def model() -> LanguageModel:
    torch.manual_seed(0)
    built = LanguageModel(LSTM, V, 4, (6, 5)).eval()
    with torch.no_grad():
        built.softmax.weight.mul_(6)  # so that its opinions are not all alike
    return built


def allowed_by_numpy(logits: np.ndarray, sampling: Sampling) -> np.ndarray:
    """Probabilities after temperature, top-k, top-p, min-p, with plain loops over Python lists, in double precision."""
    scaled = logits.astype(np.float64) / sampling.temperature
    p = np.exp(scaled - scaled.max())
    p /= p.sum()
    ranked = sorted(range(len(p)), key=lambda i: (-p[i], i))
    kept = ranked[: sampling.top_k or None]
    total = sum(p[i] for i in kept)
    if sampling.top_p < 1:
        enough, so_far = [], 0.0
        for i in kept:
            enough.append(i)
            so_far += p[i] / total
            if so_far >= sampling.top_p:
                break
        kept = enough
    kept = [i for i in kept if p[i] / p[ranked[0]] >= sampling.min_p]
    result = np.zeros_like(p)
    result[kept] = p[kept]
    return result / result.sum()


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(),
        Sampling(temperature=0.5),
        Sampling(temperature=3.0),
        Sampling(top_k=1),
        Sampling(top_k=3),
        Sampling(top_k=100),
        Sampling(top_p=0.6),
        Sampling(min_p=0.3),
        Sampling(temperature=2.0, top_k=5, top_p=0.8, min_p=0.25),
        Sampling(temperature=0.7, top_k=4, top_p=0.95, min_p=0.02),
    ],
    ids=str,
)
def test_filters_keep_the_probabilities_that_numpy_keeps(sampling):
    rows = np.random.default_rng(1).normal(0, 2, (50, V)).astype(np.float32)
    ours = filter_logits(torch.from_numpy(rows), sampling).softmax(-1).numpy()
    for row, one in zip(rows, ours, strict=True):
        np.testing.assert_allclose(one, allowed_by_numpy(row, sampling), atol=2e-6)


def test_order_of_the_filters_is_temperature_then_top_k_then_top_p_then_min_p():
    logits = torch.tensor([0.5, 0.2, 0.15, 0.15]).log()
    # Alone, top-p 0.7 keeps two (0.5 + 0.2); after top-k 2 the first has 0.714 of what is left, and is enough.
    assert filter_logits(logits, Sampling(top_p=0.7)).isfinite().tolist() == [True, True, False, False]
    assert filter_logits(logits, Sampling(top_k=2, top_p=0.7)).isfinite().tolist() == [True, False, False, False]
    # Temperature ½ squares: 0.25 : 0.04 …, so that 0.2's share of the best falls from 0.4 to 0.16.
    assert filter_logits(logits, Sampling(min_p=0.39)).isfinite().tolist() == [True, True, False, False]
    assert filter_logits(logits, Sampling(0.5, min_p=0.39)).isfinite().tolist() == [True, False, False, False]


samplings = st.builds(
    Sampling,
    temperature=st.one_of(st.just(0.0), st.floats(1e-3, 1e3)),
    top_k=st.integers(0, 12),
    top_p=st.floats(1e-6, 1.0),
    min_p=st.floats(0.0, 1.0),
)


@settings(deadline=None)  # the first call loads parts of torch
@given(st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=10), samplings)
def test_the_likeliest_symbol_survives_any_filter_and_the_rest_keep_their_ratios(row, sampling):
    logits = torch.tensor(row)
    kept = filter_logits(logits, sampling)
    assert kept[logits.argmax()] == 0
    probabilities = kept.softmax(-1)
    assert probabilities.sum().item() == pytest.approx(1, abs=1e-5)
    # Whatever is kept is at least as likely as whatever is not.
    survivors = kept > -torch.inf
    scaled = (logits - logits.max()) / (sampling.temperature or 1)
    if not survivors.all():
        assert scaled[survivors].min() >= scaled[~survivors].max()
    if sampling.top_k > 0:
        assert survivors.sum() <= sampling.top_k
    if sampling.temperature > 0:
        torch.testing.assert_close(kept[survivors], scaled[survivors])


def test_among_equals_the_lower_symbol_stays():
    logits = torch.zeros(2, 5)
    assert filter_logits(logits, Sampling(top_k=2)).isfinite().tolist() == [[True, True, False, False, False]] * 2
    many = filter_logits(torch.zeros(500), Sampling(top_k=3)).isfinite()
    assert many.nonzero().flatten().tolist() == [0, 1, 2]
    assert filter_logits(logits, Sampling(temperature=0)).isfinite().int().tolist() == [[1, 0, 0, 0, 0]] * 2


@pytest.mark.parametrize(
    "sampling", [Sampling(), Sampling(0.6, top_k=5), Sampling(1.5, top_p=0.8), Sampling(min_p=0.1)], ids=str
)
def test_frequencies_follow_the_filtered_distribution(model, sampling):
    """χ² over 20000 rows drawn at once from one position: p = 10⁻⁴ or so lies at 4 standard deviations."""
    rows = 20_000
    advance = model.stepper()
    logits, state = read_prompt(advance, model.initial_state(1), torch.tensor([[3]]))
    position = Position(logits.expand(rows, -1), states.select(state, torch.zeros(rows, dtype=torch.int64)))
    drawn = next(Generation(advance, position, sampling, generator=torch.Generator().manual_seed(5)))
    expected = allowed_by_numpy(logits[0].numpy(), sampling) * rows
    counts = np.bincount(drawn.symbols.numpy(), minlength=V)
    assert (counts[expected == 0] == 0).all()
    possible = expected > 0
    chi_square = ((counts - expected)[possible] ** 2 / expected[possible]).sum()
    freedom = possible.sum() - 1
    assert freedom >= 1
    assert chi_square < freedom + 5 * np.sqrt(2 * freedom)


def test_log_probabilities_are_the_models_own_whatever_the_filters(model):
    prompt = torch.tensor([[1, 2], [3, 4]])
    sampling = Sampling(temperature=0.4, top_k=3)
    generation = generate(
        model.stepper(),
        model.initial_state(2),
        prompt,
        sampling,
        generator=torch.Generator().manual_seed(0),
        alternatives=3,
    )
    drawn = list(islice(generation, 9))
    symbols = torch.stack([d.symbols for d in drawn])
    with torch.no_grad():
        logits, _, _ = model.read(torch.cat([prompt, symbols])[:-1], model.initial_state(2))
    exact = logits[1:].log_softmax(-1)
    torch.testing.assert_close(
        torch.stack([d.log_probabilities for d in drawn]), exact.gather(-1, symbols[..., None])[..., 0]
    )
    for d, row in zip(drawn, exact, strict=True):
        torch.testing.assert_close(d.alternatives.log_probabilities, row.sort(-1, descending=True).values[:, :3])
        torch.testing.assert_close(row.gather(-1, d.alternatives.symbols), d.alternatives.log_probabilities)


def test_more_alternatives_than_symbols_are_all_symbols(model):
    g = torch.Generator().manual_seed(0)
    generation = generate(
        model.stepper(), model.initial_state(1), torch.tensor([[0]]), Sampling(), generator=g, alternatives=50
    )
    told = next(generation).alternatives
    assert sorted(told.symbols[0].tolist()) == list(range(V))
    assert told.log_probabilities.exp().sum().item() == pytest.approx(1, abs=1e-6)


def test_greedy_takes_the_likeliest_and_leaves_the_generator_alone(model):
    g = torch.Generator().manual_seed(0)
    before = g.get_state()
    generation = generate(
        model.stepper(), model.initial_state(1), torch.tensor([[2]]), Sampling(temperature=0), generator=g
    )
    text = [2]
    for drawn in islice(generation, 12):
        with torch.no_grad():
            logits = model.read(torch.tensor(text)[:, None], model.initial_state(1)).logits[-1, 0]
        assert drawn.symbols.item() == int(logits.argmax())
        text.append(drawn.symbols.item())
    assert torch.equal(g.get_state(), before)


def _draw(model, seed: int, count: int) -> torch.Tensor:
    g = torch.Generator().manual_seed(seed)
    generation = generate(model.stepper(), model.initial_state(3), torch.tensor([[0, 1, 2]]), Sampling(), generator=g)
    return torch.stack([d.symbols for d in islice(generation, count)])


def test_a_seed_gives_the_same_text_and_another_seed_another(model):
    assert torch.equal(_draw(model, 7, 40), _draw(model, 7, 40))
    assert not torch.equal(_draw(model, 7, 40), _draw(model, 8, 40))


@pytest.mark.parametrize("cell", [LSTM, GRU])
@pytest.mark.parametrize("cut", [0, 1, 13])
def test_continuing_gives_bit_for_bit_what_going_on_would_have_given(cell, cut):
    torch.manual_seed(1)
    model = LanguageModel(cell, V, 0, (8,)).eval()
    advance = model.stepper()

    def start() -> Generation:
        g = torch.Generator().manual_seed(3)
        return generate(advance, model.initial_state(2), torch.tensor([[1, 2], [0, 5]]), Sampling(0.9), generator=g)

    whole = list(islice(start(), 40))
    first = start()
    head = list(islice(first, cut))
    saved = first.continuation()

    # Through names and plain tensors, as a file keeps it.
    tensors = {name: leaf.clone() for name, leaf in states.to_tensors(saved).items()}
    like = Continuation(torch.zeros(2, V), model.initial_state(2), torch.Generator().get_state())
    resumed = Generation.resume(advance, states.from_tensors(tensors, like), Sampling(0.9))
    for tail in (list(islice(first, 40 - cut)), list(islice(resumed, 40 - cut))):
        for one, other in zip(head + tail, whole, strict=True):
            assert torch.equal(one.symbols, other.symbols)
            assert torch.equal(one.log_probabilities, other.log_probabilities)


def test_a_continuation_stands_still_and_is_made_of_ordinary_tensors(model):
    g = torch.Generator().manual_seed(0)
    generation = generate(model.stepper(), model.initial_state(1), torch.tensor([[2]]), Sampling(), generator=g)
    next(generation)
    saved = generation.continuation()
    copies = [leaf.clone() for _, leaf in states.leaves(saved)]
    list(islice(generation, 5))
    for (_, leaf), copy in zip(states.leaves(saved), copies, strict=True):
        assert torch.equal(leaf, copy)
        assert not leaf.is_inference()


def test_the_last_draw_costs_no_step(model):
    advance, steps = model.stepper(), []

    def counted(symbols, state):
        steps.append(symbols)
        return advance(symbols, state)

    generation = generate(
        counted, model.initial_state(1), torch.tensor([[1], [2]]), Sampling(), generator=torch.Generator()
    )
    list(islice(generation, 4))
    assert len(steps) == 2 + 3


def test_a_position_read_at_once_serves_as_well_as_a_prompt_read_step_by_step(model):
    prompt = torch.tensor([[1], [4], [6], [0]])
    with torch.no_grad():
        logits, state, _ = model.read(prompt, model.initial_state(1))
    advance = model.stepper()
    at_once = Generation(advance, Position(logits[-1], state), Sampling(), generator=torch.Generator().manual_seed(2))
    stepwise = generate(advance, model.initial_state(1), prompt, Sampling(), generator=torch.Generator().manual_seed(2))
    for one, other in islice(zip(at_once, stepwise, strict=True), 20):
        assert one.symbols.item() == other.symbols.item()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"temperature": -1.0}, "temperature is 0"),
        ({"temperature": float("nan")}, "temperature is 0"),
        ({"temperature": float("inf")}, "from 0.001 to 1000"),
        ({"temperature": 1e-9}, "from 0.001 to 1000"),
        ({"top_k": -1}, "top-k is 0"),
        ({"top_p": 0.0}, "top-p is above 0"),
        ({"top_p": 1.5}, "top-p is above 0"),
        ({"min_p": -0.1}, "min-p is from 0"),
        ({"min_p": float("nan")}, "min-p is from 0"),
    ],
)
def test_a_value_out_of_range_is_named_with_its_range(options, said):
    with pytest.raises(OptionError, match=said):
        Sampling(**options)


def test_prompts_that_cannot_be_read(model):
    def start(prompt):
        return generate(model.stepper(), model.initial_state(1), prompt, Sampling(), generator=torch.Generator())

    with pytest.raises(PromptError, match="prompt is empty"):
        start(torch.zeros(0, 1, dtype=torch.int64))
    with pytest.raises(ShapeError, match=r"\(T, B\)"):
        start(torch.zeros(3, dtype=torch.int64))
    with pytest.raises(OptionError, match="alternatives"):
        Generation(
            model.stepper(), Position(torch.zeros(1, V), ()), Sampling(), generator=torch.Generator(), alternatives=-1
        )


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_model_gone_to_nan_says_so(bad, temperature):
    logits = torch.zeros(1, V)
    logits[0, 2] = bad
    generation = Generation(
        lambda symbols, state: (logits, state),
        Position(logits, ()),
        Sampling(temperature),
        generator=torch.Generator(),
    )
    with pytest.raises(CheckpointError, match="not finite"):
        next(generation)


def test_a_symbol_that_the_model_rules_out_is_never_drawn():
    logits = torch.tensor([[-torch.inf, 0.0, -torch.inf]])
    generation = Generation(
        lambda symbols, state: (logits, state), Position(logits, ()), Sampling(), generator=torch.Generator()
    )
    assert {d.symbols.item() for d in islice(generation, 50)} == {1}
