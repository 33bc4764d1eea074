"""Skips in time: what is seen at which distance, and how short the way back is."""

from __future__ import annotations

import pytest
import torch

from unrolled.cells.cell import count_parameters, state_like
from unrolled.cells.elman import Elman
from unrolled.cells.time_skip import TimeSkip
from unrolled.errors import OptionError
from unrolled.kernels.kernel import Pass
from unrolled.kernels.reference import Reference

F, H = 3, 4


def run(cell, x):
    return Reference().run([Pass(cell, x, state_like(cell, x))])[0].output


def test_the_number_of_parameters_is_the_docstring_s():
    assert count_parameters(TimeSkip(7, 11)) == 11 * (3 * 11 + 7 + 1)
    assert count_parameters(TimeSkip(7, 11, distances=(2,))) == 11 * (11 + 7 + 1)


def test_with_the_distance_one_alone_it_is_elman_s_network():
    cell, elman = TimeSkip(F, H, distances=(1,)).double(), Elman(F, H).double()
    elman.load_state_dict(cell.state_dict())
    x = torch.randn(9, 2, F, dtype=torch.float64)
    torch.testing.assert_close(run(cell, x), run(elman, x))


@pytest.mark.parametrize("distances", [(3,), (2, 5), (5, 2)])
def test_an_input_is_seen_again_after_each_distance_and_their_sums_and_never_between(distances):
    cell = TimeSkip(F, H, distances=distances)
    x = torch.zeros(16, 1, F)
    x[0] = 1
    seen = {t for t, h in enumerate(run(cell, x)) if h.any()}
    reached = {0}
    for t in range(16):
        reached |= {t for d in distances if t - d in reached}
    assert seen == reached


def test_each_distance_has_its_own_weights():
    cell = TimeSkip(F, H, distances=(2, 5)).double()
    with torch.no_grad():
        cell.W[:, H:] = 0
    x = torch.zeros(6, 1, F, dtype=torch.float64)
    x[0] = 1
    output = run(cell, x)
    torch.testing.assert_close(output[2], torch.tanh(output[0] @ cell.W[:, :H].T).detach())
    assert not output[5].any()


def test_a_gradient_comes_home_through_fewer_jacobians():
    """Where each Jacobian takes away half, 48 steps leave nothing of a gradient, and three jumps of 16 an eighth."""

    def reaching(cell):
        with torch.no_grad():
            cell.U.fill_(1e-3)
            cell.W.zero_()
            for block in cell.W.chunk(cell.W.shape[1] // H, 1):
                block.fill_diagonal_(0.5 / (cell.W.shape[1] // H))
        x = torch.zeros(49, 1, F, dtype=torch.float64, requires_grad=True)
        run(cell.double(), x)[-1].sum().backward()
        return (x.grad[0].norm() / x.grad[-1].norm()).item()

    assert reaching(Elman(F, H)) == pytest.approx(0.5**48, rel=1e-3)
    assert reaching(TimeSkip(F, H, distances=(16,))) == pytest.approx(0.5**3, rel=1e-3)
    assert reaching(TimeSkip(F, H)) > 1e6 * reaching(Elman(F, H))


def test_blocks_start_orthogonal_and_keep_the_length_of_independent_states():
    cell = TimeSkip(F, 64)
    for block in cell.W.chunk(3, 1):
        torch.testing.assert_close(block @ block.T, torch.eye(64) / 3, atol=1e-5, rtol=0)
    h = torch.nn.functional.normalize(torch.randn(500, 3, 64), dim=-1).flatten(1)
    assert (h @ cell.W.T).norm(dim=-1).mean().item() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("distances", [(), (0, 1), (1, -2), (2, 2)])
def test_distances_that_are_none_are_refused(distances):
    with pytest.raises(OptionError, match="distances were"):
        TimeSkip(F, H, distances=distances)
