"""`lab`: the server, from an address to its end."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import sys
import threading
import webbrowser
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from unrolled.errors import OptionError
from unrolled.workshop.messages import Message, Note, Serving

if TYPE_CHECKING:
    import uvicorn

    from unrolled.web.state import Lab

HOME = "127.0.0.1"
#: Tried first, so that an address stays the same from day to day.
USUAL_PORT = 7413
#: Characters of a key that cannot be guessed in a lifetime, at one try a second.
SHORTEST_KEY = 12
#: Connections at a time, of all browsers; bytes of a request's head; bytes that the system holds for a slow reader.
CONNECTIONS = 400
LARGEST_HEAD = 32 << 10
SEND_BUFFER = 256 << 10


@dataclass(frozen=True)
class LabRequest:
    """Open the lab: see runs, read, write and train in the browser. Ctrl-C closes it; trainings go on."""

    folders: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[FOLDER ...]")] = ()
    """Folders of runs, or runs' folders, copied from elsewhere too. Empty: UNROLLED_RUNS, else ./runs."""
    port: int = 0
    """The port; 0 takes 7413, or any that is free."""
    host: str = HOME
    """An address of this machine that others can reach too. What is sent there is not encrypted. Needs --key."""
    key: Annotated[str, tyro.conf.arg(metavar="FILE")] = ""
    """A file with the key that a browser must give, 12 characters or more; without one, each start makes a new one."""
    no_open: bool = False
    """Open no browser."""

    def __post_init__(self) -> None:
        if not 0 <= self.port < 65536:
            raise OptionError(f"--port {self.port}: expected from 0 (any) to 65535")


def lab(request: LabRequest) -> Iterator[Message]:
    """The address, then nothing until Ctrl-C."""
    from unrolled.web.shelf import Shelf
    from unrolled.web.state import Access, Lab

    key, shelf = _key(request), Shelf(request.folders)
    listening = _listen(request)
    try:
        port = listening.getsockname()[1]
        names = _names(request.host)
        access = Access.make(port, names, key)
        address = f"http://{names[0]}:{port}/"
        yield Serving(address if key else f"{address}?token={access.token}")
        if not request.no_open:
            _open(f"{address}?token={access.single()}")
        # A Ctrl-C that comes while the server starts ends it without an exception.
        with contextlib.suppress(KeyboardInterrupt):
            serve(Lab(access, shelf)).run([listening])
        yield Note("The lab is closed. Trainings that it started go on.")
    finally:
        listening.close()


def _key(request: LabRequest) -> str:
    """The key of the file; empty where none is wanted. OptionError where one is needed, or is too short."""
    if not request.key:
        if not _is_loopback(request.host):
            raise OptionError(
                f"--host {request.host}: others on the network could reach it, so it needs a key: --key FILE, a file "
                f"with {SHORTEST_KEY} characters or more; what is sent is not encrypted: `ssh -L` is safer"
            )
        return ""
    try:
        key = Path(request.key).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(
            f"--key {request.key}: cannot be read ({error}); name a file with one line of text"
        ) from error
    if len(key) < SHORTEST_KEY:
        raise OptionError(
            f"--key {request.key}: a key of {len(key)} characters; {SHORTEST_KEY} or more cannot be guessed"
        )
    return key


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _names(host: str) -> tuple[str, ...]:
    """What a browser may call this server by."""
    if host in (HOME, "localhost"):
        return HOME, "localhost"
    return (f"[{host}]",) if ":" in host else (host,)


def _listen(request: LabRequest) -> socket.socket:
    """A socket that takes connections from now on. OptionError where the address cannot be had."""
    host = HOME if request.host == "localhost" else request.host
    try:
        family, _, _, _, place = socket.getaddrinfo(host, request.port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise OptionError(f"--host {request.host}: no address of this machine ({error.strerror})") from error
    if ipaddress.ip_address(place[0]).is_unspecified:
        raise OptionError(f"--host {request.host}: every address at once; name the one that browsers will call it by")
    tried = [USUAL_PORT, 0] if request.port == 0 else [request.port]
    for port in tried:
        listening = socket.socket(family, socket.SOCK_STREAM)
        try:
            if os.name == "posix":
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # What the system keeps for readers that do not read is kept small; connections inherit it.
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            listening.bind((host, port))
            listening.listen(128)
            return listening
        except OSError as error:
            listening.close()
            if port == tried[-1]:
                raise OptionError(
                    f"{request.host}:{port}: cannot be had ({error.strerror}); --port 0 takes one that is free"
                ) from error
    raise AssertionError("a port was tried last")


def serve(place: Lab) -> uvicorn.Server:
    """The server of this lab, not yet running."""
    import uvicorn

    from unrolled.web.app import application
    from unrolled.web.connection import Connection

    class Server(uvicorn.Server):
        """Lets those who watch go before it waits for them."""

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            place.tails.close()
            await super().shutdown(sockets)

    config = uvicorn.Config(
        application(place),
        http=Connection,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=LARGEST_HEAD,
    )
    return Server(config)


def _open(address: str) -> None:
    """A browser, where there is a screen to show one on. It connects while the server is still starting, and waits."""
    if sys.platform == "linux" and not ({"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys()):
        return
    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
