"""What is too large, too slow or too much: refused, ended or freed, with the server's memory flat."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from .folders import append, write_run
from .served import PATIENCE, Served, children, serving

#: The times that a test cannot wait for, and the sizes, made short.
SHORT = (
    "import unrolled.web.connection as c, unrolled.web.answers as a, unrolled.web.uploads as u, unrolled.web.lab as b; "
    "import unrolled.web.state as s, unrolled.web.streams as t, unrolled.web.tails as l; "
    "c.HEAD, c.STALLED, a.BODY, u.PIECE = 1.0, 2.0, 1.0, 1.0; "
    "s.LARGEST_UPLOAD, t.MOST, l.HEARTBEAT, b.SEND_BUFFER = 1 << 21, 210, 1.0, 1 << 14"
)
READERS = 200


@pytest.fixture(scope="module")
def hurried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A lab that waits a second where it would wait for ten."""
    home = tmp_path_factory.mktemp("hurried") / "runs"
    write_run(home / "live", updates=3, finished=False)
    with serving(home, "--port", 0, code=SHORT) as lab:
        yield lab


def answered(connection: socket.socket) -> bytes:
    """What comes until the other side closes."""
    said, began = b"", time.monotonic()
    # Closed with what was sent unread: the answer may be lost, the connection is.
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(1 << 16):
            said += piece
            assert time.monotonic() - began < PATIENCE
    return said


def test_a_body_that_says_it_is_a_gigabyte_is_refused_unread(hurried: Served) -> None:
    for path, kind in (("/api/runs", "application/json"), ("/api/uploads?name=a.txt", "application/octet-stream")):
        with hurried.connect() as connection:
            head = {"Content-Type": kind, "Content-Length": str(1 << 30)}
            connection.sendall(hurried.head(path, "POST", head))
            said = answered(connection)
            assert said.startswith(b"HTTP/1.1 413 ") and b"connection: close" in said.lower()


@pytest.mark.parametrize(
    ("path", "kind", "most"),
    [
        ("/api/runs", "application/json", 1 << 20),
        ("/api/actions/sample", "application/json", 1 << 20),
        ("/api/uploads?name=a.txt", "application/octet-stream", 1 << 21),
        ("/enter", "application/x-www-form-urlencoded", 4096),
    ],
)
def test_a_gigabyte_that_does_not_say_so_is_cut(hurried: Served, path: str, kind: str, most: int) -> None:
    before = hurried.memory()
    with hurried.connect() as connection:
        head = {"Content-Type": kind, "Transfer-Encoding": "chunked", "Authorization": f"Bearer {hurried.token}"}
        connection.sendall(hurried.head(path, "POST", head))
        sent, piece = 0, b"10000\r\n" + b"k" * (1 << 16) + b"\r\n"
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while sent < 1 << 30:
                connection.sendall(piece)
                sent += 1 << 16
        # What the two systems hold between them comes to a few MiB.
        assert sent < most + (16 << 20)
    assert hurried.memory() < before + 16
    assert not (hurried.home / "uploads").exists() or not list((hurried.home / "uploads").iterdir())


def test_a_body_that_does_not_come_is_not_waited_for(hurried: Served) -> None:
    for path, kind in (("/api/runs", "application/json"), ("/api/uploads?name=a.txt", "application/octet-stream")):
        with hurried.connect() as connection:
            connection.sendall(hurried.head(path, "POST", {"Content-Type": kind, "Content-Length": "100"}) + b"{")
            assert answered(connection).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("first", [b"", b"GET / HTTP/1.1\r\n", b"GET /api/lab HTTP/1.1\r\nHost: x\r\n"])
def test_a_head_that_never_ends_is_not_waited_for(hurried: Served, first: bytes) -> None:
    with hurried.connect() as connection:
        began = time.monotonic()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(first)
            while time.monotonic() - began < PATIENCE:
                # A byte now and then, so that the connection is never idle.
                connection.sendall(b"a")
                time.sleep(0.1)
        assert time.monotonic() - began < 30


def test_a_second_head_that_never_ends_is_not_waited_for(hurried: Served) -> None:
    with hurried.connect() as connection:
        connection.sendall(hurried.head("/api/lab"))
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
        began = time.monotonic()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while time.monotonic() - began < PATIENCE:
                connection.sendall(b"a")
                time.sleep(0.1)
        assert time.monotonic() - began < 30


