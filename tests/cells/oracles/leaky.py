"""Leaky integration: α fixed, learnt through σ, or (Collins et al. 2016) a gate."""

import numpy as np

from .oracle import Oracle, by_steps, sigmoid


def leaky(alpha):
    def step(p, x, h):
        candidate = np.tanh(p["W"] @ h + p["U"] @ x + p["b"])
        h = alpha(p) * h + (1 - alpha(p)) * candidate
        return h, (h,), {"candidate": candidate}

    return by_steps(step)


def gated(p, x, h):
    (U_keep, U_new), (W_keep, W_new), (b_keep, b_new) = (np.split(p[k], 2) for k in "UWb")
    keep = sigmoid(W_keep @ h + U_keep @ x + b_keep)
    candidate = np.tanh(W_new @ h + U_new @ x + b_new)
    h = keep * h + (1 - keep) * candidate
    return h, (h,), {"keep": keep, "candidate": candidate}


ORACLES = {
    "leaky": Oracle(leaky(lambda p: 0.6), options={"alpha": 0.6}),
    "learnt-leaky": Oracle(leaky(lambda p: sigmoid(p["a"]))),
    "gated-leaky": Oracle(by_steps(gated)),
}
