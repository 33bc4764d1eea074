"""Pictures of handwritten digits, read pixel by pixel as a sequence."""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from unrolled.data.examples import Fields
from unrolled.data.randomness import Purpose, draws
from unrolled.errors import DataError

#: What a file of digits holds: pictures (N, 28, 28) uint8 and digits (N,), the official training and test parts.
KEYS = ("x", "y", "xt", "yt")
SIDE = 28


class Digits(NamedTuple):
    """pictures: (N, side · side) float32 in [0, 1], row by row. digits: (N,) int64, what each shows."""

    pictures: np.ndarray
    digits: np.ndarray

    def sequences(self, numbers: np.ndarray) -> Fields:
        """Fields `inputs` (side · side, B, 1), a pixel a step, and `targets` (1, B), of the pictures so numbered."""
        return {
            "inputs": torch.from_numpy(np.ascontiguousarray(self.pictures[numbers].T))[..., None],
            "targets": torch.from_numpy(self.digits[numbers])[None],
        }


class DigitParts(NamedTuple):
    """The official training part and test part. digest: SHA-256 of the file."""

    train: Digits
    test: Digits
    digest: str


def load_digits(file: Path, side: int, permuted: bool) -> DigitParts:
    """Read a .npz of KEYS; `side` 28 keeps the pictures, 14 makes each pixel the mean of 2 × 2.

    permuted: put the pixels in one shuffled order, the same for every picture and every run.
    DataError where the file is none such.
    """
    try:
        content = file.read_bytes()
        # No pickle is loaded: an array of objects is refused.
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            if missing := [key for key in KEYS if key not in archive.files]:
                raise DataError(f"{file}: no array {', '.join(missing)} in it; expected {', '.join(KEYS)}, as in mnist")
            arrays = {key: archive[key] for key in KEYS}
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror or error}") from error
    except (ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{file}: not a .npz file of pictures ({error}); --data mnist is one") from error
    order = draws(0, Purpose.PERMUTATION).permutation(side * side) if permuted else np.arange(side * side)
    train, test = (
        Digits(_flat(arrays[pictures], side, file)[:, order], _checked(arrays[digits], arrays[pictures], file))
        for pictures, digits in (("x", "y"), ("xt", "yt"))
    )
    return DigitParts(train, test, hashlib.sha256(content).hexdigest())


def _flat(pictures: np.ndarray, side: int, file: Path) -> np.ndarray:
    """(N, 28, 28) uint8 → (N, side · side) float32 in [0, 1]."""
    if pictures.dtype != np.uint8 or pictures.shape[1:] != (SIDE, SIDE):
        raise DataError(
            f"{file}: pictures (N, {SIDE}, {SIDE}) of uint8 were expected; {pictures.dtype} {pictures.shape} came"
        )
    block = SIDE // side
    blocks = pictures.reshape(-1, side, block, side, block)
    return (blocks.mean((2, 4), dtype=np.float32) / 255).reshape(len(pictures), side * side)


def _checked(digits: np.ndarray, pictures: np.ndarray, file: Path) -> np.ndarray:
    if digits.shape != pictures.shape[:1] or digits.dtype.kind not in "iu" or not np.isin(digits, range(10)).all():
        raise DataError(f"{file}: one digit from 0 to 9 for each of {len(pictures):,} pictures was expected")
    return digits.astype(np.int64)
