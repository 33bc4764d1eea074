"""What actions say besides the training events: typed, printed by no one here. `to_dict` is one JSON line."""

from __future__ import annotations

import base64
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from unrolled.figures import Figure


@dataclass(frozen=True)
class Message:
    """Something that an action says."""

    KIND: ClassVar[str] = ""

    def to_dict(self) -> dict[str, Any]:
        return {"event": self.KIND, **asdict(self)}


@dataclass(frozen=True)
class Note(Message):
    """One line for a person."""

    KIND = "note"
    text: str


@dataclass(frozen=True)
class Began(Message):
    """A run has a folder and its data: training starts now."""

    KIND = "began"
    run: str
    folder: str
    recipe: str
    summary: str


@dataclass(frozen=True)
class Alternative:
    """What else might have come, and its log-probability in nats."""

    text: str
    log_probability: float


@dataclass(frozen=True)
class Piece(Message):
    """A piece of text as it is drawn; number counts the texts from 0."""

    KIND = "piece"
    text: str
    number: int = 0
    log_probability: float | None = None
    alternatives: tuple[Alternative, ...] = ()


@dataclass(frozen=True)
class TextEnd(Message):
    """Text `number` is complete. log_probability: of all that was drawn, in nats, under the model itself."""

    KIND = "text-end"
    number: int
    symbols: int
    log_probability: float


@dataclass(frozen=True)
class Pointed(Message):
    """A pointer network's answer about points: their numbers from 1. shown: what the answer is, in words."""

    KIND = "pointed"
    numbers: tuple[int, ...]
    shown: str


@dataclass(frozen=True)
class Evaluated(Message):
    """Figures of a run on a part of its data, and the bar that its recipe sets for each on its own data, as text."""

    KIND = "evaluated"
    run: str
    part: str
    figures: dict[str, float]
    targets: dict[str, str]


@dataclass(frozen=True)
class Columns(Message):
    """What the columns of the rows that follow are called; nothing, between two sentences. row: as a file has it."""

    KIND = "columns"
    columns: tuple[str, ...]
    row: str


@dataclass(frozen=True)
class Translated(Message):
    """A sentence in another language. line: of what was given, from 1. log_probability: in nats, of the whole."""

    KIND = "translated"
    line: int
    source: str
    text: str
    log_probability: float


@dataclass(frozen=True)
class ParsedSentence(Message):
    """A sentence's tree, in brackets; empty for an empty line. line: of what was given, from 1."""

    KIND = "parsed"
    line: int
    tree: str
    log_probability: float


@dataclass(frozen=True)
class Predicted(Message):
    """What a run says of something of people's own. line: where that stands in its file, from 1. answer: names and
    values, with what was read among them. row: the same as the file has it, with the answer.
    """

    KIND = "predicted"
    line: int
    answer: dict[str, Any]
    row: str


@dataclass(frozen=True)
class Shown(Message):
    """A figure."""

    KIND = "figure"
    figure: Figure

    def to_dict(self) -> dict[str, Any]:
        return {"event": self.KIND, "figure": self.figure.to_json()}


@dataclass(frozen=True)
class TextRead(Message):
    """A text of T symbols as a model read it.

    tokens: put together they are the text.
    log_probabilities: of each, given those before it, in nats; None for the first, which nothing precedes.
    alternatives: at each place the symbols that were likeliest there, likeliest first, and
    alternative_log_probabilities: theirs, in nats. None at the first place.
    layers: of the network. signals: those of the layer whose `Activity` follows, in the order in which they follow.
    """

    KIND = "text-read"
    run: str
    tokens: tuple[str, ...]
    log_probabilities: tuple[float | None, ...]
    alternatives: tuple[tuple[str, ...], ...]
    alternative_log_probabilities: tuple[tuple[float, ...], ...]
    layers: int
    signals: tuple[str, ...]


@dataclass(frozen=True)
class Activity(Message):
    """What the units of a layer did over a text, in one field of the state or one gate.

    octets: (units, symbols) of float16, little-endian, unit after unit, so that one unit's numbers lie side by side;
        base64 in JSON.
    """

    KIND = "activity"
    layer: int
    signal: str
    units: int
    symbols: int
    octets: bytes

    def to_dict(self) -> dict[str, Any]:
        where = {"layer": self.layer, "signal": self.signal, "units": self.units, "symbols": self.symbols}
        return {"event": self.KIND, **where, "float16": base64.b64encode(self.octets).decode("ascii")}


@dataclass(frozen=True)
class Next(Message):
    """What to try next: commands, the most useful first."""

    KIND = "next"
    commands: tuple[str, ...]


@dataclass(frozen=True)
class Serving(Message):
    """The lab can be opened at this address."""

    KIND = "serving"
    address: str


@dataclass(frozen=True)
class StudyBegan(Message):
    """A study has its folder. jobs: how many there are in all; done: those that an earlier session has finished."""

    KIND = "study-began"
    study: str
    folder: str
    jobs: int
    done: int


@dataclass(frozen=True)
class JobBegan(Message):
    """A job of a study has its process."""

    KIND = "job-began"
    job: str


@dataclass(frozen=True)
class JobProgress(Message):
    """How far a job's training has come; steps is None while a budget in minutes is being timed."""

    KIND = "job-progress"
    job: str
    step: int
    steps: int | None
    loss: float


@dataclass(frozen=True)
class JobEnded(Message):
    """A job is over. state: "done", "failed" (error says why) or "stopped"; minutes: that it took here."""

    KIND = "job-ended"
    job: str
    state: str
    minutes: float
    figures: dict[str, float]
    error: str = ""


@dataclass(frozen=True)
class StudyStopped(Message):
    """Asked to stop: what is finished is kept. done: jobs finished, of so many; command: goes on."""

    KIND = "study-stopped"
    done: int
    jobs: int
    command: str
