"""A training between two updates, to and from the named tensors and facts of a checkpoint.

Tensors: `weights/NAME`, `optimiser/PARAMETER/MOMENT`, `state/LEAF` (rows of the whole global batch). Nothing random is
kept: every update draws from the seed and the number of its batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from unrolled import states
from unrolled.errors import CheckpointError
from unrolled.models.model import Model
from unrolled.states import State
from unrolled.training.checkpoint import Checkpoint
from unrolled.training.optimisers import Optimiser
from unrolled.training.rollback import Story, Watch
from unrolled.training.schedule import Plan

FORMAT = 1
WEIGHTS, OPTIMISER, STATE = "weights/", "optimiser/", "state/"


@dataclass
class Progress:
    """Where a training stands, besides weights and moments.

    step: updates done. number: of the next batch; larger than `step` by the batches that were skipped.
    state: carried into the next batch, of the rows at hand; None where nothing is carried.
    best: the lowest first figure of a validation so far.
    """

    step: int = 0
    number: int = 0
    state: State | None = None
    plan: Plan | None = None
    watch: Watch = field(default_factory=Watch)
    story: Story = field(default_factory=Story)
    best: float | None = None


def pack(model: nn.Module, optimiser: Optimiser, progress: Progress, state: State | None) -> tuple[dict, dict]:
    """(tensors, facts); `state` is that of the whole global batch."""
    tensors = {WEIGHTS + name: tensor for name, tensor in weights(model).items()}
    tensors |= {OPTIMISER + name: tensor for name, tensor in optimiser.tensors().items()}
    if state is not None:
        tensors |= {STATE + name: leaf for name, leaf in states.to_tensors(state).items()}
    facts = {
        "format": FORMAT,
        "step": progress.step,
        "number": progress.number,
        "plan": None if progress.plan is None else progress.plan.to_dict(),
        "watch": progress.watch.__dict__,
        "story": progress.story.to_dict(),
        "best": progress.best,
    }
    return tensors, facts


def unpack(checkpoint: Checkpoint, model: Model, optimiser: Optimiser, batch_size: int) -> Progress:
    """Put the checkpoint's weights and moments in place; the progress, with the state of the whole global batch."""
    where = checkpoint.entry.file
    facts = checkpoint.facts
    if facts.get("format") != FORMAT:
        raise CheckpointError(
            f"{where} has the format {facts.get('format')!r}; this version reads {FORMAT}: update unrolled"
        )
    load_weights(model, checkpoint)
    optimiser.load(_under(checkpoint.tensors, OPTIMISER), where)
    try:
        return Progress(
            step=facts["step"],
            number=facts["number"],
            state=_state(_under(checkpoint.tensors, STATE), model, batch_size, where),
            plan=None if facts["plan"] is None else Plan.from_dict(facts["plan"]),
            watch=Watch(**facts["watch"]),
            story=Story(**facts["story"]),
            best=facts["best"],
        )
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"{where} has facts of another form ({error}); use an earlier checkpoint") from error


def weights(model: nn.Module) -> dict[str, Tensor]:
    """Weights and buffers by name, as in `state_dict`; what has several names (tied weights) under the first only."""
    kept: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in model.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            kept[name] = tensor
    return kept


def load_weights(model: nn.Module, checkpoint: Checkpoint) -> None:
    """Copy a checkpoint's weights into `model`; CheckpointError if they are another model's."""
    where = checkpoint.entry.file
    found, wanted = _under(checkpoint.tensors, WEIGHTS), weights(model)
    if different := sorted(found.keys() ^ wanted.keys()):
        raise CheckpointError(
            f"{where} was made by another model: {different[0]!r} is only in the "
            f"{'checkpoint' if different[0] in found else 'model'}; build the model with the options of that run"
        )
    for name, tensor in wanted.items():
        _check(f"weight {name!r}", found[name], tensor, where)
    with torch.no_grad():
        for name, tensor in wanted.items():
            tensor.copy_(found[name])


def _state(tensors: Mapping[str, Tensor], model: Model, batch_size: int, where: str) -> State | None:
    if not tensors:
        return None
    like = model.initial_state(batch_size)
    wanted = states.to_tensors(like)
    if different := sorted(tensors.keys() ^ wanted.keys()):
        raise CheckpointError(
            f"{where} was made by another model: its state and this model's differ in {different[0]!r}"
        )
    for name, leaf in wanted.items():
        _check(f"state {name!r}", tensors[name], leaf, where)
    return states.from_tensors(dict(tensors), like)


def _check(what: str, found: Tensor, wanted: Tensor, where: str) -> None:
    if found.shape != wanted.shape or found.dtype != wanted.dtype:
        raise CheckpointError(
            f"{where} was made by another model: its {what} is {tuple(found.shape)} {found.dtype}, here it is "
            f"{tuple(wanted.shape)} {wanted.dtype}; build the model with the options of that run"
        )


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
