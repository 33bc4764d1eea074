"""The convolutional LSTM over grids: how far it sees, in stacks, and with peepholes for each place."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from unrolled.cells.conv_lstm import ConvLSTM
from unrolled.contracts.cell import check_cell
from unrolled.errors import OptionError, ShapeError
from unrolled.layers.recurrent import Recurrent
from unrolled.models.language_model import LanguageModel

T, B, R, C, F = 4, 2, 7, 9, 2


def pictures(T: int = T, B: int = B) -> torch.Tensor:
    return torch.randn(T, B, R, C, F, dtype=torch.float64)


@pytest.mark.parametrize("kernel_size", [1, 3, 5])
def test_a_place_sees_half_a_kernel_farther_at_each_step(kernel_size):
    torch.manual_seed(0)
    net = Recurrent(partial(ConvLSTM, kernel_size=kernel_size), F, [3]).double()
    x = pictures()
    moved = x.clone()
    moved[0, :, 3, 4] += 1
    seen = (net(x)[0] != net(moved)[0]).any(-1).any(1)
    for t in range(T):
        far = (t + 1) * (kernel_size // 2)
        expected = torch.zeros(R, C, dtype=torch.bool)
        expected[max(0, 3 - far) : 3 + far + 1, max(0, 4 - far) : 4 + far + 1] = True
        assert torch.equal(seen[t], expected)


def test_a_stack_of_two_directions_over_ragged_films_gives_what_each_film_gives_alone():
    torch.manual_seed(0)
    net = Recurrent(ConvLSTM, F, [3, 2], two_directions=True).double()
    x, lengths = pictures(B=3), torch.tensor([T, 0, 2])
    output, _ = net(x, lengths=lengths)
    assert output.shape == (T, 3, R, C, 4)
    assert not output[:, 1].any() and not output[2:, 2].any()
    torch.testing.assert_close(output[:2, 2:], net(x[:2, 2:])[0])


def test_a_stack_is_carried_over_windows_and_stepped():
    torch.manual_seed(0)
    net = Recurrent(ConvLSTM, F, [3, 2]).double()
    x = pictures()
    whole, final = net(x)
    first, state = net(x[:2])
    second, carried = net(x[2:], state)
    torch.testing.assert_close(torch.cat([first, second]), whole)
    torch.testing.assert_close(carried, final)
    step, state = net.stepper(), net.initial_state(B, (R, C))
    for t in range(T):
        output, state = step(x[t], state)
        torch.testing.assert_close(output, whole[t])


def test_peepholes_of_each_place_keep_the_contract_and_equal_shared_ones_where_they_are_alike():
    check_cell(partial(ConvLSTM, kernel_size=1, places=(3, 2)), places=(3, 2))
    shared, own = ConvLSTM(F, 3).double(), ConvLSTM(F, 3, places=(R, C)).double()
    with torch.no_grad():
        shared.p.normal_()
        own.load_state_dict(shared.state_dict() | {"p": shared.p[:, None, None].expand(3, R, C, 3)})
    x = pictures()
    torch.testing.assert_close(Recurrent(lambda F, H: own, F, [3])(x)[0], Recurrent(lambda F, H: shared, F, [3])(x)[0])


def test_what_does_not_fit_is_refused():
    with pytest.raises(ShapeError, match=r"ConvLSTM wants x as \(T, B, rows, columns, 2\); \(4, 2, 2\) came"):
        Recurrent(ConvLSTM, F, [3])(torch.randn(4, 2, 2))
    with pytest.raises(ShapeError, match="kernel_size of ConvLSTM was 4; it must be odd"):
        ConvLSTM(F, 3, kernel_size=4)
    with pytest.raises(ShapeError, match=r"peepholes for places \(3, 3\); pictures \(7, 9\) came"):
        Recurrent(partial(ConvLSTM, places=(3, 3)), F, [3]).double()(pictures())
    with pytest.raises(OptionError, match="'conv-lstm' needs a sequence of pictures"):
        LanguageModel(ConvLSTM, 4, 0, [3])