def test_a_head_that_is_too_large_is_refused(hurried: Served) -> None:
    with hurried.connect() as connection, contextlib.suppress(BrokenPipeError, ConnectionResetError):
        connection.sendall(hurried.head("/api/lab", headers={"X-Large": "x" * (1 << 20)}))
        assert answered(connection).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"\xff", "application/json", 400),
        (b'{"fields": []}', "application/json", 400),
        (b'{"fields": {"length": NaN}}', "application/json", 400),
        (b'{"fields": {"length": 1e999}}', "application/json", 400),
        (b'{"fields": {"length": ' + b"9" * 4000 + b"}}", "application/json", 400),
        (b"{}", "text/plain", 415),
        (b"{}", "", 415),
    ],
)
def test_a_body_that_is_none_is_refused(hurried: Served, body: bytes, kind: str, status: int) -> None:
    answer = hurried.ask("/api/actions/sample", "POST", body, {"Content-Type": kind})
    assert answer.status == status and set(answer.json) == {"error"}


def test_two_hundred_readers_of_which_half_are_slow(hurried: Served) -> None:
    """Who reads gets everything; who does not is let go; what the server holds stays as it was."""
    live = hurried.home / "live"
    large = {"event": "sampled", "step": 3, "text": "x" * 15_000}
    before = hurried.memory()
    slow = []
    for _ in range(READERS // 2):
        connection = socket.socket()
        # The system takes as little for it as it can.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", hurried.port))
        connection.sendall(hurried.head("/api/runs/live/events"))
        slow.append(connection)
    started = threading.Barrier(READERS // 2 + 1)

    def follow(_: int) -> list[int]:
        steps = []
        with hurried.stream("/api/runs/live/events") as events:
            assert next(events)["event"] == "history"
            started.wait(PATIENCE)
            for said in events:
                steps += [one["step"] for one in said.get("events", ()) if one["event"] == "sampled"]
                if steps and steps[-1] == 1000:
                    return steps
        return steps

    with ThreadPoolExecutor(READERS // 2) as pool:
        found = [pool.submit(follow, number) for number in range(READERS // 2)]
        started.wait(PATIENCE)
        # 0.3 MB for each: more than the buffers of a connection hold together.
        for step in range(981, 1001):
            append(live, {**large, "step": step})
            time.sleep(0.02)
        assert all(one.result(PATIENCE) == list(range(981, 1001)) for one in found)
    held = hurried.memory() - before
    # Half of them hold a write buffer of 64 KiB until they are let go, all share what is queued.
    assert held < 60, held
    # Twice what a reader has to take something in.
    time.sleep(4)
    with ThreadPoolExecutor(READERS // 2) as pool:
        # Little by little, as the windows of these connections are small.
        assert not any(b'"step":1000' in said for said in pool.map(answered, slow))
    for connection in slow:
        connection.close()
    with hurried.stream("/api/runs/live/events") as events:
        assert next(events)["event"] == "history"


def test_no_more_streams_than_it_can_bear(hurried: Served) -> None:
    connections = [hurried.connect() for _ in range(215)]
    try:
        for connection in connections:
            connection.sendall(hurried.head("/api/runs/live/events"))
        first = [connection.recv(12) for connection in connections]
        assert first.count(b"HTTP/1.1 200") == 210 and first.count(b"HTTP/1.1 429") == 5
        # Nobody else is kept out.
        assert hurried.ask("/api/lab").status == 200
    finally:
        for connection in connections:
            connection.close()
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with hurried.stream("/api/runs/live/events") as events:
                assert next(events)["event"] == "history"
            return
        except AssertionError:
            assert time.monotonic() < deadline
            time.sleep(0.2)


def test_a_disconnect_in_the_middle_frees_the_worker(hurried: Served) -> None:
    for _ in range(4):
        fields = {"run": "tiny", "length": 10_000_000, "prompt": "def "}
        with hurried.stream("/api/actions/sample", {"fields": fields}) as events:
            assert [next(events)["event"] for _ in range(3)][-1] == "piece"
    # Were the two workers still writing, this would wait for ever.
    said = hurried.act("sample", run="tiny", length=3)
    assert [one["event"] for one in said if one["event"] != "waiting"] == [
        "piece",
        "piece",
        "piece",
        "text-end",
        "done",
    ]


def test_a_worker_that_dies_is_an_error_and_not_the_end(hurried: Served) -> None:
    fields = {"run": "tiny", "length": 10_000_000}
    with hurried.stream("/api/actions/sample", {"fields": fields}) as events:
        next(events)
        for pid in children(hurried.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        last = list(events)[-1]
    assert last["event"] in ("error", "piece")
    assert hurried.act("sample", run="tiny", length=1)[-1] == {"event": "done"}


def test_memory_is_flat_over_many_requests(hurried: Served) -> None:
    def rounds(count: int) -> None:
        for _ in range(count):
            hurried.ask("/api/runs")
            hurried.ask("/api/runs/live")
            hurried.ask("/api/actions")
            hurried.ask("/static/entry.css")
            hurried.post("/api/actions/sample", {"fields": {"run": "../x"}})
            with hurried.stream("/api/runs/live/events") as events:
                next(events)

    rounds(10)
    before = hurried.memory()
    rounds(50)
    assert hurried.memory() < before + 8
