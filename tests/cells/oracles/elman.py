"""Elman (1990), and with ReLU from the identity Le et al. (2015)."""

import numpy as np

from .oracle import Oracle, by_steps, sigmoid


def elman(phi):
    def step(p, x, h):
        h = phi(p["W"] @ h + p["U"] @ x + p["b"])
        return h, (h,), {"candidate": h}

    return Oracle(by_steps(step))


ORACLES = {
    "elman": elman(np.tanh),
    "elman-relu": elman(lambda a: np.maximum(a, 0)),
    "irnn": elman(lambda a: np.maximum(a, 0)),
    "elman-sigmoid": elman(sigmoid),
}
