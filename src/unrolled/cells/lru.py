"""The linear recurrent unit of Orvieto et al. (2023), arXiv:2303.06349: a complex diagonal recurrence, read linearly.

    λ = exp(−e^ν + i e^θ)                        one complex number a unit, inside the unit circle for every ν
    h_t = λ ∘ h_{t-1} + e^γ ∘ (B x_t)            complex state; B = B_real + i B_imag (H, F)
    y_t = Re(C h_t) + D x_t                      real output; C = C_real + i C_imag (H, H), D (H, F)

At the start, λ lies in the ring r_min ≤ |λ| ≤ r_max, even over its area, with phases even over [0, max_phase]; and
e^γ = √(1 − |λ|²), which gives each unit of the state the variance of what drives it, however long its memory is.
ν, θ and γ are learnt from there.

B, C and D are the recurrence's own projections, and the whole of it is linear in x: the nonlinearity (GLU or MLP), the
norm and the residual connection that the paper puts between two of these are blocks of their own. D is a matrix, where
the paper's layers, of one width throughout, have a diagonal one.
Parameters: H·(3 + 3·F + 2·H).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unrolled.cells.cell import DiagonalCell, project_input
from unrolled.errors import OptionError


class LRUWeights(NamedTuple):
    eigenvalues: Tensor  # λ (H), complex
    U: Tensor  # (3·H, F): e^γ ∘ B_real, e^γ ∘ B_imag, D


class LRUInput(NamedTuple):
    a: Tensor  # λ at each time, (T, B, H) complex
    b: Tensor  # e^γ ∘ (B x), (T, B, H) complex
    skip: Tensor  # D x, (T, B, H)


class LRU(DiagonalCell):
    """The LRU.

    r_min, r_max: the ring in which |λ| starts, 0 ≤ r_min ≤ r_max ≤ 1; a unit forgets over some 1/(1 − |λ|) steps.
    max_phase: radians; the phases of λ start between 0 and it. Long sequences want a small one (the paper takes π/10).
    """

    NAME = "lru"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        r_min: float = 0.0,
        r_max: float = 1.0,
        max_phase: float = 2 * math.pi,
    ) -> None:
        super().__init__(input_size, hidden_size)
        if not (0 <= r_min <= r_max <= 1 and max_phase > 0):
            raise OptionError(
                f"the ring of LRU wants 0 <= r_min <= r_max <= 1 and max_phase above 0; "
                f"r_min {r_min}, r_max {r_max}, max_phase {max_phase} came"
            )
        self.r_min, self.r_max, self.max_phase = r_min, r_max, max_phase
        # What lies nearer to 1 (or to 0) than this has no logarithm that float32 could hold.
        squared = r_min**2 + (r_max**2 - r_min**2) * torch.rand(hidden_size, dtype=torch.float64)
        squared = squared.clamp(1e-7, 1 - 1e-7)
        phase = max_phase * (1 - torch.rand(hidden_size, dtype=torch.float64))  # over (0, max_phase]
        dtype = torch.get_default_dtype()
        self.nu = nn.Parameter(torch.log(-0.5 * torch.log(squared)).to(dtype))
        self.theta = nn.Parameter(torch.log(phase).to(dtype))
        self.gamma = nn.Parameter(0.5 * torch.log1p(-squared).to(dtype))
        spread = {"B": (2 * input_size) ** -0.5, "C": hidden_size**-0.5, "D": input_size**-0.5}
        self.B_real = nn.Parameter(spread["B"] * torch.randn(hidden_size, input_size))
        self.B_imag = nn.Parameter(spread["B"] * torch.randn(hidden_size, input_size))
        self.C_real = nn.Parameter(spread["C"] * torch.randn(hidden_size, hidden_size))
        self.C_imag = nn.Parameter(spread["C"] * torch.randn(hidden_size, hidden_size))
        self.D = nn.Parameter(spread["D"] * torch.randn(hidden_size, input_size))

    def prepare(self) -> LRUWeights:
        scale = torch.exp(self.gamma)[:, None]
        U = torch.cat([scale * self.B_real, scale * self.B_imag, self.D])
        return LRUWeights(torch.polar(torch.exp(-torch.exp(self.nu)), torch.exp(self.theta)), U)

    def project(self, x: Tensor, weights: LRUWeights, condition: Tensor | None = None) -> LRUInput:
        real, imaginary, skip = project_input(x, weights.U, None).chunk(3, -1)
        # There are no complex numbers of 16 bits: autocast narrows the product, and no more.
        b = torch.complex(real.to(self.nu.dtype), imaginary.to(self.nu.dtype))
        return LRUInput(weights.eigenvalues.expand_as(b), b, skip)

    def initial_state(self, shape: Sequence[int], device: torch.device, dtype: torch.dtype) -> Tensor:
        return torch.zeros(*shape, self.hidden_size, device=device, dtype=dtype.to_complex())

    def coefficients(self, u: LRUInput) -> tuple[Tensor, Tensor]:
        return u.a, u.b

    def readout(self, h: Tensor, u: LRUInput) -> Tensor:
        return F.linear(h.real, self.C_real) - F.linear(h.imag, self.C_imag) + u.skip
