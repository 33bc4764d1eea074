"""Unpacking, decoding and joining, with every failure told by its place."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.data import reading
from unrolled.data.reading import Part
from unrolled.errors import DataError, OptionError

PACKERS: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
SAMPLE = "Ein naïver Text, 日本語 und 🙂.\n" * 50


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def archive(path: Path, **members: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def read(*paths: Path, encoding: str = "utf-8", or_bytes: bool = False) -> str:
    return "".join(reading.read_text(reading.parts(paths), encoding, or_bytes))


@pytest.mark.parametrize("ending", PACKERS)
def test_a_packed_text_is_the_text(tmp_path: Path, ending: str) -> None:
    plain = write(tmp_path / "a.txt", SAMPLE)
    packed = write(tmp_path / f"b.txt{ending}", PACKERS[ending](SAMPLE.encode()))
    assert read(packed) == SAMPLE
    assert reading.digest(reading.parts([packed])) == reading.digest(reading.parts([plain]))


def test_a_zip_archive_is_its_texts(tmp_path: Path) -> None:
    one = archive(tmp_path / "one.zip", **{"folder/only.data": SAMPLE, "__MACOSX/._only.data": "x", ".hidden": "h"})
    assert read(one) == SAMPLE
    several = archive(tmp_path / "several.zip", **{"b.txt": "second", "a.txt": "first", "c.png": "p"})
    assert read(several) == "first\nsecond"
    assert [part.label for part in reading.parts([several])] == [f"{several}: a.txt", f"{several}: b.txt"]
    with pytest.raises(DataError, match="no text in this archive"):
        reading.parts([archive(tmp_path / "none.zip", **{"a.png": "a", "b.png": "b"})])


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 1 << 20])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "shift_jis", "utf-8-sig"])
def test_chunks_may_end_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int, encoding: str) -> None:
    monkeypatch.setattr(reading, "CHUNK", chunk)
    content = "日本語, abc\r\n" * 3
    # A mark of three bytes cannot be told from one byte, so that a chunk is never so short.
    if encoding == "utf-8-sig" and chunk < 3:
        chunk = 3
    assert read(write(tmp_path / "a.txt", content.encode(encoding)), encoding=encoding) == content


def test_the_mark_at_the_beginning_is_no_character(tmp_path: Path) -> None:
    assert read(write(tmp_path / "a.txt", b"\xef\xbb\xbfabc"), write(tmp_path / "b.txt", b"\xef\xbb\xbfd")) == "abc\nd"
    # Elsewhere it is one.
    assert read(write(tmp_path / "c.txt", b"a\xef\xbb\xbfb")) == "a\ufeffb"


def test_lines_end_where_files_say_so_and_nowhere_else() -> None:
    assert reading.split_lines("a\r\nb\rc\n\nd\n") == ["a", "b", "c", "", "d"]
    assert reading.split_lines("page\fone\u2028and\x85so on") == ["page\fone\u2028and\x85so on"]
    assert reading.split_lines("") == [] and reading.split_lines("\n") == [""]


@given(st.lists(st.text(st.sampled_from("ab\n"), max_size=4), min_size=1, max_size=5))
def test_parts_are_joined_at_line_ends(tmp_path_factory: pytest.TempPathFactory, contents: list[str]) -> None:
    folder = tmp_path_factory.mktemp("joined")
    paths = [write(folder / f"{place}.txt", content) for place, content in enumerate(contents)]
    expected = ""
    for content in contents:
        if content:
            expected += "\n" if expected and not expected.endswith("\n") else ""
            expected += content
    parts = reading.parts(paths)
    assert "".join(reading.read_text(parts, "utf-8")) == expected
    assert b"".join(reading.read_bytes(parts)) == expected.encode()


def test_line_ends_stay_as_they_are(tmp_path: Path) -> None:
    assert read(write(tmp_path / "a.txt", b"a\r\nb\rc\n")) == "a\r\nb\rc\n"


def test_the_digest_is_sha256_and_tells_texts_and_their_order_apart(tmp_path: Path) -> None:
    a, b = write(tmp_path / "a", "first"), write(tmp_path / "b", "second")
    joined = write(tmp_path / "c", "first\nsecond")
    assert reading.digest([Part(a)]) == hashlib.sha256(b"first").hexdigest()
    several = [[Part(a), Part(b)], [Part(b), Part(a)], [Part(joined)], [Part(a), Part(a)]]
    assert len({reading.digest(parts) for parts in several}) == 4


@pytest.mark.parametrize("chunk", [5, 1 << 20])
def test_a_byte_that_is_no_utf8_is_told_by_offset_and_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(reading, "CHUNK", chunk)
    path = write(tmp_path / "a.txt", "é\nzwei\ndrei ".encode() + b"\xe9 vier")
    with pytest.raises(DataError) as refusal:
        read(path, or_bytes=True)
    said = str(refusal.value)
    assert said.startswith(f"{path}: not utf-8 at byte 13, line 3 (0xE9:")
    assert "--encoding latin-1" in said
    assert "--symbols bytes" in said
    with pytest.raises(DataError) as refusal:
        read(path)
    assert "--symbols" not in str(refusal.value)
    assert read(path, encoding="latin-1").endswith("drei é vier")


def test_the_offset_counts_the_mark(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="at byte 4, line 1"):
        read(write(tmp_path / "a.txt", b"\xef\xbb\xbfa\xff"))


def test_a_text_that_ends_within_a_character_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"at byte 2, line 1 \(0xE6: unexpected end of data\)"):
        read(write(tmp_path / "a.txt", "ab日".encode()[:-1]))


def test_a_binary_file_is_told_from_a_text(tmp_path: Path) -> None:
    binary = write(tmp_path / "a.txt", b"ab\ncd\0ef")
    with pytest.raises(DataError, match=r"a binary file \(zero byte at byte 5\).*--symbols bytes"):
        read(binary, or_bytes=True)
    assert b"".join(reading.read_bytes([Part(binary)])) == b"ab\ncd\0ef"


def test_utf16_is_recognised(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "text".encode("utf-16"))
    with pytest.raises(DataError, match="give --encoding utf-16"):
        read(path)
    assert read(path, encoding="utf-16") == "text"


@pytest.mark.parametrize("ending", [*PACKERS, ".zip"])
def test_a_damaged_archive_is_refused(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.txt{ending}"
    if ending == ".zip":
        archive(path, **{"a.txt": SAMPLE})
    else:
        write(path, PACKERS[ending](SAMPLE.encode()))
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    for damaged in (whole[: len(whole) // 2], bytes(flipped), b"no archive at all", b""):
        write(path, damaged)
        if damaged == b"" and ending in (".gz", ".bz2", ".xz"):
            continue  # which a reader of these takes for an empty text: the corpus refuses it as such
        with pytest.raises(DataError, match=rf"a.txt\{ending}.*: a damaged .* file, after [\d,]+ unpacked bytes"):
            read(path)


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", **{"a.txt": "secret"})
    content = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + flags] |= 1
    write(path, bytes(content))
    with pytest.raises(DataError, match=r"a.zip: a.txt: cannot be unpacked: .*encrypted"):
        read(path)


def test_what_the_system_refuses_is_named(tmp_path: Path, open_folder: Path, as_nobody) -> None:
    for wrong, said in [(tmp_path / "none.txt", "no such file"), (tmp_path, "a folder, where a file was expected")]:
        with pytest.raises(DataError, match=said):
            read(wrong)
    with pytest.raises(DataError, match="no such file"):
        read(tmp_path / "none.zip")
    closed = write(open_folder / "closed.txt", "text")
    closed.chmod(0)
    with as_nobody(), pytest.raises(DataError, match=r"closed.txt: no permission to read it"):
        read(closed)


def test_an_encoding_is_checked() -> None:
    assert reading.check_encoding("UTF8") == "utf-8"
    assert reading.check_encoding("latin1") == "iso8859-1"
    with pytest.raises(OptionError, match=r"--encoding utf-88: .* Did you mean '.*utf_8'"):
        reading.check_encoding("utf-88")
    for no_text in ("base64", "rot13", "utf-8\0"):
        with pytest.raises(OptionError, match="a text encoding was expected"):
            reading.check_encoding(no_text)
