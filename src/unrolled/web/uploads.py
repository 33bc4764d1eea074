"""Texts and tables that a browser sends: bounded, read through once, kept beside the runs, and known by their names."""

from __future__ import annotations

import asyncio
import codecs
import os
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from unrolled.web.answers import RefusedError, too_large
from unrolled.web.fields import FieldError
from unrolled.workshop import disk
from unrolled.workshop import folder as folders

#: The folder below that of the runs, and what a data field says before the name.
FOLDER = "uploads"
PREFIX = "upload:"
#: Endings of what can be learnt from.
ENDINGS = (".txt", ".csv", ".tsv", ".md")
#: Files that are kept, bytes of them all, and seconds in which the next piece of one must come.
MOST = 200
MOST_BYTES = 1 << 30
PIECE = 20.0


def listed(home: Path) -> list[dict[str, Any]]:
    """Those that are here, as data sets."""
    return [
        {
            "name": file.name,
            "value": f"{PREFIX}{file.name}",
            "upload": True,
            "here": True,
            "summary": "sent by a browser",
            "licence": "",
            "bytes": file.stat().st_size,
        }
        for file in _files(home)
    ]


def _files(home: Path) -> list[Path]:
    folder = home / FOLDER
    if not folder.is_dir():
        return []
    return sorted(file for file in folder.iterdir() if file.suffix in ENDINGS and file.is_file())


def find(home: Path, name: str, field: str) -> Path:
    """The file of that name; FieldError where there is none."""
    for file in _files(home):
        if file.name == name:
            return file
    raise FieldError(field, f"{name[:100]!r}: no file of that name was sent; send it again")


async def keep(home: Path, name: str, pieces: AsyncIterator[bytes], most: int) -> Path:
    """Write what comes to a file called like `name`; RefusedError where it is too large, too slow or no UTF-8."""
    stem, ending = os.path.splitext(name)
    if ending.lower() not in ENDINGS:
        raise RefusedError(400, "Upload", f"{name[:100]!r}: expected a text or a table: {', '.join(ENDINGS)}")
    known = _files(home)
    room = MOST_BYTES - sum(file.stat().st_size for file in known)
    if len(known) >= MOST or room <= 0:
        raise RefusedError(409, "Upload", f"{home / FOLDER} is full: remove files from it")
    folder = home / FOLDER
    unfinished = folder / f".{secrets.token_hex(8)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with unfinished.open("wb") as out:
            async for piece in _checked(pieces, min(most, room), name):
                out.write(piece)
        chosen = _free(folder, folders.plain_name(stem), ending.lower())
        os.replace(unfinished, chosen)
        return chosen
    except OSError as error:
        raise disk.unwritable(error, folder) from error
    finally:
        unfinished.unlink(missing_ok=True)


async def _checked(pieces: AsyncIterator[bytes], most: int, name: str) -> AsyncIterator[bytes]:
    decoder, size = codecs.getincrementaldecoder("utf-8")(), 0
    while True:
        try:
            async with asyncio.timeout(PIECE):
                piece = await anext(pieces, None)
        except TimeoutError:
            raise RefusedError(408, "Upload", f"nothing came for {PIECE:.0f} s: send it again") from None
        size += len(piece or b"")
        if size > most:
            raise too_large(most)
        try:
            text = decoder.decode(piece or b"", final=piece is None)
        except UnicodeDecodeError:
            raise RefusedError(
                400, "Upload", f"{name[:100]!r}: not UTF-8: save it as such, then send it again"
            ) from None
        if "\0" in text:
            raise RefusedError(400, "Upload", f"{name[:100]!r}: not a text: it holds bytes that no text has")
        if piece is None:
            break
        yield piece
    if size == 0:
        raise RefusedError(400, "Upload", f"{name[:100]!r}: empty: there is nothing to learn from")


def _free(folder: Path, stem: str, ending: str) -> Path:
    number = 1
    while (path := folder / (f"{stem}{ending}" if number == 1 else f"{stem}-{number}{ending}")).exists():
        number += 1
    return path
