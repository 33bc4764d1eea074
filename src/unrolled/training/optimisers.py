"""Optimisers, each with its tensors by name, so that a checkpoint can hold them without pickle.

AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101): torch's own.
Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon), orthogonalised by Polar Express.
Adagrad (Duchi et al. 2011) in the form of min-char-rnn (Karpathy 2015).

Decoupled weight decay acts on matrices only (parameters of two axes or more), with every one of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from unrolled.cells.cell import Cell
from unrolled.errors import CheckpointError
from unrolled.training.settings import Settings

#: The first three of Polar Express (Amsel et al. 2025, arXiv:2505.16932), each (a, b, c): for our purpose as good as
#: five steps of one fixed polynomial, and cheaper.
POLYNOMIALS = (
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
)
#: Keeps the largest singular value below 1 in spite of rounding.
SAFETY = 1.01


class Adagrad(Optimizer):
    """m ← m + g²,  p ← p − rate · g / √(m + 1e-8).

    torch's Adagrad adds its constant after the root; the published min-char-rnn adds it under it, which is kept here.
    """

    def __init__(self, params: Iterable, lr: float, weight_decay: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state["sum"] = torch.zeros_like(p)
                p.mul_(1 - group["lr"] * group["weight_decay"])
                state["sum"].addcmul_(p.grad, p.grad.conj())
                p.addcdiv_(p.grad, (state["sum"] + 1e-8).sqrt(), value=-group["lr"])


class Muon(Optimizer):
    """Momentum whose every gate block is brought near the closest orthogonal matrix before it is taken as a step.

        m ← m + (1 − μ)(g − m),   d = g + μ (m − g)
        p ← (1 − rate · decay) p − rate · √max(1, rows/columns) · orthogonalised(d)

    torch.optim.Muon's formulas, but block by block: the (G·H, F) weights of a cell are G matrices that happen to be
    stored together, and orthogonalising them as one would couple the gates. Each group says its `blocks`.

    precision: of the products that orthogonalise.
    """

    def __init__(
        self,
        params: Iterable,
        lr: float,
        weight_decay: float = 0.0,
        momentum: float = 0.95,
        precision: torch.dtype = torch.float32,
    ) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum, "blocks": 1})
        self.precision = precision

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state["momentum"] = torch.zeros_like(p)
                state["momentum"].lerp_(p.grad, 1 - group["momentum"])
                d = p.grad.lerp(state["momentum"], group["momentum"])
                blocks = d.view(group["blocks"], -1, d.shape[1])
                scale = math.sqrt(max(1.0, blocks.shape[1] / blocks.shape[2]))
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(orthogonalised(blocks, self.precision).reshape(p.shape), alpha=-group["lr"] * scale)


def orthogonalised(blocks: Tensor, precision: torch.dtype) -> Tensor:
    """U Vᵀ, nearly, of every matrix U S Vᵀ of blocks (G, rows, columns), by products alone.

    x ← a x + b (x xᵀ) x + c (x xᵀ)² x, three times, from x = blocks / ‖blocks‖: each polynomial in the singular values
    brings all above a thousandth nearer to 1 than the last, the best that its degree can do from there.
    """
    x = blocks.to(precision)
    tall = x.shape[1] > x.shape[2]
    if tall:
        x = x.mT
    x = x / (SAFETY * x.norm(dim=(1, 2), keepdim=True)).clamp(min=1e-7)
    for a, b, c in POLYNOMIALS:
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.mT if tall else x).to(blocks.dtype)


class Optimiser:
    """What the loop steps: one torch optimiser, or Muon and AdamW side by side, and their tensors by name."""

    def __init__(self, parts: list[Optimizer], names: Mapping[Tensor, str]) -> None:
        self.parts = parts
        self.names = names

    def step(self, share: float) -> None:
        """One step from the gradients at hand, which are gone afterwards, at `share` of each part's highest rate."""
        for part in self.parts:
            for group in part.param_groups:
                group["lr"] = share * group.get("rate_share", 1.0) * part.defaults["lr"]
            part.step()
            part.zero_grad(set_to_none=True)

    def forget_gradients(self) -> None:
        """Drop the gradients of an update that is not taken."""
        for part in self.parts:
            part.zero_grad(set_to_none=True)

    def tensors(self) -> dict[str, Tensor]:
        """`parameter/moment` → tensor, of every parameter that has had a gradient so far."""
        return {
            f"{self.names[p]}/{key}": value
            for part in self.parts
            for p, state in part.state.items()
            for key, value in state.items()
        }

    def load(self, tensors: Mapping[str, Tensor], where: str) -> None:
        """Take over what `tensors` gave; `where` names the file in the CheckpointError if it does not fit."""
        owners = {
            self.names[p]: (part, p) for part in self.parts for group in part.param_groups for p in group["params"]
        }
        for part in self.parts:
            part.state.clear()
        for name, tensor in tensors.items():
            owner, _, key = name.rpartition("/")
            if owner not in owners or key not in _moments(owners[owner][0]):
                raise CheckpointError(f"{where} was made with another optimiser or model: {name!r} has no place here")
            part, p = owners[owner]
            expected = torch.Size() if key == "step" else p.shape
            if tensor.shape != expected:
                raise CheckpointError(
                    f"{where} does not fit: {name!r} has the shape {tuple(tensor.shape)}, not {tuple(expected)}"
                )
            part.state[p][key] = tensor.to(p.device, copy=True)
        for part in self.parts:
            for p, state in part.state.items():
                if missing := _moments(part) - state.keys():
                    raise CheckpointError(
                        f"{where} lacks {sorted(missing)} of {self.names[p]!r}: made with another optimiser"
                    )


