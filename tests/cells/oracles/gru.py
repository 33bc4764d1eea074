"""Cho et al. (2014), with the reset before the product as there, and after it as in cuDNN."""

import numpy as np

from .oracle import Oracle, by_steps, sigmoid


def gru(reset_before):
    def step(p, x, h):
        (Ur, Uz, Uc), (Wr, Wz, Wc), (br, bz, bc) = (np.split(p[k], 3) for k in "UWb")
        r = sigmoid(Wr @ h + Ur @ x + br)
        z = sigmoid(Wz @ h + Uz @ x + bz)
        if reset_before:
            candidate = np.tanh(Wc @ (r * h) + Uc @ x + bc)
        else:
            candidate = np.tanh(r * (Wc @ h + p["b_h"]) + Uc @ x + bc)
        h = z * h + (1 - z) * candidate
        return h, (h,), {"reset": r, "update": z, "candidate": candidate}

    return Oracle(by_steps(step))


ORACLES = {"gru": gru(reset_before=False), "reset-before-gru": gru(reset_before=True)}
