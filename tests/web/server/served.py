"""A lab in a process of its own, and somebody who speaks HTTP with it."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

#: Seconds that a test waits for anything: the machine may be busy.
PATIENCE = 60.0
#: For a lab in which no model is looked at: the process that would load torch is not begun.
NO_WORKER = "import unrolled.web.workers as w; w.Workers.warm = lambda self: None"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Served:
    """The lab. Every request is on a connection of its own, with the token unless `token` says otherwise."""

    address: str
    pid: int
    home: Path

    @property
    def host(self) -> str:
        return urlsplit(self.address).netloc

    @property
    def port(self) -> int:
        return int(self.host.rpartition(":")[2])

    @property
    def token(self) -> str:
        return parse_qs(urlsplit(self.address).query).get("token", [""])[0]

    def head(self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None) -> bytes:
        """The head of a request, as it goes over the wire."""
        lines = {"Host": self.host, "Authorization": f"Bearer {self.token}", **(headers or {})}
        said = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
        return f"{method} {path} HTTP/1.1\r\n{said}\r\n".encode()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE)

    def ask(
        self, path: str, method: str = "GET", body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request, one answer. A header that is empty is left out."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            lines = {"Host": self.host, "Authorization": f"Bearer {self.token}", **(headers or {})}
            if body or method == "POST":
                lines.setdefault("Content-Length", str(len(body)))
            for name, value in lines.items():
                if value:
                    connection.putheader(name, value)
            connection.endheaders(body)
            said = connection.getresponse()
            return Answer(said.status, {k.lower(): v for k, v in said.getheaders()}, said.read())
        finally:
            connection.close()

    def post(self, path: str, value: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        body = json.dumps({} if value is None else value).encode()
        return self.ask(path, "POST", body, {"Content-Type": "application/json", **(headers or {})})

    @contextmanager
    def stream(
        self, path: str, value: Any = None, headers: Mapping[str, str] | None = None
    ) -> Iterator[Iterator[dict[str, Any]]]:
        """Server-sent events, one after the other, each with its id as "id"; value: what is posted, if anything is."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        lines = {"Host": self.host, "Authorization": f"Bearer {self.token}", **(headers or {})}
        body = None if value is None else json.dumps(value).encode()
        if body is not None:
            lines["Content-Type"] = "application/json"
        try:
            connection.request("GET" if body is None else "POST", path, body, lines)
            said = connection.getresponse()
            assert said.status == 200, said.read()
            assert said.headers["content-type"].startswith("text/event-stream")
            yield _events(said)
        finally:
            connection.close()

    def act(self, name: str, **fields: Any) -> list[dict[str, Any]]:
        """Everything that an action says."""
        with self.stream(f"/api/actions/{name.replace(' ', '/')}", {"fields": fields}) as events:
            return list(events)

    def memory(self) -> float:
        """MiB of the server that are no file's."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        found = re.search(r"RssAnon:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) / 1024


def _events(lines: Any) -> Iterator[dict[str, Any]]:
    id_ = ""
    for raw in lines:
        line = raw.decode().rstrip("\n")
        if line.startswith("id: "):
            id_ = line[4:]
        elif line.startswith("data: "):
            yield {**json.loads(line[6:]), **({"id": id_} if id_ else {})}
            id_ = ""


@contextmanager
def serving(home: Path, *words: object, code: str = "", env: Mapping[str, str] | None = None) -> Iterator[Served]:
    """`unrolled lab HOME WORDS`, until the end. code: Python that runs first in its process."""
    start = f"import sys; {code}\nfrom unrolled.cli.main import main\nsys.exit(main())"
    command = [sys.executable, "-c", start, "--json", "lab", str(home), *map(str, words), "--no-open"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        cwd=home.parent,
        env={**os.environ, "UNROLLED_CACHE": str(home.parent / "cache"), "OMP_NUM_THREADS": "1", **(env or {})},
    ) as process:
        try:
            assert process.stdout is not None
            said = json.loads(process.stdout.readline())
            assert said["event"] == "serving"
            yield Served(said["address"], process.pid, home)
        finally:
            process.terminate()


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
