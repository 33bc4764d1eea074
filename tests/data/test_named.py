"""Data sets by name, fetched from a server on this machine."""

from __future__ import annotations

import hashlib
import http.server
import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from unrolled.data import named
from unrolled.data.catalogue import DataSet, Piece
from unrolled.errors import DataError
from unrolled.workshop.catalogue import DataGetRequest, data_get

TEXTS = ("tinyshakespeare", "sonnets", "stacks", "war_and_peace", "names")
CONTENT = b"first part\nsecond part\n" * 5000
PIECES = {"/a.txt": CONTENT[:60_000], "/b.txt": CONTENT[60_000:]}


class Answers(http.server.BaseHTTPRequestHandler):
    """The pieces; /cut breaks off, /no is refused."""

    def do_GET(self) -> None:
        if self.path == "/no":
            self.send_error(404)
            return
        content = CONTENT if self.path == "/cut" else PIECES[self.path]
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if self.path == "/cut" else content)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("no_proxy", "*")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


@pytest.fixture
def data_set(server: str, monkeypatch: pytest.MonkeyPatch) -> DataSet:
    made = DataSet(
        name="two_parts",
        summary="made up",
        file="text/two_parts.txt",
        size=len(CONTENT),
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        licence="none",
        source="nobody/nothing: a.txt, b.txt",
        pieces=tuple(Piece(server + path, hashlib.sha256(content).hexdigest()) for path, content in PIECES.items()),
    )
    monkeypatch.setattr(named, "CATALOGUE", (*named.CATALOGUE, made))
    return made


def install(monkeypatch: pytest.MonkeyPatch, changed: DataSet) -> None:
    monkeypatch.setattr(named, "CATALOGUE", (*named.CATALOGUE[:-1], changed))


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_data_set_is_fetched_checked_and_found(data_set: DataSet, cache: Path) -> None:
    assert named.locate("two_parts") is None
    with pytest.raises(DataError, match="not on this machine yet: `unrolled data get two_parts` fetches it"):
        named.find("two_parts")
    path = named.get("two_parts")
    assert path == cache / "data" / "text" / "two_parts.txt"
    assert path.read_bytes() == CONTENT
    assert named.find("Two-Parts") == named.verify("twoparts") == path
    assert files(cache) == [path]


def test_what_belongs_together_is_fetched_at_once(data_set: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    both = tuple(replace(data_set, name=f"pair_{side}", file=f"text/{side}.txt") for side in "ab")
    monkeypatch.setattr(named, "CATALOGUE", (*named.CATALOGUE, *both))
    assert named.members("pair") == both and named.members("pair_b") == both[1:]
    assert len(named.members("multi30k")) == 6
    with pytest.raises(DataError, match="no data set of that name"):
        named.members("two")  # what begins one name alone is none
    with pytest.raises(DataError, match=r"pair_a: .*`unrolled data get pair` fetches all that is needed \(0\.2 MB\)"):
        named.find("pair_a", of="pair")
    list(data_get(DataGetRequest("pair")))
    assert [named.find(one.name).read_bytes() for one in both] == [CONTENT] * 2


def test_what_has_no_file_to_fetch_says_so_at_once(data_set: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, replace(data_set, pieces=()))
    with pytest.raises(DataError, match=r"has no one file to fetch, so put it at text/two_parts\.txt in a folder"):
        named.find("two_parts")
    with pytest.raises(DataError, match=r"has no one file to fetch\. A copy from elsewhere can be put at"):
        named.get("two_parts")


def test_what_is_there_is_not_fetched_again(data_set: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    path = named.get("two_parts")
    install(monkeypatch, replace(data_set, pieces=(Piece("http://127.0.0.1:1/none"),)))
    assert named.get("two_parts") == path


def test_the_users_own_folder_comes_first(data_set: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named.get("two_parts")
    own = tmp_path / "own" / "text" / "two_parts.txt"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"mine")
    monkeypatch.setenv("UNROLLED_DATA", str(tmp_path / "own"))
    assert named.find("two_parts") == own
    with pytest.raises(DataError, match=r"two_parts.txt: SHA-256 [0-9a-f]{16}…, where [0-9a-f]{16}… was expected"):
        named.verify("two_parts")
    own.unlink()
    assert named.find("two_parts").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"pieces": "/no"}, r"/no: the server says 404 Not Found\. A copy from elsewhere can be put at text/two_parts"),
        ({"pieces": "/cut"}, "SHA-256 .* came, .* was expected: it was damaged on the way"),
        ({"pieces": "/a.txt", "sha256": "0" * 64}, "its source has changed. Nothing is kept"),
        ({"size": 1000}, "more than the 1,000 bytes expected of two_parts"),
    ],
)
def test_a_wrong_answer_leaves_nothing(
    data_set: DataSet, server: str, cache: Path, monkeypatch: pytest.MonkeyPatch, change: dict, said: str
) -> None:
    if "pieces" in change:
        change = {**change, "pieces": (Piece(server + change["pieces"]),)}
    install(monkeypatch, replace(data_set, **change))
    with pytest.raises(DataError, match=said):
        named.get("two_parts")
    assert files(cache) == []


