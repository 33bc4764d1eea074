"""Texts in chunks, of whatever size they are: opened, unpacked, decoded, joined; every failure names file and place."""

from __future__ import annotations

import bz2
import codecs
import gzip
import hashlib
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from encodings.aliases import aliases
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from unrolled.data.text import TEXT_ENDINGS, UTF16_MARKS, unreadable
from unrolled.errors import DataError, OptionError, did_you_mean

#: Bytes that are read, and so held, at a time.
CHUNK = 1 << 20
UTF8_MARK = codecs.BOM_UTF8
#: What ends a line. A form feed or U+2028, at which Python's own `splitlines` parts lines too, stands within one.
_LINE_END = re.compile("\r\n|\r|\n")

_UNPACKERS: dict[str, Callable[[Path], AbstractContextManager]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
}
_DAMAGE = (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, gzip.BadGzipFile)


@dataclass(frozen=True)
class Part:
    """One stretch of bytes: a file, unpacked, or one member of a zip archive."""

    path: Path
    member: str = ""

    @property
    def label(self) -> str:
        return f"{self.path}: {self.member}" if self.member else str(self.path)

    def chunks(self) -> Iterator[bytes]:
        """At most CHUNK bytes at a time. DataError where it cannot be read or unpacked to its end."""
        read = 0
        try:
            if self.member:
                with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as file:
                    while chunk := file.read(CHUNK):
                        yield chunk
                        read += len(chunk)
                return
            opened = _UNPACKERS.get(self.path.suffix.lower(), lambda path: path.open("rb"))(self.path)
            with opened as unpacked:
                while chunk := cast("BinaryIO", unpacked).read(CHUNK):
                    yield chunk
                    read += len(chunk)
        except _DAMAGE as error:
            raise _damaged(self, read, error) from error
        except RuntimeError as error:  # how zipfile says "encrypted", and of methods it does not know "not implemented"
            raise DataError(
                f"{self.label}: cannot be unpacked: {error}; unpack it yourself and name the text"
            ) from error
        except OSError as error:
            # bz2 and gzip say so of damaged data too, and then there is no error number.
            raise (unreadable(self.path, error) if error.errno else _damaged(self, read, error)) from error


def parts(files: Iterable[Path]) -> list[Part]:
    """Every file, zip archives opened out: an archive's one member, or those with a text's ending, sorted by name."""
    opened = []
    for path in files:
        if path.suffix.lower() == ".zip":
            opened += _members(path)
        else:
            opened.append(Part(path))
    return opened


def digest(texts: list[Part]) -> str:
    """SHA-256 in hexadecimal: of one part, that of its bytes; of several, that of the list of theirs, in order."""
    digests = []
    for part in texts:
        digester = hashlib.sha256()
        for chunk in part.chunks():
            digester.update(chunk)
        digests.append(digester.hexdigest())
    return digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()


def read_bytes(texts: list[Part]) -> Iterator[bytes]:
    """All parts as they are, with a line end put in where a part lacks its last one."""
    last = b"\n"
    for part in texts:
        for place, chunk in enumerate(part.chunks()):
            if place == 0 and last != b"\n":
                yield b"\n"
            yield chunk
            last = chunk[-1:]


def read_text(texts: list[Part], encoding: str, or_bytes: bool = False) -> Iterator[str]:
    """All parts decoded, byte-order marks dropped, with a line end put in where a part lacks its last one.

    Line ends stay as they are. DataError at the first byte that `encoding` does not know, or at a zero byte.
    or_bytes: whether what is no text could be read as bytes instead, which the error then says.
    """
    last = "\n"
    for part in texts:
        first = True
        for text in _decoded(part, encoding, or_bytes):
            if first and last != "\n":
                yield "\n"
            first = False
            yield text
            last = text[-1]


def split_lines(whole: str) -> list[str]:
    """The lines of a text, without their ends, and none behind the last end: so whoever reads a file counts them."""
    lines = _LINE_END.split(whole)
    return lines if lines[-1] else lines[:-1]


def check_encoding(encoding: str) -> str:
    """The codec's own name. OptionError where Python has none that turns bytes into text."""
    try:
        # codecs.lookup alone would let through what turns bytes into bytes, such as base64.
        io.TextIOWrapper(io.BytesIO(), encoding)
        name = codecs.lookup(encoding).name
    except (LookupError, ValueError) as error:
        raise OptionError(
            f"--encoding {encoding}: a text encoding was expected, such as utf-8, latin-1, cp1252, utf-16."
            f"{did_you_mean(encoding, [*aliases, *aliases.values()])}"
        ) from error
    return name


def _decoded(part: Part, encoding: str, or_bytes: bool) -> Iterator[str]:
    """Non-empty pieces of text."""
    wide = encoding.startswith(("utf-16", "utf-32"))
    decoder = codecs.getincrementaldecoder(encoding)()
    offset = lines = 0
    for place, chunk in enumerate(_with_end(part.chunks())):
        data = chunk
        if place == 0:
            if not wide and chunk.startswith(UTF16_MARKS):
                raise DataError(f"{part.label}: begins with the mark of UTF-16, not {encoding}: give --encoding utf-16")
            if encoding == "utf-8" and chunk.startswith(UTF8_MARK):
                data = chunk[len(UTF8_MARK) :]
                offset = len(UTF8_MARK)
        if not wide and (zero := data.find(b"\0")) >= 0:
            way_out = "give --symbols bytes to learn it as bytes" if or_bytes else "name another file"
            raise DataError(
                f"{part.label}: a binary file (zero byte at byte {offset + zero:,}), where a text was expected: "
                f"{way_out}"
            )
        waiting = len(decoder.getstate()[0])
        try:
            text = decoder.decode(data, final=not chunk)
        except UnicodeDecodeError as error:
            line = lines + error.object[: error.start].decode(encoding, "ignore").count("\n") + 1
            raise DataError(
                f"{part.label}: not {encoding} at byte {offset - waiting + error.start:,}, line {line:,} "
                f"(0x{error.object[error.start]:02X}: {error.reason}): give --encoding latin-1, or its true one"
                f"{', or --symbols bytes' if or_bytes else ''}"
            ) from error
        offset += len(data)
        if text:
            lines += text.count("\n")
            yield text


def _with_end(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The chunks, then an empty one, at which a decoder says what is unfinished."""
    yield from chunks
    yield b""


def all_members(path: Path) -> list[Part]:
    """Every file of a zip archive, of whatever kind, sorted by name; hidden ones are passed over."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = sorted(info.filename for info in archive.infolist() if not info.is_dir())
    except zipfile.BadZipFile as error:
        raise _damaged(Part(path), 0, error) from error
    except OSError as error:
        raise unreadable(path, error) from error
    return [
        Part(path, name)
        for name in names
        if not any(step.startswith((".", "__MACOSX")) for step in PurePosixPath(name).parts)
    ]


def _members(path: Path) -> list[Part]:
    members = all_members(path)
    if len(members) != 1:
        members = [part for part in members if PurePosixPath(part.member).suffix.lower() in TEXT_ENDINGS]
    if not members:
        raise DataError(f"{path}: no text in this archive: unpack it and name the files")
    return members


def _damaged(part: Part, read: int, error: Exception) -> DataError:
    kind = part.path.suffix.lower().lstrip(".")
    return DataError(
        f"{part.label}: a damaged {kind} file, after {read:,} unpacked bytes ({error}): fetch or pack it again"
    )
