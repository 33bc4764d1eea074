"""model.safetensors of a run's folder: the model's tensors with their digest, read, checked and written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from unrolled.errors import CheckpointError, RunError
from unrolled.models.model import Model
from unrolled.training import snapshot
from unrolled.training.checkpoint import Checkpoints
from unrolled.workshop import disk
from unrolled.workshop.folder import RunFolder

#: Key of the metadata in model.safetensors under which the tensors' digest stands.
DIGEST_KEY = "unrolled-sha256"
_WAY_OUT = "Put a copy back; or remove it, and `unrolled resume` makes it again from the run's checkpoints"


def read_weights(folder: RunFolder) -> dict[str, torch.Tensor]:
    """The model's tensors: model.safetensors, or while training has not ended, the best or newest checkpoint's."""
    file = folder.weights_file
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return _checkpoint_weights(folder)
    except OSError as error:
        raise disk.unreadable(error, file) from error
    try:
        tensors = load_tensors(content)
        length = int.from_bytes(content[:8], "little")
        digest = json.loads(content[8 : 8 + length])["__metadata__"][DIGEST_KEY]
    except SafetensorError as error:
        # Asked here only: a safetensors file may begin with these bytes too, which are then its header's length.
        if content[:2] == b"PK" or content[:1] == b"\x80":
            raise CheckpointError(
                f"{file}: a pickle, renamed; pickles can run code and are never loaded. {_WAY_OUT}"
            ) from error
        raise CheckpointError(f"{file}: truncated, or not a safetensors file ({error}). {_WAY_OUT}") from error
    except KeyError as error:
        raise CheckpointError(f"{file}: a safetensors file, but not one that a run wrote. {_WAY_OUT}") from error
    if _digest(tensors) != digest:
        raise CheckpointError(f"{file}: changed since it was written: its SHA-256 differs. {_WAY_OUT}")
    return tensors


def _checkpoint_weights(folder: RunFolder) -> dict[str, torch.Tensor]:
    checkpoints = Checkpoints(folder.checkpoints)
    best = checkpoints.best()
    checkpoint = checkpoints.load(best) if best else checkpoints.latest()
    if checkpoint is None:
        raise RunError(f"{folder.path}: no weights have been saved in it yet; `unrolled resume` it, or train anew")
    prefix = snapshot.WEIGHTS
    return {name.removeprefix(prefix): t for name, t in checkpoint.tensors.items() if name.startswith(prefix)}


def load_weights(model: Model, tensors: Mapping[str, torch.Tensor], folder: RunFolder) -> None:
    """Put `tensors`, which came from `folder`, into `model`; CheckpointError where they do not fit or are NaN."""
    wanted = snapshot.weights(model)
    if odd := sorted(wanted.keys() ^ tensors.keys()):
        raise CheckpointError(
            f"{folder.path}: weights of another model: {', '.join(odd[:3])} stands only in the weights, or only in the "
            "model of the options; put the right file back, or give the options of that run"
        )
    for name, tensor in tensors.items():
        if tensor.shape != wanted[name].shape:
            raise CheckpointError(
                f"{folder.path}: weights of another model: {name} is {tuple(tensor.shape)} there, and "
                f"{tuple(wanted[name].shape)} by the options; put the right file back, or give the options of that run"
            )
        if not torch.isfinite(tensor).all():
            raise CheckpointError(f"{folder.path}: {name} holds NaN or infinity; use another run, or train anew")
    with torch.no_grad():
        for name, tensor in tensors.items():
            wanted[name].copy_(tensor)


def write_weights(folder: RunFolder, model: Model) -> None:
    """model.safetensors, whole or not at all, with its digest in it: the format has none of its own."""
    tensors = _plain(model)
    # One key of metadata only: several would be written in any order, and the same weights must give the same bytes.
    disk.write_whole(folder.weights_file, save_tensors(tensors, {DIGEST_KEY: _digest(tensors)}))


def digest_of(model: Model) -> str:
    """SHA-256 of a model's weights."""
    return _digest(_plain(model))


def _plain(model: Model) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in snapshot.weights(model).items()}


def _digest(tensors: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 of the tensors as safetensors writes them without metadata."""
    return hashlib.sha256(save_tensors(dict(tensors))).hexdigest()
