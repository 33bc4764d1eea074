"""Real cells whose recurrent matrix is orthogonal, whatever their parameters are: it lets no gradient fade or grow.

    z_t = W h_{t-1} + U x_t,    h_t = modReLU(z_t; b) = max(0, |z_t| + b) ∘ sgn(z_t),    output h_t

expRNN (Lezcano-Casado & Martínez-Rubio 2019, arXiv:1901.08428):

    W = exp(A),    A = −Aᵀ                                                rotations; H·(H−1)/2 parameters

Householder reflections (Mhammedi et al. 2017, arXiv:1612.00188), the k-th along a vector with k − 1 leading zeros:

    W = P_1 P_2 … P_K,    P_k = 1 − 2 v_k v_kᵀ / ‖v_k‖²                   K·(2H − K + 1)/2 parameters

with the product in compact form (Joffrain et al. 2006, ACM TOMS 32): for V = [v_1 … v_K],

    W = 1 − V S⁻¹ Vᵀ,    S the upper triangle of Vᵀ V with its diagonal halved

Both make W once a sequence, in `prepare`. Parameters besides: H·F for U, H for b.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unrolled.cells.cell import LinearRecurrentCell, Step, fill_input_, project_input
from unrolled.cells.unitary import modrelu
from unrolled.errors import ShapeError

Angles = Literal["cayley", "henaff"]


class OrthogonalState(NamedTuple):
    hidden: Tensor  # (B, H)


class OrthogonalCell(LinearRecurrentCell):
    """What they share; a subclass gives W. b starts uniform within ±0.01, as expRNN's authors have it."""

    GATES = ("candidate",)

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.U = nn.Parameter(torch.empty(hidden_size, input_size))
        self.b = nn.Parameter(torch.empty(hidden_size).uniform_(-0.01, 0.01))
        fill_input_(self.U, 1)

    @abstractmethod
    def prepare(self) -> Tensor:
        """W (H, H), orthogonal."""

    def project(self, x: Tensor, weights: Tensor, condition: Tensor | None = None) -> Tensor:
        return project_input(x, self.U, None)

    def initial_state(self, shape: Sequence[int], device: torch.device, dtype: torch.dtype) -> OrthogonalState:
        return OrthogonalState(torch.zeros(*shape, self.hidden_size, device=device, dtype=dtype))

    def recur(self, state: OrthogonalState, weights: Tensor) -> Tensor:
        return F.linear(state.hidden, weights)

    def combine(self, u_t: Tensor, r: Tensor, state: OrthogonalState) -> Step:
        h = modrelu(u_t + r, self.b)
        return Step(h, OrthogonalState(h), {"candidate": h})


class ExpRNN(OrthogonalCell):
    """W = exp(A). A parameter holds what stands above A's diagonal, row by row.

    angles: how A starts, as rotations of pairs of units: "cayley" by tan(φ/2), φ uniform in [0, π/2] (Helfrich et al.
        2018, arXiv:1707.09520), slow ones; "henaff" uniform in [−π, π] (Henaff et al. 2016, arXiv:1602.06662), all.
    """

    NAME = "exp-rnn"
    # As its authors train it: a small change of A turns every pair of units, at every step.
    RATE_SHARES: ClassVar = {"A": 0.1}

    def __init__(self, input_size: int, hidden_size: int, angles: Angles = "henaff") -> None:
        super().__init__(input_size, hidden_size)
        self.angles = angles
        A = torch.zeros(hidden_size, hidden_size)
        pairs = torch.arange(0, hidden_size - 1, 2)
        A[pairs, pairs + 1] = draw_angles(len(pairs), angles)
        self.A = nn.Parameter(A[self._above()])

    def _above(self) -> tuple[Tensor, Tensor]:
        """Rows and columns above the diagonal."""
        rows, columns = torch.triu_indices(self.hidden_size, self.hidden_size, 1, device=self.U.device)
        return rows, columns

    def prepare(self) -> Tensor:
        H = self.hidden_size
        A = self.A.new_zeros(H, H).index_put(self._above(), self.A)
        return torch.matrix_exp(A - A.T)


class HouseholderRNN(OrthogonalCell):
    """W is a product of reflections. A parameter holds their vectors, one after the other, without the leading zeros.

    reflections: K, from 1 to H; None is H, with which W can be any rotation (H even) or any rotation with a reflection
        (H odd). The H-th vector has one number alone, whose size changes nothing: it is 1 and no parameter.

    It starts as Henaff et al. (2016, arXiv:1602.06662) start theirs, from rotations of pairs of units (each made of two
    reflections) by angles uniform in [−π, π].
    """

    NAME = "householder-rnn"

    def __init__(self, input_size: int, hidden_size: int, reflections: int | None = None) -> None:
        super().__init__(input_size, hidden_size)
        self.reflections = hidden_size if reflections is None else reflections
        if not 1 <= self.reflections <= hidden_size:
            raise ShapeError(f"reflections of {hidden_size} units number 1 to {hidden_size}; {reflections} came")
        # Row k is the vector k. Two reflections, at mirrors that stand at half the angle to each other, turn by it.
        V = torch.eye(self.reflections, hidden_size)
        turned = torch.arange(0, min(self.reflections, hidden_size - 1), 2)
        half = draw_angles(len(turned), "henaff") / 2
        V[turned, turned], V[turned, turned + 1] = torch.sin(half), torch.cos(half)
        self.v = nn.Parameter(V[self._free()])

    def _free(self) -> tuple[Tensor, Tensor]:
        """Rows (reflections) and columns (units) of the numbers that are learnt."""
        learnt = min(self.reflections, self.hidden_size - 1)
        rows, columns = torch.triu_indices(learnt, self.hidden_size, device=self.U.device)
        return rows, columns

    def prepare(self) -> Tensor:
        K, H = self.reflections, self.hidden_size
        last = torch.eye(K, H, device=self.v.device, dtype=self.v.dtype)
        V = last.index_put(self._free(), self.v)
        V = V / torch.linalg.vector_norm(V, dim=1, keepdim=True)
        products = V @ V.T
        S = products.triu(1) + torch.eye(K, device=V.device, dtype=V.dtype) / 2
        return torch.eye(H, device=V.device, dtype=V.dtype) - V.T @ torch.linalg.solve_triangular(S, V, upper=True)


def draw_angles(count: int, angles: Angles) -> Tensor:
    """Random angles by which pairs of units are turned at the start (see `ExpRNN`)."""
    if angles == "cayley":
        return torch.tan(torch.empty(count).uniform_(0, math.pi / 2) / 2)
    if angles == "henaff":
        return torch.empty(count).uniform_(-math.pi, math.pi)
    raise ShapeError(f"angles are 'cayley' or 'henaff'; {angles!r} came")
