"""Lezcano-Casado & Martínez-Rubio (2019), W by its eigenvalues; Mhammedi et al. (2017), W reflection by reflection."""

import numpy as np

from .oracle import Oracle, by_steps


def exponential(p):
    n = len(p["b"])
    A = np.zeros((n, n))
    numbers = iter(p["A"])
    for i in range(n):
        for j in range(i + 1, n):
            A[i, j] = next(numbers)
            A[j, i] = -A[i, j]
    # −iA is Hermitian: A = Q diag(iλ) Q*.
    eigenvalues, Q = np.linalg.eigh(-1j * A)
    return (Q @ np.diag(np.exp(1j * eigenvalues)) @ Q.conj().T).real


def reflections(p):
    n = len(p["b"])
    W, rest = np.eye(n), p["v"]
    for k in range(n):
        length = n - k
        v = np.zeros(n)
        v[k:], rest = (rest[:length], rest[length:]) if length > 1 else (1, rest)
        W = W @ (np.eye(n) - 2 * np.outer(v, v) / (v @ v))
    assert not len(rest)
    return W


def modrelu_network(W_of):
    def step(p, x, h):
        z = W_of(p) @ h + p["U"] @ x
        h = np.maximum(0, np.abs(z) + p["b"]) * np.sign(z)
        return h, (h,), {"candidate": h}

    return Oracle(by_steps(step))


ORACLES = {"exp-rnn": modrelu_network(exponential), "householder-rnn": modrelu_network(reflections)}
