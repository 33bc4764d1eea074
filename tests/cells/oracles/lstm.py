"""Hochreiter & Schmidhuber (1997) with the forget gate of Gers et al. (2000)."""

import numpy as np

from .oracle import Oracle, by_steps, sigmoid


def lstm(p, x, h, c):
    (Ui, Uf, Uc, Uo), (Wi, Wf, Wc, Wo), (bi, bf, bc, bo) = (np.split(p[k], 4) for k in "UWb")
    i = sigmoid(Wi @ h + Ui @ x + bi)
    f = sigmoid(Wf @ h + Uf @ x + bf)
    o = sigmoid(Wo @ h + Uo @ x + bo)
    candidate = np.tanh(Wc @ h + Uc @ x + bc)
    c = f * c + i * candidate
    h = o * np.tanh(c)
    return h, (h, c), {"input": i, "forget": f, "candidate": candidate, "output": o}


ORACLES = {"lstm": Oracle(by_steps(lstm))}
