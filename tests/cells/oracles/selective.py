"""Gu & Dao (2023), algorithm 2, channel by channel and state by state."""

import numpy as np

from .oracle import Oracle, by_steps


def selective(p, x, h):
    v = p["U"] @ x + p["b"]
    delta = np.log1p(np.exp(p["W_delta"] @ p["W_rank"] @ v + p["b_delta"]))
    write, read = p["W_B"] @ v, p["W_C"] @ v
    A = -np.exp(p["alpha"])
    new = np.empty_like(h)
    for channel in range(h.shape[0]):
        for n in range(h.shape[1]):
            decay = np.exp(delta[channel] * A[channel, n])
            new[channel, n] = decay * h[channel, n] + delta[channel] * write[n] * v[channel]
    gates = {"step-size": delta, "write": write, "read": read}
    return new @ read + p["D"] * v, (new,), gates


ORACLES = {"selective": Oracle(by_steps(selective), options={"state_size": 3})}
