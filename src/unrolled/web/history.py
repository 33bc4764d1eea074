"""A run's events.jsonl, read as it grows: curves of bounded size, and everything that is not an update.

Ten updates or ten million: what is kept of them are at most LIMIT points, each the mean over its span of updates with
the lowest and the highest loss, so that no spike is lost.
"""

from __future__ import annotations

import math
import os
import stat
import zlib
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unrolled.web import plain

#: Points of a curve.
LIMIT = 1000
#: Other events that are kept, the newest.
KEPT = 2000
#: Bytes that are read at a time, and the longest line that a run writes.
CHUNK = 1 << 20
LONGEST_LINE = 1 << 20
#: Bytes before the place that is read up to, by which a file is known again.
TAIL = 64


@dataclass(slots=True)
class Point:
    """Updates put together. Sums are over the finite values alone, `finite` in number."""

    step: int = 0
    count: int = 0
    finite: int = 0
    loss: float = 0.0
    low: float = math.inf
    high: float = -math.inf
    norm: float = 0.0
    norm_high: float = -math.inf
    rate: float = 0.0
    per_second: float = 0.0

    def take(self, event: dict[str, Any]) -> None:
        """One update more."""
        loss, norm = _number(event.get("loss")), _number(event.get("gradient_norm"))
        self.step, self.count = int(event["step"]), self.count + 1
        self.rate, self.per_second = _number(event.get("rate")), _number(event.get("per_second"))
        if math.isfinite(loss) and math.isfinite(norm):
            self.finite += 1
            self.loss, self.norm = self.loss + loss, self.norm + norm
            self.low, self.high = min(self.low, loss), max(self.high, loss)
            self.norm_high = max(self.norm_high, norm)

    def join(self, later: Point) -> Point:
        """Both as one."""
        return Point(
            later.step,
            self.count + later.count,
            self.finite + later.finite,
            self.loss + later.loss,
            min(self.low, later.low),
            max(self.high, later.high),
            self.norm + later.norm,
            max(self.norm_high, later.norm_high),
            later.rate,
            later.per_second,
        )

    def mean(self, total: float) -> float:
        return total / self.finite if self.finite else math.nan


