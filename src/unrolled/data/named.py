"""Data sets by name: finding them on this machine, fetching and checking them. catalogue.py says what they are.

Looked for in the folder `UNROLLED_DATA`, then in the user's cache, where `get` puts it.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import urllib.error
import urllib.request
from pathlib import Path

from unrolled.data.catalogue import CATALOGUE, DataSet, Piece
from unrolled.data.folders import cache_folder
from unrolled.data.new_file import NewFile
from unrolled.errors import DataError, did_you_mean

#: Seconds without an answer after which a download gives up.
PATIENCE = 30
_CHUNK = 1 << 16


def names() -> list[str]:
    """Every name in the catalogue."""
    return [data_set.name for data_set in CATALOGUE]


def is_known(name: str) -> bool:
    """Whether the catalogue has it; case, hyphens and underscores do not matter."""
    return any(_plain(name) == _plain(known) for known in names())


def describe(name: str) -> DataSet:
    """The catalogue's entry. DataError with the nearest name where there is none."""
    for data_set in CATALOGUE:
        if _plain(name) == _plain(data_set.name):
            return data_set
    raise DataError(f"{name}: no data set of that name.{did_you_mean(name, names())} There are {', '.join(names())}")


def members(name: str) -> tuple[DataSet, ...]:
    """The data set of that name; or where none has it, those whose names begin with it: `multi30k` is six files."""
    group = tuple(one for one in CATALOGUE if one.name.startswith(f"{name}_"))
    return (describe(name),) if is_known(name) or len(group) < 2 else group


def locate(name: str) -> Path | None:
    """The file on this machine, if it is there."""
    file = describe(name).file
    folders = [Path(own)] if (own := os.environ.get("UNROLLED_DATA")) else []
    for folder in [*folders, cache_folder() / "data"]:
        if (folder / file).is_file():
            return folder / file
    return None


def find(name: str, of: str = "") -> Path:
    """The file on this machine. DataError that says how to get it where it is not there.

    of: the name of several, of which this is one and all are needed.
    """
    path = locate(name)
    if path is None:
        data_set, size = describe(name), sum(one.size for one in members(of or name))
        what = f"`unrolled data get {of or data_set.name}` fetches {'all that is needed' if of else 'it'}"
        way = f"{what} ({size / 1e6:.1f} MB)" if data_set.pieces else _nothing_to_fetch(data_set)
        raise DataError(
            f"{data_set.name}: not on this machine yet: {way}, {'or' if data_set.pieces else 'so'} put it at "
            f"{data_set.file} in a folder that UNROLLED_DATA names"
        )
    return path


def verify(name: str) -> Path:
    """`find`, and every byte is as in the catalogue; DataError where not."""
    path, data_set = find(name), describe(name)
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    if found != data_set.sha256:
        raise DataError(
            f"{path}: SHA-256 {found[:16]}…, where {data_set.sha256[:16]}… was expected: it is not the "
            f"{data_set.name} that figures are given for. Remove it and `unrolled data get {data_set.name}`"
        )
    return path


def get(name: str) -> Path:
    """Fetches it into the user's cache, unless it is on this machine and right; its place.

    DataError without a network, for an answer of the wrong size or SHA-256, and where it cannot be written. The file
    appears when it is whole and checked.
    """
    if locate(name) is not None:
        return verify(name)
    data_set = describe(name)
    if not data_set.pieces:
        raise DataError(f"{data_set.name}: {_nothing_to_fetch(data_set)}. {_by_hand(data_set)}")
    return download(data_set, cache_folder() / "data")


def download(data_set: DataSet, folder: Path) -> Path:
    """Fetches the pieces and puts the data set at its place in `folder`."""
    # The pieces' line ends may be shorter than those of the finished file, never longer.
    contents = []
    left = data_set.size
    for piece in data_set.pieces:
        content = _fetch(data_set, piece, left)
        left -= len(content)
        contents.append(content)
    whole = b"".join(contents)
    if (line_end := data_set.line_ends) is not None:
        whole = re.sub(rb"\r\n|\r|\n", lambda _: line_end, whole)
    found = hashlib.sha256(whole).hexdigest()
    if found != data_set.sha256:
        raise _changed(data_set, data_set.source, found, data_set.sha256)
    path = folder / data_set.file
    try:
        with NewFile(path) as file:
            file.write(whole)
    except OSError as error:
        raise DataError(
            f"{path}: cannot be written: {error.strerror}; free the place, or set UNROLLED_CACHE to another folder"
        ) from error
    return path


def _fetch(data_set: DataSet, piece: Piece, most: int) -> bytes:
    content = bytearray()
    try:
        request = urllib.request.Request(piece.url, headers={"User-Agent": "unrolled"})
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            while chunk := answer.read(_CHUNK):
                content += chunk
                if len(content) > most:
                    raise DataError(
                        f"{piece.url}: more than the {most:,} bytes expected of {data_set.name}: its source has "
                        f"changed. {_by_hand(data_set)}"
                    )
    except urllib.error.HTTPError as error:
        with error:
            raise DataError(
                f"{piece.url}: the server says {error.code} {error.reason}. {_by_hand(data_set)}"
            ) from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise DataError(
            f"{piece.url}: not reached ({reason}): try again with a network. {_by_hand(data_set)}"
        ) from error
    if piece.sha256 is not None:
        found = hashlib.sha256(content).hexdigest()
        if found != piece.sha256:
            raise _changed(data_set, piece.url, found, piece.sha256)
    return bytes(content)


def _changed(data_set: DataSet, place: str, found: str, expected: str) -> DataError:
    return DataError(
        f"{place}: SHA-256 {found[:16]}… came, {expected[:16]}… was expected: it was damaged on the way, or its "
        f"source has changed. Nothing is kept. {_by_hand(data_set)}"
    )


def _nothing_to_fetch(data_set: DataSet) -> str:
    return f"its source ({data_set.source}) has no one file to fetch"


def _by_hand(data_set: DataSet) -> str:
    return f"A copy from elsewhere can be put at {data_set.file} in a folder that UNROLLED_DATA names"


def _plain(name: str) -> str:
    return re.sub(r"[-_ ]", "", name).casefold()
