"""Plain, residual and dense stacks equal their layers run one by one and put together by hand."""

from __future__ import annotations

import pytest
import torch

from unrolled import states
from unrolled.cells.gru import GRU
from unrolled.cells.lstm import LSTM
from unrolled.errors import OptionError
from unrolled.layers.recurrent import Recurrent

T, B, F = 6, 3, 4
LENGTHS = torch.tensor([6, 0, 4])


def made(connections, sizes, two_directions=False, cell=GRU, **options) -> Recurrent:
    return Recurrent(cell, F, sizes, two_directions, connections=connections, **options).double()


def one_layer(stack: Recurrent, number: int, x: torch.Tensor, lengths=None) -> torch.Tensor:
    """h of one layer alone, for an x that is given."""
    cells = iter(stack.cells()[number])
    layer = Recurrent(lambda F, H: next(cells), x.shape[-1], [stack.sizes[number]], stack.two_directions)
    return layer(x, lengths=lengths)[0]


@pytest.mark.parametrize("two_directions", [False, True])
@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_residual_layers_are_added_to_what_they_read_from_the_second_on(two_directions, lengths):
    stack = made("residual", [5, 5, 5], two_directions)
    x = torch.randn(T, B, F).double()
    first = one_layer(stack, 0, x, lengths)
    second = first + one_layer(stack, 1, first, lengths)
    third = second + one_layer(stack, 2, second, lengths)
    torch.testing.assert_close(stack(x, lengths=lengths)[0], third)
    assert stack.output_size == third.shape[-1]


@pytest.mark.parametrize("two_directions", [False, True])
@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_dense_layers_read_the_input_and_all_below_and_are_all_the_output(two_directions, lengths):
    stack = made("dense", [5, 3, 2], two_directions)
    x = torch.randn(T, B, F).double()
    first = one_layer(stack, 0, x, lengths)
    second = one_layer(stack, 1, torch.cat([x, first], -1), lengths)
    third = one_layer(stack, 2, torch.cat([x, first, second], -1), lengths)
    output = stack(x, lengths=lengths)[0]
    torch.testing.assert_close(output, torch.cat([first, second, third], -1))
    assert stack.output_size == output.shape[-1] == (20 if two_directions else 10)


def test_a_dense_stack_reads_symbols_as_their_one_hot_vectors():
    stack = made("dense", [5, 3])
    symbols = torch.randint(F, (T, B))
    vectors = torch.nn.functional.one_hot(symbols, F).double()
    torch.testing.assert_close(stack(symbols)[0], stack(vectors)[0])
    past = torch.arange(T)[:, None] >= LENGTHS
    torch.testing.assert_close(
        stack(symbols.masked_fill(past, -1), lengths=LENGTHS)[0], stack(vectors, None, LENGTHS)[0]
    )
    step, state = stack.stepper(), stack.initial_state(B)
    for t in range(T):
        output, state = step(symbols[t], state)
        torch.testing.assert_close(output, stack(vectors)[0][t])


@pytest.mark.parametrize("connections", ["plain", "residual", "dense"])
@pytest.mark.parametrize("cell", [LSTM, GRU])
def test_steps_halves_and_padding(connections, cell):
    stack = made(connections, [5, 5, 5], cell=cell).eval()
    x = torch.randn(T, B, F).double()
    whole, final = stack(x)
    first, carried = stack(x[:2])
    second, after = stack(x[2:], carried)
    torch.testing.assert_close(torch.cat([first, second]), whole)
    torch.testing.assert_close(after, final)
    step, state = stack.stepper(), stack.initial_state(B)
    for t in range(T):
        output, state = step(x[t], state)
        torch.testing.assert_close(output, whole[t])
    torch.testing.assert_close(state, final)

    past = torch.arange(T)[:, None] >= LENGTHS
    spoilt = x.masked_fill(past[..., None], float("nan")).requires_grad_()
    ragged, state = stack(spoilt, lengths=LENGTHS)
    assert not ragged[past].any()
    torch.testing.assert_close(ragged[:4, 2:], stack(x[:4, 2:])[0])
    torch.testing.assert_close(states.select(state, slice(0, 1)), states.select(final, slice(0, 1)))
    ragged.square().sum().backward()
    assert spoilt.grad.isfinite().all() and not spoilt.grad[past].any()
    assert all(p.grad.isfinite().all() for p in stack.parameters())


def test_the_record_has_what_each_layer_gave_before_anything_was_added():
    stack = made("residual", [5, 5])
    x = torch.randn(T, B, F).double()
    recorded = stack.record(x)
    (first,), (second,) = recorded.traces
    torch.testing.assert_close(first.output + second.output, recorded.output)
    torch.testing.assert_close(second.states.hidden, second.output)
    assert set(second.gates) == set(GRU.GATES)


def test_dropout_falls_on_what_comes_from_below_and_neither_on_x_nor_on_what_is_added():
    x = torch.randn(T, B, F).double()
    dense, residual = made("dense", [5, 5], dropout=0.5), made("residual", [5, 5], dropout=0.5)
    for stack in (dense, residual):
        torch.manual_seed(3)
        output = stack(x)[0]
        torch.manual_seed(3)
        mask = torch.empty(T, B, 5).double().bernoulli_(0.5) / 0.5
        first = one_layer(stack, 0, x)
        if stack is dense:
            second = one_layer(stack, 1, torch.cat([x, first * mask], -1))
            torch.testing.assert_close(output, torch.cat([first, second], -1))
        else:
            torch.testing.assert_close(output, first + one_layer(stack, 1, first * mask))


def test_plain_is_as_it_was():
    """One layer of the default stack is that of any other, and its parameters have the names that they had."""
    names = {
        connections: list(made(connections, [5, 5]).state_dict()) for connections in ("plain", "residual", "dense")
    }
    assert names["plain"][:4] == ["layers.0.0.U", "layers.0.0.W", "layers.0.0.b", "layers.0.0.b_h"]
    assert names["plain"] == names["residual"] == names["dense"]


def test_what_cannot_be_stacked_is_refused_in_words():
    with pytest.raises(OptionError, match=r"layer 1 gives 5 features, layer 2 3\. Give them equal sizes"):
        made("residual", [5, 3])
    with pytest.raises(OptionError, match="plain, residual, dense; 'highway' came"):
        made("highway", [5, 5])
    assert made("residual", [5]).output_size == 5
