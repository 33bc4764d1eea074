"""One checkpoint as the bytes of a safetensors file, and back; what is wrong with bytes that are none, in words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from unrolled.errors import CheckpointError

#: Key of the metadata under which the facts stand.
FACTS = "unrolled"


def serialise(tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> bytes:
    """The bytes of a safetensors file. One metadata key only: safetensors writes several in any order."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    return safetensors.torch.save(plain, {FACTS: json.dumps(facts, sort_keys=True, allow_nan=False)})


def parse(path: Path, content: bytes) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and facts out of a file's bytes; `path` is for the message."""
    try:
        tensors = safetensors.torch.load(content)
        length = int.from_bytes(content[:8], "little")
        metadata = json.loads(content[8 : 8 + length]).get("__metadata__", {})
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path} {damage(content, None)}") from error
    if FACTS not in metadata:
        raise CheckpointError(
            f"{path} is a safetensors file, but no checkpoint of a training: it has no {FACTS!r} facts"
        )
    try:
        facts = json.loads(metadata[FACTS])
    except ValueError as error:
        raise CheckpointError(f"{path} has facts that are no JSON ({error}); use an earlier checkpoint") from error
    if not isinstance(facts, dict):
        raise CheckpointError(f"{path} has facts that are no table; use an earlier checkpoint")
    return tensors, facts


def damage(content: bytes, expected: int | None) -> str:
    """What is wrong with a file that is not what it should be, in words."""
    if content[:2] == b"PK" or (content[:1] == b"\x80" and content[1:2] in b"\x02\x03\x04\x05"):
        return "is a pickle, which could run code and is never read; a checkpoint is a safetensors file"
    if not content:
        return "is empty"
    if expected is not None and len(content) < expected:
        return f"is truncated: it has {len(content)} bytes of {expected}"
    if expected is not None:
        return "has been changed since it was written: its SHA-256 is not the manifest's"
    return "is not a safetensors file, or is damaged"
