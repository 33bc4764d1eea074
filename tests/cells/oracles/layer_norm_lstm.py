"""Ba et al. (2016), equations 15 and 20 to 22, with ε = 1e-5 as torch has it."""

import numpy as np

from .oracle import Oracle, by_steps, sigmoid


def normed(a, gain, shift=0.0):
    return gain * (a - a.mean()) / np.sqrt(((a - a.mean()) ** 2).mean() + 1e-5) + shift


def layer_norm_lstm(p, x, h, c):
    gates = normed(p["W"] @ h, p["gain_h"]) + normed(p["U"] @ x, p["gain_x"]) + p["b"]
    i, f, candidate, o = np.split(gates, 4)
    i, f, candidate, o = sigmoid(i), sigmoid(f), np.tanh(candidate), sigmoid(o)
    c = f * c + i * candidate
    h = o * np.tanh(normed(c, p["gain_c"], p["shift_c"]))
    return h, (h, c), {"input": i, "forget": f, "candidate": candidate, "output": o}


ORACLES = {"layer-norm-lstm": Oracle(by_steps(layer_norm_lstm))}
