"""The file of encoded symbols: written whole or not at all, mapped into memory, found out when damaged.

Layout: the symbols as they lie in memory (little-endian), then a trailer of JSON, its length and its CRC-32 (four
bytes each, little-endian), and eight bytes of magic. The trailer has the symbols' type, number and CRC-32, the key
and the vocabulary.
"""

from __future__ import annotations

import errno
import json
import os
import struct
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from unrolled.data.new_file import NewFile
from unrolled.errors import DataError

MAGIC = b"unrolled"
_END = struct.Struct("<II8s")
_CHUNK = 1 << 20
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Encoded(NamedTuple):
    """ids: (N,), read-only. assets: the vocabulary's."""

    ids: np.ndarray
    assets: Mapping[str, Any]


def load(path: Path, key: str) -> Encoded | None:
    """What `store` wrote under this key; None where there is nothing, or what there is is damaged."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            if size < _END.size:
                return None
            file.seek(size - _END.size)
            length, check, magic = _END.unpack(file.read(_END.size))
            if magic != MAGIC or length > size - _END.size:
                return None
            file.seek(size - _END.size - length)
            trailer = file.read(length)
            if zlib.crc32(trailer) != check:
                return None
            facts = json.loads(trailer)
            dtype = np.dtype(facts["dtype"])
            symbols = size - _END.size - length
            if facts["key"] != key or symbols != facts["count"] * dtype.itemsize:
                return None
            file.seek(0)
            if _crc(file, symbols) != facts["crc"]:
                return None
            if facts["count"] == 0:
                return Encoded(np.zeros(0, dtype), facts["vocabulary"])
            return Encoded(np.memmap(file, dtype, "r", shape=(facts["count"],)), facts["vocabulary"])
    except OSError:
        # Whatever hinders reading here, the text itself can still be encoded.
        return None


def store(
    path: Path, key: str, chunks: Iterable[np.ndarray], dtype: np.dtype[Any], assets: Mapping[str, Any]
) -> tuple[Encoded, str]:
    """Writes the chunks and maps the file: (Encoded, "").

    Where the folder cannot be written they are kept in memory: (Encoded, why). DataError where the disk is full or
    fails; nothing is left behind then, nor after any other failure.
    """
    dtype = dtype.newbyteorder("<")
    try:
        file = NewFile(path)
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise _unwritable(path, error) from error
        ids = np.concatenate([np.zeros(0, dtype), *chunks])
        ids.flags.writeable = False
        return Encoded(ids, assets), f"{path.parent} cannot be written ({error.strerror})"
    try:
        with file:
            crc = count = 0
            for chunk in chunks:
                data = np.ascontiguousarray(chunk, dtype).data
                file.write(data)
                crc = zlib.crc32(data, crc)
                count += len(chunk)
            facts = {"key": key, "dtype": dtype.str, "count": count, "crc": crc, "vocabulary": assets}
            trailer = json.dumps(facts).encode()
            file.write(trailer + _END.pack(len(trailer), zlib.crc32(trailer), MAGIC))
            # Mapped before it has its name, under which another process may replace it.
            kept = load(file.partial, key)
            if kept is None:
                raise DataError(
                    f"{path}: not what was written to it a moment ago: check the disk, or set UNROLLED_CACHE to "
                    "another folder"
                )
    except OSError as error:
        raise _unwritable(path, error) from error
    return kept, ""


def _crc(file: Any, length: int) -> int:
    crc = 0
    while length and (chunk := file.read(min(_CHUNK, length))):
        crc = zlib.crc32(chunk, crc)
        length -= len(chunk)
    return crc


def _unwritable(path: Path, error: OSError) -> DataError:
    full = "no room for the encoded text" if error.errno in _NO_ROOM else "the encoded text cannot be written"
    return DataError(
        f"{path.parent}: {full} ({error.strerror}): free some, or set UNROLLED_CACHE to a folder with room"
    )
