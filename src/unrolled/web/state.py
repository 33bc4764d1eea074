"""What the server holds while it runs: the runs it may show, the processes that work for it, and who may come in."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from unrolled.web.facts import Facts
from unrolled.web.shelf import Shelf
from unrolled.web.streams import Streams
from unrolled.web.tails import Tails
from unrolled.web.trainings import Trainings
from unrolled.web.workers import Workers

#: Bytes of a request's JSON, and of a file that is sent.
LARGEST_BODY = 1 << 20
LARGEST_UPLOAD = 64 << 20


@dataclass
class Access:
    """Who may come in. token: of this launch, or the key that its owner chose. hosts: what `Host` may say.

    once: tokens that are good a single time: a browser's command line can be seen by others on the machine.
    cookie: name and value of what a browser holds that has shown a token.
    """

    token: str
    hosts: tuple[str, ...]
    once: set[str] = field(default_factory=set)
    cookie: tuple[str, str] = ("", "")

    @classmethod
    def make(cls, port: int, names: tuple[str, ...], key: str = "") -> Access:
        """For a server at that port, which browsers call by these names."""
        hosts = tuple(f"{name}:{port}" for name in names)
        # Cookies know no ports: two labs on one machine must not take each other's away.
        return cls(key or secrets.token_urlsafe(32), hosts, cookie=(f"unrolled-lab-{port}", secrets.token_urlsafe(32)))

    def single(self) -> str:
        """A token that is good once."""
        token = secrets.token_urlsafe(32)
        self.once.add(token)
        return token

    def opens(self, token: str) -> bool:
        """Whether the token is right."""
        given = token.encode()
        if secrets.compare_digest(given, self.token.encode()):
            return True
        found = [one for one in self.once if secrets.compare_digest(given, one.encode())]
        self.once -= set(found)
        return bool(found)


@dataclass
class Lab:
    """Everything."""

    access: Access
    shelf: Shelf
    workers: Workers = field(default_factory=Workers)
    trainings: Trainings = field(default_factory=Trainings)
    tails: Tails = field(default_factory=Tails)
    streams: Streams = field(default_factory=Streams)
    facts: Facts = field(default_factory=Facts)
