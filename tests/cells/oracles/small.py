"""Zhou et al. (2016), Lei et al. (2017, first version), Li et al. (2018)."""

import numpy as np

from .oracle import Oracle, by_steps, sigmoid


def minimal_gated(p, x, h):
    (Uf, Uh), (Wf, Wh), (bf, bh) = (np.split(p[k], 2) for k in "UWb")
    f = sigmoid(Wf @ h + Uf @ x + bf)
    candidate = np.tanh(Wh @ (f * h) + Uh @ x + bh)
    h = (1 - f) * h + f * candidate
    return h, (h,), {"forget": f, "candidate": candidate}


def sru(p, x, c):
    U, Uf, Ur = np.split(p["U"], 3)
    bf, br = np.split(p["b"], 2)
    candidate = U @ x
    f, r = sigmoid(Uf @ x + bf), sigmoid(Ur @ x + br)
    c = f * c + (1 - f) * candidate
    past = p["U_x"] @ x if "U_x" in p else x
    return r * np.tanh(c) + (1 - r) * past, (c,), {"candidate": candidate, "forget": f, "reset": r}


def indrnn(p, x, h):
    h = np.maximum(0, p["w"] * h + p["U"] @ x + p["b"])
    return h, (h,), {"candidate": h}


ORACLES = {
    "minimal-gated": Oracle(by_steps(minimal_gated)),
    "sru": Oracle(by_steps(sru)),
    "indrnn": Oracle(by_steps(indrnn)),
}