def test_a_piece_that_changed_is_named(
    data_set: DataSet, server: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = data_set.pieces
    install(monkeypatch, replace(data_set, pieces=(first, replace(second, sha256="0" * 64))))
    with pytest.raises(DataError, match=rf"{server}/b.txt: SHA-256"):
        named.get("two_parts")
    assert files(cache) == []


def test_without_a_network(data_set: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}/a.txt"
    install(monkeypatch, replace(data_set, pieces=(Piece(address),)))
    with pytest.raises(DataError, match=r"not reached \(.*refused\): try again with a network\. A copy"):
        named.get("two_parts")


def test_a_server_that_says_nothing(data_set: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named, "PATIENCE", 0.1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        install(monkeypatch, replace(data_set, pieces=(Piece(f"http://127.0.0.1:{silent.getsockname()[1]}/a.txt"),)))
        began = time.monotonic()
        with pytest.raises(DataError, match=r"not reached \(timed out\)"):
            named.get("two_parts")
        assert time.monotonic() - began < 2


def test_a_cache_that_cannot_be_written(data_set: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("UNROLLED_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match=r"cannot be written: .* set UNROLLED_CACHE to another folder"):
        named.get("two_parts")


@pytest.mark.parametrize("ends", [b"\r", b"\n", b"\r\n"])
def test_line_ends_are_made_what_they_were(
    data_set: DataSet, monkeypatch: pytest.MonkeyPatch, server: str, ends: bytes
) -> None:
    monkeypatch.setitem(PIECES, "/lines.txt", b"one" + ends + b"two" + ends + ends)
    whole = b"one\r\ntwo\r\n\r\n"
    install(
        monkeypatch,
        replace(
            data_set,
            pieces=(Piece(f"{server}/lines.txt"),),
            line_ends=b"\r\n",
            size=len(whole),
            sha256=hashlib.sha256(whole).hexdigest(),
        ),
    )
    assert named.get("two_parts").read_bytes() == whole


def test_names_are_told_apart_loosely() -> None:
    assert {*TEXTS, "mnist", "conll2000"} <= set(named.names())
    assert len({re.sub("[-_]", "", name) for name in named.names()}) == len(named.names())
    assert named.describe("War-and-Peace").name == "war_and_peace"
    assert named.is_known("tiny-shakespeare")
    assert not named.is_known("shakespeare")
    with pytest.raises(DataError, match=r"no data set of that name. Did you mean 'sonnets'\? There are tiny"):
        named.find("sonets")


def test_the_catalogue_is_whole() -> None:
    for entry in named.CATALOGUE:
        assert len(bytes.fromhex(entry.sha256)) == 32
        assert entry.licence
        owner = entry.source.split(":")[0]
        assert all(piece.url.startswith(f"https://raw.githubusercontent.com/{owner}/") for piece in entry.pieces)
        assert all(piece.sha256 is None or len(bytes.fromhex(piece.sha256)) == 32 for piece in entry.pieces)


def test_what_has_no_one_file_to_fetch_says_where_a_copy_belongs() -> None:
    with pytest.raises(
        DataError, match=r"no one file to fetch\. A copy .* can be put at images/mnist\.npz in a folder"
    ):
        named.get("mnist")
