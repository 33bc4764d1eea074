"""h = tanh(U x + W h + W_v v + b), v at every step or, as in Karpathy & Fei-Fei (2015), at the first."""

import numpy as np

from .oracle import Oracle, by_steps


def always(p, x, h, *, condition):
    h = np.tanh(p["U"] @ x + p["W"] @ h + p["W_v"] @ condition + p["b"])
    return h, (h,), {"candidate": h}


def once(p, x, h, first, *, condition):
    pre = p["U"] @ x + p["W"] @ h + p["b"]
    if first:
        pre = pre + p["W_v"] @ condition
    h = np.tanh(pre)
    return h, (h, np.array(False)), {"candidate": h}


ORACLES = {
    "conditioned-elman": Oracle(by_steps(always), options={"condition_size": 2}),
    "first-step-conditioned-elman": Oracle(by_steps(once), options={"condition_size": 2}),
}
