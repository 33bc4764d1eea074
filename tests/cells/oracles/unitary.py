"""Arjovsky, Shah & Bengio (2016): W put together factor by factor, as matrices."""

import numpy as np

from .oracle import Oracle, by_steps


def fourier(n):
    k = np.arange(n)
    return np.exp(-2j * np.pi * np.outer(k, k) / n) / np.sqrt(n)


def reflection(parts):
    n = len(parts) // 2
    v = parts[:n] + 1j * parts[n:]
    return np.eye(n) - 2 * np.outer(v, v.conj()) / np.vdot(v, v)


def urnn(p, x, h):
    n = len(h)
    D1, D2, D3 = (np.diag(np.exp(1j * p[f"theta_{k}"])) for k in (1, 2, 3))
    P, F = np.eye(n)[p["permutation"]], fourier(n)
    W = D3 @ reflection(p["v_2"]) @ F.conj().T @ D2 @ P @ reflection(p["v_1"]) @ F @ D1
    z = W @ h + p["U"][:n] @ x + 1j * (p["U"][n:] @ x)
    h = np.maximum(0, np.abs(z) + p["b"]) * z / np.abs(z)
    return np.concatenate([h.real, h.imag]), (h,), {}


ORACLES = {"urnn": Oracle(by_steps(urnn))}
