"""A learnt initial state: what rows start from, whenever they start, with the gradient that finite differences give."""

from __future__ import annotations

import pytest
import torch
from odd_cells import Blurring, Counting

from unrolled import states
from unrolled.batch import Batch
from unrolled.cells import registry
from unrolled.cells.cell import needs_beside
from unrolled.cells.gru import GRU
from unrolled.cells.lru import LRU
from unrolled.cells.lstm import LSTM
from unrolled.errors import OptionError
from unrolled.layers.recurrent import Recurrent
from unrolled.models.language_model import LanguageModel
from unrolled.training import snapshot, window

T, B, F, H = 5, 3, 4, 5
CELLS = [name for name, cell in registry.built_in().items() if not needs_beside(cell(2, 2))]


def starts(stack: Recurrent) -> dict[str, torch.nn.Parameter]:
    return {name: parameter for name, parameter in stack.named_parameters() if name.startswith("starts.")}


def perturbed(stack: Recurrent) -> Recurrent:
    with torch.no_grad():
        for parameter in starts(stack).values():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return stack


@pytest.mark.parametrize("name", CELLS)
def test_every_cell_begins_as_its_own_and_learns_from_there(name):
    torch.manual_seed(0)
    plain = Recurrent(registry.find(name), F, [4, 4], True).double()
    torch.manual_seed(0)
    learnt = Recurrent(registry.find(name), F, [4, 4], True, learnt_initial_state=True).double()
    assert learnt.load_state_dict(plain.state_dict(), strict=False).missing_keys == list(starts(learnt))
    x = torch.randn(T, B, F).double()
    assert torch.equal(learnt(x)[0], plain(x)[0])
    for (key, ours), (_, theirs) in zip(
        states.leaves(learnt.initial_state(B)), states.leaves(plain.initial_state(B)), strict=True
    ):
        assert ours.dtype == theirs.dtype and torch.equal(ours, theirs), key
    perturbed(learnt)
    lengths = torch.tensor([T, 0, 2])
    output, state = learnt(x, lengths=lengths)
    assert torch.equal(output, plain(x, lengths=lengths)[0]) == (name == "memoryless")
    one_by_one = states.select(learnt.initial_state(B), torch.tensor([1]))
    for (key, ours), (_, theirs) in zip(
        states.leaves(states.select(state, torch.tensor([1]))), states.leaves(one_by_one), strict=True
    ):
        assert torch.equal(ours, theirs), f"{key}: a row of length 0 stays where it starts"
    output.square().sum().backward()
    for key, parameter in starts(learnt).items():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), key


def numeric(loss, parameter: torch.Tensor) -> torch.Tensor:
    flat, slopes = parameter.detach().view(-1), []
    for place in range(flat.numel()):
        pair = []
        for sign in (1, -1):
            flat[place] += sign * 1e-6
            with torch.no_grad():
                pair.append(loss().item())
            flat[place] -= sign * 1e-6
        slopes.append((pair[0] - pair[1]) / 2e-6)
    return torch.tensor(slopes, dtype=torch.float64).view_as(parameter)


@pytest.mark.parametrize(("cell", "two_directions"), [(LSTM, False), (GRU, True), (LRU, False)])
def test_its_gradient_equals_finite_differences(cell, two_directions):
    stack = perturbed(Recurrent(cell, F, [3, 2], two_directions, learnt_initial_state=True).double())
    x, lengths = torch.randn(T, B, F).double(), torch.tensor([5, 0, 3])

    def loss():
        output, state = stack(x, lengths=lengths)
        return output.square().sum() + sum(leaf.abs().square().sum() for _, leaf in states.leaves(state))

    loss().backward()
    assert len(starts(stack)) == 2 * (2 if two_directions else 1) * (2 if cell is LSTM else 1)
    for name, parameter in starts(stack).items():
        torch.testing.assert_close(parameter.grad, numeric(loss, parameter), rtol=1e-6, atol=1e-8, msg=name)


