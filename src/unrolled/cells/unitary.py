"""The unitary evolution recurrent network, uRNN: Arjovsky, Shah & Bengio (2016), arXiv:1511.06464.

    z_t = W h_{t-1} + U x_t                       h complex, H units; U complex, x real
    W   = D_3 R_2 F⁻¹ D_2 Π R_1 F D_1             unitary, whatever the parameters are
    h_t = modReLU(z_t; b),    output [Re h_t, Im h_t]

    D_k = diag(exp(i θ_k))                        phases
    R_k = 1 − 2 v_k v_k* / ‖v_k‖²                 a reflection along the complex vector v_k
    F, F⁻¹                                        Fourier transform and its inverse, both unitary
    Π                                             a permutation, drawn once
    modReLU(z; b) = max(0, |z| + b) · z/|z|       keeps the phase; 0 at z = 0

One product takes H ln H operations instead of H². The state h_0 before the first step is drawn, and is not zero; its
authors also learn it, as `Recurrent(learnt_initial_state=True)` does. A complex parameter is stored as real numbers,
all real parts before all imaginary ones: optimisers and files need not know of complex numbers then.
Parameters: 2·H·F for U; 7·H for W (3·H phases, 4·H of reflections); H for b.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from unrolled.cells.cell import LinearRecurrentCell, Step, fill_input_, project_input


class UnitaryState(NamedTuple):
    hidden: Tensor  # (B, H), complex


class UnitaryWeights(NamedTuple):
    D_1: Tensor  # (H), complex, of modulus 1, as D_2 and D_3
    R_1: Tensor  # (H), the complex unit vector that is reflected, as R_2
    D_2: Tensor
    R_2: Tensor
    D_3: Tensor


class URNN(LinearRecurrentCell):
    """The uRNN. hidden_size counts complex units; the output has 2·H features.

    Started as published: U and the reflections uniform, phases uniform on the circle, b zero, and h_0 uniform with
    E ‖h_0‖² = 1.
    """

    NAME = "urnn"

    permutation: Tensor  # (H), int64: Π h = h[permutation]
    h_0: Tensor  # (2·H)

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)

        def uniform(size: int, bound: float) -> Tensor:
            return torch.empty(size).uniform_(-bound, bound)

        self.U = nn.Parameter(torch.empty(2 * hidden_size, input_size))
        self.theta_1, self.theta_2, self.theta_3 = (nn.Parameter(uniform(hidden_size, math.pi)) for _ in range(3))
        self.v_1, self.v_2 = (nn.Parameter(uniform(2 * hidden_size, 1)) for _ in range(2))
        self.b = nn.Parameter(torch.zeros(hidden_size))
        self.register_buffer("h_0", uniform(2 * hidden_size, math.sqrt(3 / (2 * hidden_size))))
        self.register_buffer("permutation", torch.randperm(hidden_size))
        fill_input_(self.U, 2)

    @property
    def output_size(self) -> int:
        return 2 * self.hidden_size

    def prepare(self) -> UnitaryWeights:
        D_1, D_2, D_3 = (torch.polar(torch.ones_like(t), t) for t in (self.theta_1, self.theta_2, self.theta_3))
        R_1, R_2 = (as_complex(v / torch.linalg.vector_norm(v)) for v in (self.v_1, self.v_2))
        return UnitaryWeights(D_1, R_1, D_2, R_2, D_3)

    def project(self, x: Tensor, weights: UnitaryWeights, condition: Tensor | None = None) -> Tensor:
        # Autocast may have narrowed the product, and there are no complex numbers that narrow.
        return as_complex(project_input(x, self.U, None).to(self.U.dtype))

    def initial_state(self, shape: Sequence[int], device: torch.device, dtype: torch.dtype) -> UnitaryState:
        return UnitaryState(as_complex(self.h_0.to(device, dtype)).expand(*shape, self.hidden_size))

    def recur(self, state: UnitaryState, weights: UnitaryWeights) -> Tensor:
        h = reflect(torch.fft.fft(weights.D_1 * state.hidden, norm="ortho"), weights.R_1)
        h = torch.fft.ifft(weights.D_2 * h[..., self.permutation], norm="ortho")
        return weights.D_3 * reflect(h, weights.R_2)

    def combine(self, u_t: Tensor, r: Tensor, state: UnitaryState) -> Step:
        h = modrelu(u_t + r, self.b)
        return Step(torch.cat([h.real, h.imag], -1), UnitaryState(h), {})


def as_complex(parts: Tensor) -> Tensor:
    """(..., 2·H) real, the real parts first → (..., H) complex."""
    return torch.complex(*parts.chunk(2, -1))


def reflect(h: Tensor, v: Tensor) -> Tensor:
    """h − 2 v (v* h) for every h (..., H), at the hyperplane that stands upright on the unit vector v (H)."""
    return h - 2 * (h @ v.conj())[..., None] * v


def modrelu(z: Tensor, b: Tensor) -> Tensor:
    """max(0, |z| + b) · z/|z|, for complex z as for real ones; 0 at z = 0. b (H) is real."""
    return torch.relu(z.abs() + b) * torch.sgn(z)
