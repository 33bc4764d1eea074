"""Pictures in classes: a zip archive with one folder a class, read with the extra `pictures`."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import torch

from unrolled.batch import Batch
from unrolled.data.randomness import Purpose, draws
from unrolled.data.streams import checked_rows
from unrolled.errors import DataError, OptionError

SUFFIXES = (".jpg", ".jpeg", ".png")


class Pictures(NamedTuple):
    """values: (N, rows, columns, 3) uint8. labels: (N,) int64, places in `classes`, which is sorted.

    digest: SHA-256 of the archive.
    """

    values: np.ndarray
    labels: np.ndarray
    classes: list[str]
    digest: str

    def only(self, places: np.ndarray) -> Pictures:
        """Those at `places`, in that order."""
        return Pictures(self.values[places], self.labels[places], self.classes, self.digest)


def read_archive(path: Path) -> Pictures:
    """Every picture of the archive, `class/file` by name, sorted, in colour.

    DataError where it is no archive, holds a picture that cannot be read, or pictures of several sizes.
    """
    image = _pillow()
    try:
        content = path.read_bytes()
        archive = zipfile.ZipFile(io.BytesIO(content))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except zipfile.BadZipFile as error:
        raise DataError(f"{path}: a zip archive with one folder a class was expected: {error}") from error
    with archive:
        names = [name for name in sorted(archive.namelist()) if name.lower().endswith(SUFFIXES)]
        folders = [PurePosixPath(name).parent.name for name in names]
        classes = sorted(set(folders))
        if len(classes) < 2 or "" in classes:
            raise DataError(f"{path}: one folder a class was expected, two or more; pictures in {classes} were found")
        values = [_read(image, archive, name, path) for name in names]
    if odd := next((name for name, value in zip(names, values, strict=True) if value.shape != values[0].shape), None):
        raise DataError(f"{path}: {odd} is of another size than {names[0]}; bring all to one size")
    labels = np.array([classes.index(folder) for folder in folders], dtype=np.int64)
    return Pictures(np.stack(values), labels, classes, hashlib.sha256(content).hexdigest())


def _read(image: Any, archive: zipfile.ZipFile, name: str, path: Path) -> np.ndarray:
    try:
        with image.open(io.BytesIO(archive.read(name))) as picture:
            return np.asarray(picture.convert("RGB"))
    except (OSError, SyntaxError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: {name} in it is no picture that can be read: {error}") from error


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise OptionError("pictures need the package pillow: pip install 'unrolled[pictures]'") from error
    return Image


def split(pictures: Pictures, parts: tuple[float, float], seed: int = 0) -> tuple[Pictures, Pictures, Pictures]:
    """What is left for training, and two held-out parts of these shares; `seed` decides which goes where."""
    count = len(pictures.labels)
    sizes = [int(part * count) for part in parts]
    if min(sizes) < 1 or sum(sizes) >= count:
        raise DataError(f"{count:,} pictures cannot be split so that {sizes[0]:,} and {sizes[1]:,} are held out")
    order = draws(seed, Purpose.SPLIT).permutation(count)
    train, valid, test = (np.sort(part) for part in np.split(order, [count - sum(sizes), count - sizes[1]]))
    return pictures.only(train), pictures.only(valid), pictures.only(test)


class Scale(NamedTuple):
    """Mean and standard deviation of each channel, of numbers from 0 to 255, which pictures are scaled by."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    @classmethod
    def of(cls, pictures: Pictures) -> Scale:
        """Of the training part."""
        mean, deviation = pictures.values.mean((0, 1, 2)), pictures.values.std((0, 1, 2))
        return cls(tuple(mean.tolist()), tuple(np.maximum(deviation, 1.0).tolist()))

    def apply(self, values: np.ndarray) -> torch.Tensor:
        """float32, of mean 0 and variance 1 in each channel."""
        scaled = (values - np.array(self.mean, np.float32)) / np.array(self.deviation, np.float32)
        return torch.from_numpy(scaled.astype(np.float32))


