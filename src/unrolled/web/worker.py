"""The other side of workers.py: a process that has torch, and runs one action at a time.

`python -m unrolled.web.worker` reads one JSON object a line: {"action": …, "fields": {…}, "own": {…}}, or
{"cancel": true}, and writes, each after a head of one letter, the number of bytes and a line's end:
    R names of cells and kernels: it is ready    T it has taken a job    E one event    D done    X what went wrong
It ends when its input does, in the middle of anything.
"""

from __future__ import annotations

import os
import queue
import resource
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

from unrolled.errors import OptionError, UnrolledError
from unrolled.web import plain
from unrolled.web.fields import Field, build, fields_of
from unrolled.workshop.actions import find

#: Bytes of memory that an action may take, beyond which it fails rather than the machine.
MOST_MEMORY = 12 << 30
#: Bytes of memory that have been in use, beyond which the process ends after an action, for a fresh one.
ENOUGH = 3 << 30
#: Bytes of one event.
LARGEST_EVENT = 32 << 20


class Voice:
    """What the process says."""

    def __init__(self, out: BinaryIO) -> None:
        self.out = out

    def say(self, head: str, value: Any = None) -> None:
        content = b"" if value is None else plain.encode(value)
        if len(content) > LARGEST_EVENT:
            head, content = "X", plain.encode(_error("OptionError", "too much to show at once: ask for less of it"))
        self.out.write(f"{head} {len(content)}\n".encode() + content)
        self.out.flush()
        if head == "X":
            raise _SaidError


class _SaidError(Exception):
    """What went wrong has been said."""


def main() -> int:
    """Serve actions until the input ends."""
    # Whatever a library prints must not stand between the events.
    voice = Voice(os.fdopen(os.dup(1), "wb"))
    os.dup2(2, 1)
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, resource.getrlimit(resource.RLIMIT_DATA)[1]))
    jobs: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    cancelled = threading.Event()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, jobs, cancelled), daemon=True).start()
    # No action may read what is said to this process.
    sys.stdin = None
    sys.addaudithook(_guard)
    voice.say("R", _names())
    while resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_UNIT < ENOUGH:
        job = jobs.get()
        try:
            _work(job, voice, cancelled)
        except _SaidError:
            continue
    return 0


_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024


def _listen(lines: BinaryIO, jobs: queue.SimpleQueue[dict[str, Any]], cancelled: threading.Event) -> None:
    for line in lines:
        said = plain.decode(line)
        if "cancel" in said:
            cancelled.set()
        else:
            cancelled.clear()
            jobs.put(said)
    # The lab has gone, and nobody else listens.
    os._exit(0)


def _names() -> dict[str, list[str]]:
    from importlib.metadata import entry_points

    from unrolled.cells import registry
    from unrolled.kernels.choose import names

    announced = [point.name for point in entry_points(group=registry.ENTRY_POINTS)]
    return {"cells": [*registry.built_in(), *announced], "kernels": names()}


def _work(job: Mapping[str, Any], voice: Voice, cancelled: threading.Event) -> None:
    voice.say("T")
    _words.clear()
    try:
        action = find(job["action"])
        fields = fields_of(action.request)
        request = build(action.request, fields, job["fields"], **job["own"])
        _words.update(_texts(fields, job["fields"]))
        for event in action.run(request):
            voice.say("E", event.to_dict())
            if cancelled.is_set():
                break
        voice.say("D")
    except UnrolledError as error:
        voice.say("X", _error(type(error).__name__, " ".join(str(error).split())))
    except _SaidError:
        raise
    except MemoryError:
        voice.say("X", _error("OptionError", "this takes more memory than the lab allows: ask for less of it"))
    except Exception as error:  # noqa: BLE001 - whatever it is, the person at the browser must hear of it
        traceback.print_exc()
        voice.say("X", _error(type(error).__name__, f"the lab has failed at this: {error}; its terminal says where"))


#: Where the files would be that are called as the texts which a browser has sent.
_words: set[str] = set()
#: No path is longer, in bytes.
_LONGEST_PATH = 4096


def _texts(fields: Sequence[Field], values: Mapping[str, Any]) -> set[str]:
    given = [values.get(field.name) for field in fields if field.kind == "words"]
    texts = [text for one in given for text in (one if isinstance(one, list) else [one]) if text]
    return {os.path.abspath(text) for text in texts if "\0" not in text and len(text) < _LONGEST_PATH}


def _guard(event: str, arguments: tuple[Any, ...]) -> None:
    """A text is never the name of a file, whatever an action takes it for: the last line of defence."""
    if _words and event in ("open", "os.listdir", "os.scandir") and isinstance(arguments[0], (str, bytes, os.PathLike)):
        path = os.path.abspath(os.fsdecode(arguments[0]))
        if path in _words:
            raise OptionError("in the lab a text is a text, and never the name of a file: send the file, or its words")


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"event": "error", "kind": kind, "message": message}


if __name__ == "__main__":
    sys.exit(main())