def test_rows_that_start_afresh_in_mid_stream_start_from_it_and_give_it_their_gradient():
    """As the loop does it: the carried state is cut, the start of fresh rows is not."""
    model = LanguageModel(LSTM, F, 0, [H], learnt_initial_state=True).double()
    perturbed(model.recurrent)
    symbols = torch.randint(F, (2 * T + 1, B))
    fresh = torch.tensor([False, True, False])
    first = Batch({"symbols": symbols[:T], "targets": symbols[1 : T + 1]}, torch.ones(B, dtype=torch.bool))
    second = Batch({"symbols": symbols[T:-1], "targets": symbols[T + 1 :]}, fresh)
    carried = states.detach(model.loss(first, window.carried(model, first, None)).state)

    def loss():
        return model.loss(second, window.carried(model, second, carried)).total

    start = window.carried(model, second, carried)[0][0]
    learnt = model.recurrent.starts[0][0].leaves
    torch.testing.assert_close(start.hidden[1], learnt["hidden"])
    torch.testing.assert_close(start.cell[1], learnt["cell"])
    torch.testing.assert_close(start.hidden[[0, 2]], carried[0][0].hidden[[0, 2]])
    loss().backward()
    for parameter in starts(model.recurrent).values():
        assert parameter.grad.abs().sum() > 1e-6
        torch.testing.assert_close(parameter.grad, numeric(loss, parameter), rtol=1e-6, atol=1e-8)
    alone = Batch({name: value[:, 1:2] for name, value in second.fields.items()}, fresh[1:2])
    model.zero_grad()
    model.loss(alone, window.carried(model, alone, states.select(carried, slice(1, 2)))).total.backward()
    torch.testing.assert_close(learnt["hidden"].grad, numeric(loss, learnt["hidden"]), rtol=1e-6, atol=1e-8)


def test_what_is_learnt_is_a_weight_of_the_model_by_name():
    stack = Recurrent(LSTM, F, [H], learnt_initial_state=True)
    assert list(starts(stack)) == ["starts.0.0.leaves.hidden", "starts.0.0.leaves.cell"]
    assert not any("starts" in name for name in Recurrent(LSTM, F, [H]).state_dict())
    assert list(snapshot.weights(stack)) == list(stack.state_dict())
    complex_one = Recurrent(LRU, F, [H], learnt_initial_state=True)
    (parameter,) = starts(complex_one).values()
    assert parameter.shape == (H, 2) and parameter.dtype == torch.float32
    with torch.no_grad():
        parameter.copy_(torch.arange(2.0 * H).view(H, 2))
    assert complex_one.initial_state(2)[0][0].tolist() == [[complex(2 * n, 2 * n + 1) for n in range(H)]] * 2
    assert complex_one.double().initial_state(2)[0][0].dtype == torch.complex128


def test_counters_stay_whole_and_a_cell_of_counters_alone_is_refused():
    stack = Recurrent(Counting, F, [F], learnt_initial_state=True)
    assert list(starts(stack)) == ["starts.0.0.leaves.hidden"]
    assert stack(torch.randn(T, B, F))[1][0][0].steps.tolist() == [T] * B

    class OnlyCounting(Counting):
        def initial_state(self, shape, device, dtype):
            return super().initial_state(shape, device, dtype).steps

    class LearnsItself(Blurring):
        def __init__(self, input_size, hidden_size):
            super().__init__(input_size, hidden_size)
            self.h_0 = torch.nn.Parameter(torch.randn(hidden_size))

        def initial_state(self, shape, device, dtype):
            return (torch.tanh(self.h_0).expand(*shape, -1),)

    for cell in (OnlyCounting, LearnsItself):
        with pytest.raises(OptionError, match=f"{cell.__name__} leaves nothing of its initial state"), torch.no_grad():
            Recurrent(cell, F, [F], learnt_initial_state=True)


def test_over_a_grid_it_is_one_for_all_places():
    stack = perturbed(Recurrent(Blurring, F, [F], learnt_initial_state=True))
    assert [tuple(parameter.shape) for parameter in starts(stack).values()] == [(F,)]
    ((start,),) = stack.initial_state(2, (3, 2))[0]
    assert start.any() and torch.equal(start, start[:1, :1, :1].expand(2, 3, 2, F))
    x = torch.randn(1, 2, 3, 2, F)
    torch.testing.assert_close(stack(x)[0][0], torch.tanh(x[0] + start))


def test_the_stepper_and_the_sequence_start_alike():
    stack = perturbed(Recurrent(GRU, F, [H, H], learnt_initial_state=True)).eval()
    x = torch.randn(T, B, F)
    step, state = stack.stepper(), stack.initial_state(B)
    for t in range(T):
        output, state = step(x[t], state)
    torch.testing.assert_close(output, stack(x)[0][-1])
    changed = stack.initial_state(2)[0][0].hidden
    with torch.no_grad():
        changed[0].zero_()
    assert changed[1].any() and stack.initial_state(1)[0][0].hidden.any(), "rows are copies"