@dataclass
class Curve:
    """The updates so far as at most LIMIT points, each of `span` of them."""

    points: list[Point] = field(default_factory=list)
    span: int = 1

    def take(self, event: dict[str, Any]) -> None:
        """One update more."""
        if not self.points or self.points[-1].count >= self.span:
            if len(self.points) >= LIMIT:
                pairs = zip(self.points[::2], self.points[1::2], strict=True)
                self.points = [first.join(second) for first, second in pairs]
                self.span *= 2
            self.points.append(Point())
        self.points[-1].take(event)

    def to_json(self) -> dict[str, list[Any]]:
        points = self.points
        return {
            "step": [p.step for p in points],
            "loss": [_short(p.mean(p.loss)) for p in points],
            "loss_low": [_short(p.low if p.finite else math.nan) for p in points],
            "loss_high": [_short(p.high if p.finite else math.nan) for p in points],
            "gradient_norm": [_short(p.mean(p.norm)) for p in points],
            "gradient_norm_high": [_short(p.norm_high if p.finite else math.nan) for p in points],
            "rate": [_short(p.rate) for p in points],
            "per_second": [_short(p.per_second) for p in points],
        }

    def small(self, most: int) -> dict[str, list[Any]]:
        """Steps and losses, `most` points at most."""
        every = -(-len(self.points) // most) or 1
        shown = self.points[every - 1 :: every]
        return {"step": [p.step for p in shown], "loss": [_short(p.mean(p.loss)) for p in shown]}


class History:
    """What a run's events say, as far as they have been read: `advance` reads what has been written since."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.begin()

    def begin(self) -> None:
        """Forget everything: the file is another one now."""
        self.offset, self._tail, self._rest = 0, b"", b""
        self.curve = Curve()
        self.validations: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self.marks: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self.best: dict[str, Any] = {}
        self.last: dict[str, Any] = {}
        self.step, self.steps, self.unit = 0, None, ""
        self.finished: dict[str, Any] | None = None
        self.damaged = ""

    @property
    def id(self) -> str:
        """Where this has read up to, and by what the file is known again."""
        return f"{self.offset}-{zlib.crc32(self._tail):08x}"

    def size(self) -> int:
        """Bytes of the file now; 0 where it is none."""
        try:
            return self.file.stat().st_size
        except OSError:
            return 0

    def advance(self, most: int = CHUNK) -> tuple[list[dict[str, Any]], bool]:
        """(the events of the next `most` bytes, whether it had to begin anew because the file was cut)."""
        anew = False
        descriptor = open_plain(self.file)
        if descriptor is None:
            return [], False
        try:
            if os.pread(descriptor, len(self._tail), self.offset - len(self._tail)) != self._tail:
                self.begin()
                anew = True
            content = os.pread(descriptor, most, self.offset + len(self._rest))
        finally:
            os.close(descriptor)
        whole, _, self._rest = (self._rest + content).rpartition(b"\n")
        if len(self._rest) > LONGEST_LINE:
            self.damaged, self._rest = f"{self.file}: a line longer than a run writes", b""
        if not whole:
            return [], anew
        self.offset += len(whole) + 1
        self._tail = (whole + b"\n")[-TAIL:]
        events = self._parse(whole)
        for event in events:
            self._take(event)
        return events, anew

    def goes_on_from(self, offset: int, check: str) -> bool:
        """Whether the file up to `offset` is what somebody has read; then this reads on from there."""
        descriptor = open_plain(self.file)
        if descriptor is None or offset > self.size():
            return False
        with open(descriptor, "rb") as file:
            file.seek(max(0, offset - TAIL))
            tail = file.read(min(offset, TAIL))
        if len(tail) != min(offset, TAIL) or f"{zlib.crc32(tail):08x}" != check:
            return False
        self.offset, self._tail = offset, tail
        return True

    def _parse(self, lines: bytes) -> list[dict[str, Any]]:
        each = lines.split(b"\n")
        try:
            # One call for all is twice as fast as one for each.
            found = plain.decode(b"[" + b",".join(each) + b"]")
        except ValueError:
            found = [self._parse_one(line) for line in each]
        return [event for event in found if isinstance(event, dict) and _is_event(event)]

    def _parse_one(self, line: bytes) -> Any:
        try:
            return plain.decode(line)
        except ValueError:
            self.damaged = f"{self.file}: a line that is not JSON"
            return None

    def _take(self, event: dict[str, Any]) -> None:
        self.step = event["step"]
        match event["event"]:
            case "updated":
                self.curve.take(event)
                self.last = event
                self.finished = None
            case "validated":
                self.validations.append(event)
                if event.get("best"):
                    self.best = event.get("figures") or {}
            case "saved" | "sampled":
                pass
            case kind:
                self.marks.append(event)
                if kind == "planned":
                    self.steps, self.unit = event.get("steps"), event.get("unit", "")
                elif kind == "finished":
                    self.finished = event

    def to_json(self) -> dict[str, Any]:
        """As docs/lab-api.md describes a history, without the run's state."""
        return {
            "step": self.step,
            "steps": self.steps,
            "curves": self.curve.to_json(),
            "validations": list(self.validations),
            "marks": list(self.marks),
        }


def open_plain(file: Path) -> int | None:
    """The file, opened to read; None where it is not there, or is a link or a pipe, which no run writes."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    return None


def _is_event(event: dict[str, Any]) -> bool:
    return isinstance(event.get("event"), str) and isinstance(event.get("step"), int)


def _number(value: Any) -> float:
    """A number as it stands in an event, where NaN and the infinities are words, and anything else is none."""
    return float(value) if isinstance(value, (int, float)) else math.nan


def _short(value: float) -> float:
    """Six digits: more cannot be seen."""
    return float(f"{value:.6g}")
