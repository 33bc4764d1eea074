"""Lines of tags against brute force: every line there is, scored one by one in plain Python."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from unrolled.batch import NOT_ASKED
from unrolled.errors import ShapeError
from unrolled.layers.crf import CRF, OneByOne, TagLine

K, T = 3, 4
LENGTHS = torch.tensor([4, 1, 0, 3, 1, 2, 1, 2, 1, 2, 3, 1])


def field(kind: type[TagLine] = CRF, seed: int = 0) -> TagLine:
    torch.manual_seed(seed)
    made = kind(K).double()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter)
    return made


def emissions() -> torch.Tensor:
    return torch.randn(T, len(LENGTHS), K, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def score(made: TagLine, e: list[list[float]], line: tuple[int, ...]) -> float:
    """ln p but for ln Z, as the docstring writes it."""
    own = sum(e[t][tag] for t, tag in enumerate(line))
    if isinstance(made, OneByOne) or not line:
        return own
    steps = sum(made.A[one, two].item() for one, two in itertools.pairwise(line))
    return made.start[line[0]].item() + own + steps + made.end[line[-1]].item()


def lines(made: TagLine, row: int) -> dict[tuple[int, ...], float]:
    """Every line of this row, and its probability."""
    e = emissions()[:, row].tolist()
    scores = {one: score(made, e, one) for one in itertools.product(range(K), repeat=int(LENGTHS[row]))}
    total = sum(math.exp(one) for one in scores.values())
    return {line: math.exp(one) / total for line, one in scores.items()}


both = pytest.mark.parametrize("kind", [CRF, OneByOne])


@both
def test_the_likelihood_of_every_line_is_that_of_brute_force(kind: type[TagLine]) -> None:
    made = field(kind)
    for row in range(len(LENGTHS)):
        for line, p in lines(made, row).items():
            tags = torch.full((T, len(LENGTHS)), 2)
            tags[: len(line), row] = torch.tensor(line, dtype=torch.int64)
            found = made.log_likelihood(emissions(), tags, LENGTHS)
            assert found[row].item() == pytest.approx(math.log(p), abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
@both
def test_the_best_line_is_the_likeliest_of_all(kind: type[TagLine], seed: int) -> None:
    made = field(kind, seed)
    best = made.best(emissions(), LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        found = lines(made, row)
        assert tuple(best[:length, row].tolist()) == max(found, key=lambda line: found[line])
        assert (best[length:, row] == NOT_ASKED).all()


@both
def test_marginals_sum_over_all_lines(kind: type[TagLine]) -> None:
    made = field(kind)
    with torch.inference_mode():
        marginals = made.marginals(emissions(), LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        for t, tag in itertools.product(range(length), range(K)):
            wanted = sum(p for line, p in lines(made, row).items() if line[t] == tag)
            assert marginals[t, row, tag].item() == pytest.approx(wanted, abs=1e-12)
        assert (marginals[length:, row] == 0).all()


@both
def test_what_is_past_a_length_changes_nothing_in_no_gradient_either(kind: type[TagLine]) -> None:
    made, tags = field(kind), torch.randint(0, K, (T, len(LENGTHS)))

    def values(past: float, beyond: int) -> list[torch.Tensor]:
        e, given = emissions(), tags.clone()
        for row, length in enumerate(LENGTHS.tolist()):
            e[length:, row] = past
            given[length:, row] = beyond
        e.requires_grad_()
        found = made.log_likelihood(e, given, LENGTHS)
        gradients = torch.autograd.grad(found.sum(), [e, *made.parameters()])
        return [found, *gradients, made.best(e, LENGTHS)]

    for one, other in zip(values(0.0, 0), values(math.nan, 99), strict=True):
        assert torch.equal(one, other)
    # And a batch without lengths is one whose rows are all whole.
    whole = torch.full((len(LENGTHS),), T)
    assert torch.equal(made.log_likelihood(emissions(), tags), made.log_likelihood(emissions(), tags, whole))


@both
def test_gradients_are_those_of_finite_differences(kind: type[TagLine]) -> None:
    made, tags = field(kind), torch.randint(0, K, (T, len(LENGTHS)))
    names = [name for name, _ in made.named_parameters()]

    def likelihood(e: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
        given = dict(zip(names, values, strict=True))
        return torch.func.functional_call(made, given, (e, tags, LENGTHS), strict=True)

    made.forward = made.log_likelihood  # what functional_call calls
    assert torch.autograd.gradcheck(likelihood, (emissions().requires_grad_(), *made.parameters()))


def test_large_numbers_and_half_precision() -> None:
    made, tags = CRF(K), torch.zeros(T, 1, dtype=torch.int64)
    e = torch.full((T, 1, K), -1e4)
    e[:, :, 0] = 1e4
    assert float(made.log_likelihood(e, tags).detach()) == 0.0
    found = made.log_likelihood(torch.zeros(T, 1, K, dtype=torch.bfloat16), tags)
    assert found.dtype == torch.float32
    assert float(found.detach()) == pytest.approx(-T * math.log(K), rel=1e-6)


def test_mistakes() -> None:
    with pytest.raises(ShapeError, match=r"emissions \(T, B, 3\) with T of 1 or more were expected; \(4, 2, 5\) came"):
        CRF(3).best(torch.zeros(4, 2, 5))
    with pytest.raises(ShapeError, match="one tag or more; 0 came"):
        CRF(0)
