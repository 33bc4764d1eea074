"""The chunkwise-parallel form of mLSTM (Beck et al. 2024, arXiv:2405.04517, appendix), for whole sequences.

T is cut into chunks of L. Within a chunk, with F_t the sum of log f up to t since the chunk's start, what time s has
written is read at t ≥ s with the weight e^{D_ts}, D_ts = F_t − F_s + log i_s; and the memory with which the chunk
started, with e^{F_t + m_0}. So, in units of e^{m_t}, m_t = max(F_t + m_0, max_s D_ts), the stabiliser of the steps:

    w_ts = e^{D_ts − m_t},  w_t0 = e^{F_t + m_0 − m_t}                    none above 1
    h_t = o_t ∘ (Σ_s w_ts (k_sᵀ q_t) v_s + w_t0 C_0 q_t) / max(|Σ_s w_ts k_sᵀ q_t + w_t0 n_0ᵀ q_t|, e^{−m_t})

All of that is products of matrices, for all chunks at once. Only the memory at the ends of chunks goes from one to the
next, in a loop over T/L. Every exponent is at most 0, so nothing overflows, and a gate of 0 is no exception.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from unrolled.cells.xlstm import MLSTM, MLSTMInput, MLSTMState, denominator
from unrolled.kernels.kernel import Kernel, Pass, Record, Trace, past_length

#: log of a gate that is shut: 0 in every number type, and finite, so that differences with it are numbers.
SHUT = -1e30


class Chunked(Kernel):
    """mLSTM in chunks.

    chunk: L, steps in one chunk.
    """

    NAME = "chunked"
    TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-11, torch.bfloat16: 1e-1}  # noqa: RUF012

    def __init__(self, chunk: int = 64) -> None:
        self.chunk = chunk

    def refuses(self, passes: Sequence[Pass], record: Collection[Record] = ()) -> list[str]:
        reasons = []
        for one in passes:
            name = type(one.cell).__name__
            # Exactly this class: a subclass may have changed a step.
            if type(one.cell) is not MLSTM:
                reasons.append(f"chunks of products stand for the steps of MLSTM alone, and {name} is another cell")
            if one.mask is not None or one.zoneout is not None:
                reasons.append("within a chunk no state is there for a mask or zoneout to act on")
        if record:
            reasons.append(f"states within a chunk are never made ({', '.join(sorted(record))} asked for)")
        return list(dict.fromkeys(reasons))

    def _run(self, passes: Sequence[Pass], record: Collection[Record]) -> list[Trace]:
        return [self._one(one) for one in passes]

    def _one(self, one: Pass) -> Trace:
        cell = one.cell
        assert isinstance(cell, MLSTM)  # `refuses` saw to it
        u = cell.project(past_length(one.x, one.lengths), cell.prepare(), one.condition)
        if one.lengths is not None:
            # A step that changes nothing, in either direction: nothing kept is lost, and nothing written.
            past = (torch.arange(len(one.x), device=one.x.device)[:, None] >= one.lengths)[..., None]
            u = u._replace(log_i=u.log_i.masked_fill(past, SHUT), log_f=u.log_f.masked_fill(past, 0))
        backward = one.direction == "backward"
        if backward:
            u = MLSTMInput(*(part.flip(0) for part in u))
        # Sums of differences, which bfloat16 would leave few digits of: as wide as the state, in autocast too.
        with torch.autocast(one.x.device.type, enabled=False):
            h, state = mlstm(MLSTMInput(*(part.to(one.state.memory.dtype) for part in u)), one.state, self.chunk)
        return Trace(past_length(h.flip(0) if backward else h, one.lengths), state)


def mlstm(u: MLSTMInput, state: MLSTMState, chunk: int) -> tuple[Tensor, MLSTMState]:
    """The output (T, B, H) and final state of mLSTM's steps over u, from `state`, in chunks of that many steps."""
    T = len(u.query)
    L = min(chunk, T)
    # From here on: (B, heads, K, L, ...). The steps that fill the last chunk up change nothing.
    q, k, v, log_f = (_chunks(part, L) for part in (u.query, u.key, u.value, u.log_f))
    log_i = _chunks(u.log_i, L, SHUT)
    since = log_f.cumsum(-1)  # F_t
    D = since[..., :, None] - since[..., None, :] + log_i[..., None, :]
    D = D.masked_fill(torch.ones(L, L, dtype=torch.bool, device=D.device).triu(1), SHUT)
    starts, final = _ends(k, v, D[..., -1, :], since[..., -1], state)
    carried = since + starts.stabiliser[..., None]
    m = torch.maximum(carried, D.amax(-1))
    weights = torch.exp(D - m[..., None]) * torch.matmul(q, k.mT)
    from_start = torch.exp(carried - m)
    read = torch.matmul(weights, v) + from_start[..., None] * torch.matmul(q, starts.memory.mT)
    overlap = weights.sum(-1) + from_start * (q * starts.normaliser[..., None, :]).sum(-1)
    h = (read / denominator(overlap, m)[..., None]).flatten(2, 3)[:, :, :T].movedim(2, 0)
    return (u.output * h).flatten(-2), final


def _chunks(part: Tensor, L: int, filling: float = 0.0) -> Tensor:
    """(T, B, heads, ...) → (B, heads, K, L, ...), with `filling` where T ends before the last chunk does."""
    part = F.pad(part, (*(0, 0) * (part.dim() - 1), 0, -len(part) % L), value=filling)
    return part.movedim(0, 2).unflatten(2, (-1, L))


def _ends(k: Tensor, v: Tensor, D: Tensor, kept: Tensor, state: MLSTMState) -> tuple[MLSTMState, MLSTMState]:
    """The states with which the chunks start, K beside the heads, and the one after the last.

    D (B, heads, K, L): log of what each step's writing counts at its chunk's end. kept (B, heads, K): F at the end.
    """
    own = D.amax(-1)  # the chunk's own stabiliser
    written = torch.exp(D - own[..., None])[..., None] * k
    memories = torch.matmul(v.mT, written)
    normalisers = written.sum(-2)
    starts = []
    for c in range(k.shape[2]):
        starts.append(state)
        m = torch.maximum(kept[..., c] + state.stabiliser, own[..., c])
        old, new = torch.exp(kept[..., c] + state.stabiliser - m), torch.exp(own[..., c] - m)
        state = MLSTMState(
            old[..., None, None] * state.memory + new[..., None, None] * memories[:, :, c],
            old[..., None] * state.normaliser + new[..., None] * normalisers[:, :, c],
            m,
        )
    return MLSTMState(*(torch.stack(leaf, 2) for leaf in zip(*starts, strict=True))), state