class PictureBatches:
    """Batches of B pictures: a `batch.Source`, each epoch in an order of its own.

    shift: how many places a picture is moved at most, up, down and sideways, with zeros coming in; with a shift it is
        also mirrored half of the times, as He et al. (2016) do. 0 leaves pictures as they are.
    rows: (first, count) of the rows that this process reads; None is all.

    Fields: `pictures` (1, B, rows, columns, 3) and `targets` (1, B).
    """

    unit = "pictures"

    def __init__(
        self,
        pictures: Pictures,
        scale: Scale,
        batch_size: int,
        seed: int,
        shift: int = 0,
        rows: tuple[int, int] | None = None,
    ) -> None:
        if len(pictures.labels) < batch_size:
            raise DataError(f"{len(pictures.labels):,} pictures to train on, fewer than one batch of {batch_size:,}")
        self.pictures, self.scale, self.seed, self.shift, self.rows = pictures, scale, seed, shift, rows
        self.batch_size = batch_size
        # What is left over at an epoch's end is in another epoch's batches: every order is another.
        self.batches_per_epoch = len(pictures.labels) // batch_size
        self._first, self._count = checked_rows(rows, batch_size)

    def batch(self, number: int) -> Batch:
        """Batch `number` (0, 1, …)."""
        epoch, place = divmod(number, self.batches_per_epoch)
        order = draws(self.seed, Purpose.ORDER, epoch).permutation(len(self.pictures.labels))
        chosen = order[place * self.batch_size :][: self.batch_size]
        # Drawn for the whole batch, so that a row's are the same however many processes share it.
        generator = draws(self.seed, Purpose.OFFSETS, number)
        offsets = generator.integers(-self.shift, self.shift, (self.batch_size, 2), endpoint=True)
        mirrored = generator.random(self.batch_size) < 0.5
        own = slice(self._first, self._first + self._count)
        own_pictures = self.pictures.only(chosen[own])
        values = self.scale.apply(own_pictures.values)
        if self.shift:
            values = _moved(values, offsets[own], mirrored[own], self.shift)
        rows = None if self.rows is None else (self._first, self.batch_size)
        return _batch(values, own_pictures.labels, rows, f"batch {place + 1} of epoch {epoch + 1}")

    def for_rows(self, first: int, count: int) -> PictureBatches:
        """The same batches, giving rows first … first + count − 1 of each."""
        return PictureBatches(self.pictures, self.scale, self.batch_size, self.seed, self.shift, (first, count))


def in_order(pictures: Pictures, scale: Scale, batch_size: int) -> Iterator[Batch]:
    """Every picture once, as it stands; the last batch may have fewer rows."""
    for first in range(0, len(pictures.labels), batch_size):
        part = slice(first, first + batch_size)
        values = scale.apply(pictures.values[part])
        yield _batch(values, pictures.labels[part], None, f"pictures {first + 1} to {first + len(values)}")


def _moved(values: torch.Tensor, offsets: np.ndarray, mirrored: np.ndarray, shift: int) -> torch.Tensor:
    """Each picture (B, rows, columns, 3) moved down and to the right by its offset, and mirrored where so said."""
    _, rows, columns, _ = values.shape
    wide = torch.nn.functional.pad(values, (0, 0, shift, shift, shift, shift))
    moved = torch.empty_like(values)
    for place, ((down, across), mirror) in enumerate(zip(offsets.tolist(), mirrored.tolist(), strict=True)):
        top, left = shift - down, shift - across
        cut = wide[place, top : top + rows, left : left + columns]
        moved[place] = cut.flip(1) if mirror else cut
    return moved


def _batch(values: torch.Tensor, labels: np.ndarray, rows: tuple[int, int] | None, origin: str) -> Batch:
    return Batch({"pictures": values[None], "targets": torch.from_numpy(labels)[None]}, None, rows, origin)
