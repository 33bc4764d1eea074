"""Recurrent and variational dropout, and weight drop: one mask a sequence, in the equations' own place."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from unrolled.cells.elman import Elman
from unrolled.cells.gru import GRU, ResetBeforeGRU
from unrolled.cells.leaky import GatedLeaky
from unrolled.cells.lstm import LSTM
from unrolled.cells.min_recurrences import MinGRU
from unrolled.errors import KernelError, OptionError, ShapeError
from unrolled.kernels import choose
from unrolled.kernels.kernel import Pass
from unrolled.layers import weight_drop
from unrolled.layers.dropout import draw_state_mask
from unrolled.layers.recurrent import Recurrent

T, B, F, H = 6, 3, 4, 5
LENGTHS = torch.tensor([6, 0, 4])


def x() -> torch.Tensor:
    return torch.randn(T, B, F).double()


def test_recurrent_dropout_masks_the_product_and_nothing_else():
    """Gal & Ghahramani (2016): tanh(W (z ∘ h_{t-1}) + U x_t + b), the same z at every step, in NumPy; so the LSTM."""
    stack, batch = Recurrent(LSTM, F, [H], recurrent_dropout=0.4).double(), x()
    cell = stack.cells()[0][0]
    torch.manual_seed(2)
    z = draw_state_mask(stack.initial_state(B)[0][0], 0.4).hidden.numpy()
    assert set(np.unique(z.round(12))) == {0, round(1 / 0.6, 12)}
    U, W, b = (cell.get_parameter(name).detach().numpy() for name in "UWb")
    h = c = np.zeros((B, H))
    torch.manual_seed(2)
    output = stack(batch)[0].detach().numpy()
    for t in range(T):
        i, f, g, o = np.split(batch[t].numpy() @ U.T + (z * h) @ W.T + b, 4, -1)
        c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
        h = np.tanh(c) / (1 + np.exp(-o))
        np.testing.assert_allclose(output[t], h, rtol=1e-10)


def test_nothing_is_drawn_in_evaluation_or_at_rate_zero():
    plain = Recurrent(LSTM, F, [H, H]).double()
    noisy = Recurrent(LSTM, F, [H, H], dropout=0.5, recurrent_dropout=0.5, weight_drop=0.5, variational=True).double()
    noisy.load_state_dict(plain.state_dict())
    batch, before = x(), torch.get_rng_state()
    assert torch.equal(noisy.eval()(batch, lengths=LENGTHS)[0], plain(batch, lengths=LENGTHS)[0])
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(noisy.train()(batch)[0], plain(batch)[0])
    assert list(noisy.state_dict()) == list(plain.state_dict())


@pytest.mark.parametrize("variational", [False, True])
def test_variational_dropout_between_layers_is_one_mask_through_time(variational):
    stack, batch = Recurrent(GRU, F, [40, H], dropout=0.5, variational=variational).double(), x()
    cells = [layer[0] for layer in stack.cells()]
    first = Recurrent(lambda F, H: cells[0], F, [40])(batch)[0]
    torch.manual_seed(4)
    mask = torch.empty(1 if variational else T, B, 40).bernoulli_(0.5) / 0.5
    torch.manual_seed(4)
    torch.testing.assert_close(stack(batch)[0], Recurrent(lambda F, H: cells[1], 40, [H])(first * mask)[0])


def test_every_layer_and_direction_draws_its_own():
    stack = Recurrent(LSTM, F, [30, 30], True, recurrent_dropout=0.5, weight_drop=0.5, zoneout=0.5, dropout=0.5)
    drawn = stack.noise.draw(stack.cells(), stack.initial_state(B), (T, B), [0, 60])
    masks = [mask.hidden for layer in drawn for mask in layer.recurrent]
    kept = [zone.hidden for layer in drawn for zone in layer.zoneout]
    dropped = [W[:, :30] == 0 for layer in drawn for W in layer.W]
    assert drawn[0].between is None and drawn[1].between.shape == (T, B, 60)
    for several in (masks, kept, dropped):
        assert len(several) == 4
        assert all(not torch.equal(one, other) for n, one in enumerate(several) for other in several[:n])


def serves_lstm(kernel) -> bool:
    cell, batch = LSTM(F, H), torch.randn(T, B, F)
    return not kernel.refuses([Pass(cell, batch, cell.initial_state((B,), batch.device, batch.dtype))])


@pytest.mark.parametrize("kernel", [kernel.NAME for kernel in choose.KERNELS if serves_lstm(kernel)])
@pytest.mark.parametrize("two_directions", [False, True])
def test_weight_drop_is_the_same_stack_with_other_weights(kernel, two_directions):
    stack = Recurrent(LSTM, F, [H, H], two_directions, kernel=kernel, weight_drop=0.5).double()
    other = copy.deepcopy(stack).eval()
    batch = x()
    torch.manual_seed(6)
    output, state = stack(batch, lengths=LENGTHS)
    torch.manual_seed(6)
    masks = []
    for layer in other.cells():
        for cell in layer:
            masks.append(torch.nn.functional.dropout(torch.ones_like(cell.W), 0.5))
            cell.W.data.mul_(masks[-1])
    by_hand, by_hand_state = other(batch, lengths=LENGTHS)
    torch.testing.assert_close(output, by_hand)
    torch.testing.assert_close(state, by_hand_state)
    output.square().sum().backward()
    by_hand.square().sum().backward()
    cells = zip(*([cell for layer in one.cells() for cell in layer] for one in (stack, other)), masks, strict=True)
    for ours, theirs, mask in cells:
        assert 0.3 < (mask == 0).double().mean() < 0.7
        torch.testing.assert_close(ours.W.grad, theirs.W.grad * mask)
        torch.testing.assert_close(ours.U.grad, theirs.U.grad)


def test_the_cell_has_its_own_weights_again_whatever_happened():
    stack = Recurrent(LSTM, F, [H], weight_drop=0.5)
    cell = stack.cells()[0][0]
    own, names = cell.W, list(stack.state_dict())
    stack(torch.randn(T, B, F))
    with pytest.raises(RuntimeError, match="on purpose"), weight_drop.reading([cell], [torch.zeros(4 * H, H)]):
        assert not cell.W.any() and not cell.prepare().W.any()
        assert cell.state_dict()["W"].any() and dict(cell.named_parameters())["W"] is own
        raise RuntimeError("on purpose")
    assert cell.W is own and isinstance(own, torch.nn.Parameter)
    assert list(stack.state_dict()) == names == [f"layers.0.0.{name}" for name in "UWb"]


def test_the_fused_kernel_goes_on_serving_weight_drop_and_refuses_the_others():
    batch = torch.randn(T, B, F)
    assert Recurrent(LSTM, F, [H], weight_drop=0.5, kernel="fused")(batch)[0].shape == (T, B, H)
    for option, reason in (("recurrent_dropout", "no mask on the recurrent product"), ("zoneout", "no zoneout")):
        stack = Recurrent(LSTM, F, [H], kernel="fused", **{option: 0.5})
        with pytest.raises(KernelError, match=reason):
            stack(batch)


def test_what_cannot_be_dropped_is_refused_in_words():
    with pytest.raises(OptionError, match="ResetBeforeGRU has no such product"):
        Recurrent(ResetBeforeGRU, F, [H], recurrent_dropout=0.1)
    with pytest.raises(OptionError, match="MinGRU has none, only"):
        Recurrent(MinGRU, F, [H], weight_drop=0.1)
    for option in ("recurrent_dropout", "weight_drop"):
        with pytest.raises(ShapeError, match=f"{option} is at least 0 and below 1; 1.0 came"):
            Recurrent(Elman, F, [H], **{option: 1.0})
    assert Recurrent(GatedLeaky, F, [H], recurrent_dropout=0.1, weight_drop=0.1)(torch.randn(T, B, F))[0].shape == (
        T,
        B,
        H,
    )
