"""Graves (2013), Greff et al. (2015), Hochreiter & Schmidhuber (1997), Sak et al. (2014)."""

import numpy as np

from .oracle import Oracle, by_steps, sigmoid


def peephole(p, x, h, c):
    (Ui, Uf, Uc, Uo), (Wi, Wf, Wc, Wo), (bi, bf, bc, bo) = (np.split(p[k], 4) for k in "UWb")
    peep_i, peep_f, peep_o = np.split(p["p"], 3)
    i = sigmoid(Ui @ x + Wi @ h + np.diag(peep_i) @ c + bi)
    f = sigmoid(Uf @ x + Wf @ h + np.diag(peep_f) @ c + bf)
    candidate = np.tanh(Uc @ x + Wc @ h + bc)
    c = f * c + i * candidate
    o = sigmoid(Uo @ x + Wo @ h + np.diag(peep_o) @ c + bo)
    h = o * np.tanh(c)
    return h, (h, c), {"input": i, "forget": f, "candidate": candidate, "output": o}


def coupled(p, x, h, c):
    (Uf, Uc, Uo), (Wf, Wc, Wo), (bf, bc, bo) = (np.split(p[k], 3) for k in "UWb")
    f = sigmoid(Uf @ x + Wf @ h + bf)
    candidate = np.tanh(Uc @ x + Wc @ h + bc)
    o = sigmoid(Uo @ x + Wo @ h + bo)
    c = f * c + (1 - f) * candidate
    h = o * np.tanh(c)
    return h, (h, c), {"forget": f, "candidate": candidate, "output": o}


def no_forget(p, x, h, c):
    (Ui, Uc, Uo), (Wi, Wc, Wo), (bi, bc, bo) = (np.split(p[k], 3) for k in "UWb")
    i = sigmoid(Ui @ x + Wi @ h + bi)
    candidate = np.tanh(Uc @ x + Wc @ h + bc)
    o = sigmoid(Uo @ x + Wo @ h + bo)
    c = c + i * candidate
    h = o * np.tanh(c)
    return h, (h, c), {"input": i, "candidate": candidate, "output": o}


def projected(p, x, h, c):
    (Ui, Uf, Uc, Uo), (Wi, Wf, Wc, Wo), (bi, bf, bc, bo) = (np.split(p[k], 4) for k in "UWb")
    i = sigmoid(Ui @ x + Wi @ h + bi)
    f = sigmoid(Uf @ x + Wf @ h + bf)
    candidate = np.tanh(Uc @ x + Wc @ h + bc)
    o = sigmoid(Uo @ x + Wo @ h + bo)
    c = f * c + i * candidate
    h = p["P"] @ (o * np.tanh(c))
    return h, (h, c), {"input": i, "forget": f, "candidate": candidate, "output": o}


ORACLES = {
    "peephole-lstm": Oracle(by_steps(peephole)),
    "coupled-lstm": Oracle(by_steps(coupled)),
    "no-forget-lstm": Oracle(by_steps(no_forget)),
    "projected-lstm": Oracle(by_steps(projected)),
}