def _moments(part: Optimizer) -> set[str]:
    """What an optimiser remembers of each parameter."""
    if isinstance(part, Muon):
        return {"momentum"}
    return {"sum"} if isinstance(part, Adagrad) else {"step", "exp_avg", "exp_avg_sq"}


def build(model: nn.Module, settings: Settings) -> Optimiser:
    """The optimiser that `settings` ask for, over all parameters of `model` that are trained."""
    named: dict[Tensor, str] = {p: name for name, p in model.named_parameters() if p.requires_grad}
    if settings.optimiser == "adagrad":
        return Optimiser([Adagrad(_groups(model, named, settings), lr=settings.rate)], named)
    recurrent = recurrent_matrices(model) if settings.optimiser == "muon" else {}
    rest = [p for p in named if p not in recurrent]
    parts: list[Optimizer] = []
    if rest:
        groups = _groups(model, rest, settings)
        real = all(p.is_floating_point() for p in rest)  # the fused step takes no complex parameters
        parts.append(torch.optim.AdamW(groups, lr=settings.rate, betas=settings.betas, fused=real))
    if recurrent:
        groups = [{"params": [p], "blocks": blocks} for p, blocks in recurrent.items()]
        precision = torch.bfloat16 if settings.dtype == "bfloat16" else torch.float32
        parts.append(Muon(groups, lr=settings.muon_rate, weight_decay=settings.weight_decay, precision=precision))
    return Optimiser(parts, named)


def recurrent_matrices(model: nn.Module) -> dict[Tensor, int]:
    """Every real matrix of a cell → how many gate blocks of H rows it is made of (1 where it is not)."""
    found: dict[Tensor, int] = {}
    for module in model.modules():
        if isinstance(module, Cell):
            for p in module.parameters():
                if p.dim() == 2 and p.requires_grad and p.is_floating_point():
                    blocks, over = divmod(p.shape[0], module.hidden_size)
                    found[p] = blocks if not over else 1
    return found


def _groups(model: nn.Module, parameters: Iterable[Tensor], settings: Settings) -> list[dict]:
    """Matrices decay and vectors do not; what a cell trains at a rate of its own (`Cell.RATE_SHARES`) stands apart."""
    shares: dict[Tensor, float] = {}
    for module in model.modules():
        if isinstance(module, Cell):
            shares |= {module.get_parameter(name): share for name, share in module.RATE_SHARES.items()}
    groups: dict[tuple[bool, float], list[Tensor]] = {}
    for p in parameters:
        groups.setdefault((p.dim() >= 2, shares.get(p, 1.0)), []).append(p)
    return [
        {"params": some, "weight_decay": settings.weight_decay if decays else 0.0, "rate_share": share}
        for (decays, share), some in groups.items()
    ]
