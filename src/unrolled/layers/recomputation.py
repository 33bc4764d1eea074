"""Recomputation (Chen et al. 2016, arXiv:1604.06174): full backpropagation through T steps in memory of about √T.

A sequence is cut into segments of about √T steps. Going forward, only the state at each cut is kept; going backward,
each segment is run once more, from the last to the first, and holds what its own steps need for as long as it takes.
That is one more forward pass in time. Results are those of the whole sequence but for rounding, since products over all
times, and the sums over time in the gradients of weights, are then taken segment by segment.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from unrolled import states
from unrolled.kernels.kernel import Direction, Trace
from unrolled.states import State

#: run(steps, piece, state) → (whatever it gives, the state after it); `steps` are those of the piece in the whole.
Run = Callable[[range, State, State], tuple[Any, State]]


def in_segments(run: Run, sequence: State, state: State, steps: int, direction: Direction = "forward") -> list[Any]:
    """What `run` gives for each segment, in the order of time.

    sequence: a tuple, nested at will, of tensors (T, ...) or None, which `run` gets piece by piece.
    state: before the first segment that the direction comes to.
    `run` must draw nothing, and change nothing: it is called again in the backward pass.
    """
    length = math.ceil(math.sqrt(steps))
    segments = [range(first, min(first + length, steps)) for first in range(0, steps, length)]
    given = []
    for segment in segments if direction == "forward" else reversed(segments):
        piece = states.map_state(
            lambda leaf, at=segment: None if leaf is None else leaf[at.start : at.stop],
            sequence,
        )
        result, state = _kept_at_its_start(run, segment, piece, state)
        given.append(result)
    return given if direction == "forward" else given[::-1]


def _kept_at_its_start(run: Run, segment: range, piece: State, state: State) -> tuple[Any, State]:
    # Tensors go in as arguments, one by one: what the function held by itself, autograd would not know of.
    form = states.map_state(lambda _: None, (piece, state))

    def again(*leaves: Tensor | None) -> tuple[Any, State]:
        following = iter(leaves)
        return run(segment, *states.map_state(lambda _: next(following), form))

    tensors = [leaf for _, leaf in states.leaves((piece, state))]
    return checkpoint(again, *tensors, use_reentrant=False, preserve_rng_state=False)


def cut(lengths: Tensor | None, segment: range) -> Tensor | None:
    """The lengths of a segment's rows, from those of the whole."""
    return None if lengths is None else (lengths - segment.start).clamp(0, len(segment))


def joined(traces: Sequence[Trace], direction: Direction = "forward") -> Trace:
    """One trace of the segments', which stand in the order of time."""

    def end_to_end(*parts: Tensor) -> Tensor:
        return torch.cat(parts)

    last, every = traces[-1 if direction == "forward" else 0], [trace.states for trace in traces]
    return Trace(
        torch.cat([trace.output for trace in traces]),
        last.state,
        None if every[0] is None else states.map_state(end_to_end, *every),
        None
        if last.gates is None
        else {name: torch.cat([trace.gates[name] for trace in traces if trace.gates]) for name in last.gates},
    )
