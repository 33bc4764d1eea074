"""Shi et al. (2015): the convolution as a sum over offsets, at each place alone."""

import numpy as np

from .oracle import Oracle, by_steps, sigmoid


def convolve(x, kernels):
    rows, columns, _ = x.shape
    reach = kernels.shape[-1] // 2
    out = np.zeros((rows, columns, len(kernels)))
    for i in range(rows):
        for j in range(columns):
            for a in range(-reach, reach + 1):
                for b in range(-reach, reach + 1):
                    if 0 <= i + a < rows and 0 <= j + b < columns:
                        out[i, j] += kernels[:, :, a + reach, b + reach] @ x[i + a, j + b]
    return out


def conv_lstm(p, x, h, c):
    pre = convolve(x, p["U"]) + convolve(h, p["W"]) + p["b"]
    n = h.shape[-1]
    i = sigmoid(pre[..., :n] + p["p"][0] * c)
    f = sigmoid(pre[..., n : 2 * n] + p["p"][1] * c)
    candidate = np.tanh(pre[..., 2 * n : 3 * n])
    c = f * c + i * candidate
    o = sigmoid(pre[..., 3 * n :] + p["p"][2] * c)
    h = o * np.tanh(c)
    return h, (h, c), {"input": i, "forget": f, "candidate": candidate, "output": o}


ORACLES = {"conv-lstm": Oracle(by_steps(conv_lstm), places=(3, 4), blocks={"p": 3})}
