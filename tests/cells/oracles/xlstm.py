"""Beck et al. (2024), section 2 and its appendix.

The output is computed without the stabiliser, from the memory in its true size, which the stabilised state is a share
of: not in the code's own way.
"""

import numpy as np

from .oracle import Oracle, by_steps, sigmoid


def slstm(p, x, h, c, n, m):
    (Ui, Uf, Uz, Uo), (Wi, Wf, Wz, Wo), (bi, bf, bz, bo) = (np.split(p[k], 4) for k in "UWb")
    i = np.exp(Wi @ h + Ui @ x + bi)
    f = sigmoid(Wf @ h + Uf @ x + bf)
    z = np.tanh(Wz @ h + Uz @ x + bz)
    o = sigmoid(Wo @ h + Uo @ x + bo)
    m_new = np.maximum(np.log(f) + m, np.log(i))
    true_c, true_n = f * c * np.exp(m) + i * z, f * n * np.exp(m) + i
    h = o * true_c / true_n
    gates = {"input": i / np.exp(m_new), "forget": f * np.exp(m - m_new), "candidate": z, "output": o}
    return h, (h, true_c / np.exp(m_new), true_n / np.exp(m_new), m_new), gates


def mlstm(p, x, C, n, m):
    heads, d = n.shape
    u = [(W @ x).reshape(heads, d) for W in np.split(p["U"], 4)]
    b = [b.reshape(heads, d) for b in np.split(p["b"], 4)]
    q, k, v, o = u[0] + b[0], u[1] / np.sqrt(d) + b[1], u[2] + b[2], sigmoid(u[3] + b[3])
    i, f = np.split(p["U_gates"] @ x + p["b_gates"], 2)
    i, f = np.exp(i), sigmoid(f)
    m_new = np.maximum(np.log(f) + m, np.log(i))
    h, new_C, new_n = np.empty((heads, d)), np.empty_like(C), np.empty_like(n)
    for a in range(heads):
        true_C = f[a] * np.exp(m[a]) * C[a] + i[a] * np.outer(v[a], k[a])
        true_n = f[a] * np.exp(m[a]) * n[a] + i[a] * k[a]
        h[a] = o[a] * (true_C @ q[a]) / max(abs(true_n @ q[a]), 1)
        new_C[a], new_n[a] = true_C / np.exp(m_new[a]), true_n / np.exp(m_new[a])
    gates = {"query": q, "key": k, "value": v, "output": o, "input": i / np.exp(m_new), "forget": f * np.exp(m - m_new)}
    return h.reshape(-1), (new_C, new_n, m_new), gates


ORACLES = {
    "slstm": Oracle(by_steps(slstm)),
    "mlstm": Oracle(by_steps(mlstm), blocks={"U_gates": 2, "b_gates": 2}),
}
