"""Backpropagation through time against its closed form, written out as the sum that it is, without any recursion."""

import numpy as np
import pytest
import torch

from unrolled.cells.cell import state_like
from unrolled.cells.elman import Elman
from unrolled.kernels.kernel import Pass
from unrolled.kernels.reference import Reference

T, B, F, H = 7, 2, 3, 4


def closed_form(U, W, b, x, v, last):
    """dL/dU and dL/dW of L = Σ_t v_t · h_t: a sum over every t and over every k ≤ t, back to `last` steps before t.

    dL_t/dU = Σ_{k ≤ t} v_tᵀ (Π_{j=k+1}^{t} D_j W) D_k ⊗ x_k, with D_j = diag(1 − h_j²); dL_t/dW has h_{k−1} for x_k.
    """
    d_U, d_W = np.zeros_like(U), np.zeros_like(W)
    for row in range(B):
        h = [np.zeros(H)]
        for t in range(T):
            h.append(np.tanh(W @ h[-1] + U @ x[t, row] + b))
        for t in range(1, T + 1):
            for k in range(max(1, t - last + 1), t + 1):
                path = np.eye(H)
                for j in range(t, k, -1):
                    path = path @ np.diag(1 - h[j] ** 2) @ W
                at_k = v[t - 1, row] @ path @ np.diag(1 - h[k] ** 2)
                d_U += np.outer(at_k, x[k - 1, row])
                d_W += np.outer(at_k, h[k - 1])
    return d_U, d_W


def measured(cell, x, v, window):
    """The gradients by autograd, the state carried from window to window and the gradient cut between them."""
    state = state_like(cell, x)
    for part, weight in zip(x.split(window), v.split(window), strict=True):
        (trace,) = Reference().run([Pass(cell, part, state)])
        (trace.output * weight).sum().backward()
        state = type(trace.state)(*(leaf.detach() for leaf in trace.state))
    return cell.U.grad.numpy(), cell.W.grad.numpy()


@pytest.fixture
def drawn():
    generator = torch.Generator().manual_seed(3)
    torch.manual_seed(4)
    cell = Elman(F, H).double()
    x = torch.randn(T, B, F, generator=generator, dtype=torch.float64)
    v = torch.randn(T, B, H, generator=generator, dtype=torch.float64)
    return cell, x, v


def test_full_backpropagation_is_the_sum_over_every_path(drawn):
    cell, x, v = drawn
    weights = (parameter.detach().numpy() for parameter in (cell.U, cell.W, cell.b))
    for ours, right in zip(measured(cell, x, v, T), closed_form(*weights, x.numpy(), v.numpy(), T), strict=True):
        np.testing.assert_allclose(ours, right, rtol=1e-10, atol=1e-12)


def test_windows_of_one_step_leave_the_direct_paths_alone(drawn):
    cell, x, v = drawn
    weights = [parameter.detach().numpy() for parameter in (cell.U, cell.W, cell.b)]
    truncated = measured(cell, x, v, 1)
    for ours, right in zip(truncated, closed_form(*weights, x.numpy(), v.numpy(), 1), strict=True):
        np.testing.assert_allclose(ours, right, rtol=1e-10, atol=1e-12)
    whole, _ = closed_form(*weights, x.numpy(), v.numpy(), T)
    assert np.abs(truncated[0] - whole).max() > 0.1
