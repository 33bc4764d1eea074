"""Feng et al. (2024), with g as in the paper's log-space form, written in its algorithms' order."""

import numpy as np

from .oracle import Oracle, by_steps, sigmoid


def g(v):
    return np.array([x + 0.5 if x >= 0 else sigmoid(x) for x in v])


def min_gru(p, x, h):
    (Uz, Uc), (bz, bc) = (np.split(p[k], 2) for k in "Ub")
    z = sigmoid(Uz @ x + bz)
    candidate = g(Uc @ x + bc)
    h = (1 - z) * h + z * candidate
    return h, (h,), {"update": z, "candidate": candidate}


def min_lstm(p, x, h):
    (Ui, Uf, Uc), (bi, bf, bc) = (np.split(p[k], 3) for k in "Ub")
    i, f = sigmoid(Ui @ x + bi), sigmoid(Uf @ x + bf)
    i, f = i / (f + i), f / (f + i)
    candidate = g(Uc @ x + bc)
    h = f * h + i * candidate
    return h, (h,), {"input": i, "forget": f, "candidate": candidate}


ORACLES = {"min-gru": Oracle(by_steps(min_gru)), "min-lstm": Oracle(by_steps(min_lstm))}
