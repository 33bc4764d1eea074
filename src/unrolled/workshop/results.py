"""Results: what was measured, by which command, on which machine, against which bar.

`unrolled report` and `benchmarks/` write them to docs/results/NAME.toml, which nobody edits, and which the docs quote:

    suite = "start"
    command = "python -m benchmarks start"
    commit = "…"   date = "…"   machine = "…"
    [[figures]]
    name = "…"   unit = "s"   values = […]   mean = …   spread = …   target = "< 0.3"   met = true

Mean, spread and whether the target is met follow from the values and are computed here, nowhere else.
"""

from __future__ import annotations

import datetime
import math
import operator
import re
import shlex
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any, Literal, get_args

import tomli_w

from unrolled.errors import DataError
from unrolled.training import durable
from unrolled.workshop.disk import unwritable
from unrolled.workshop.folder import versions
from unrolled.workshop.machine import describe

Kind = Literal["recipe", "study", "suite"]
KINDS: tuple[Kind, ...] = get_args(Kind)

HEADER = "# Written by the command below. Run it again rather than edit this.\n"
RELATIONS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
#: Where this package's source stands when it is worked on: the folder above src.
CHECKOUT = Path(__file__).parents[3]
#: Significant digits of what is computed from the values.
DIGITS = 4
#: A word of a command that is an absolute path, perhaps after its flag.
_ABSOLUTE = re.compile(r"^(?P<flag>(--[\w-]+=)?)(?P<path>/.*)$", re.DOTALL)


def machine_line() -> str:
    """Processor, cores, memory, system and versions, in one line."""
    found = describe()
    cores = found.pop("cores")
    numbers = ", ".join(f"{name} {number}" for name, number in versions().items())
    return f"{', '.join(found.values())}, {cores} core{'s' if cores != '1' else ''}; {numbers}"


def today() -> str:
    """The date where it is the same for everybody, as 2026-11-30."""
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def source_commit() -> str:
    """The commit of this package's checkout, with "+changes" where tracked files differ; "" outside a checkout."""
    if not (CHECKOUT / ".git").exists():
        return ""
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs/results")
    return _git("rev-parse", "--short=12", "HEAD") + ("+changes" if changed else "")


def _git(*words: str) -> str:
    # Imported here: the command line loads this file, and `--help` is not to wait for what it does not use.
    import subprocess

    done = subprocess.run(["git", *words], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@dataclass(frozen=True)
class Peer:
    """Somebody else's figure for the same thing, and where it stands."""

    name: str
    value: float
    source: str


@dataclass(frozen=True)
class Figure:
    """One quantity, measured once for each seed or repetition.

    target: "<= 1.45", "< 0.3", ">= 1.2": the bar for the mean; empty where there is none.
    """

    name: str
    unit: str
    values: tuple[float, ...]
    target: str = ""
    peers: tuple[Peer, ...] = ()

    def __post_init__(self) -> None:
        if not self.values or not all(map(math.isfinite, self.values)):
            raise ValueError(f"figure {self.name!r}: expected one finite value or more, got {self.values}")
        if self.target:
            _read_target(self.target)

    @property
    def mean(self) -> float:
        """Of the values, to four significant digits or all those before the point."""
        return _rounded(_mean(self.values))

    @property
    def spread(self) -> float:
        """Standard deviation of the values around their mean."""
        mean = _mean(self.values)
        return _rounded(math.sqrt(_mean([(value - mean) ** 2 for value in self.values])))

    @property
    def met(self) -> bool | None:
        """Whether the mean, unrounded, meets the target; None where there is none."""
        if not self.target:
            return None
        holds, bar = _read_target(self.target)
        return holds(_mean(self.values), bar)


@dataclass(frozen=True)
class Result:
    """What one command found.

    kind, name: "recipe" and "char-lm", or "suite" and "start".
    command: what to type to have it again, without a path of this machine (`command_line` makes it so).
    minutes: of one training, where it is one. core_share: the least share of its cores that a run really had.
    commit, date, machine: filled in for here and now.
    """

    kind: Kind
    name: str
    command: str
    figures: tuple[Figure, ...]
    seeds: tuple[int, ...] = ()
    minutes: float | None = None
    core_share: float | None = None
    commit: str = field(default_factory=source_commit)
    date: str = field(default_factory=today)
    machine: str = field(default_factory=machine_line)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"a result of kind {self.kind!r}: expected {', '.join(KINDS)}")
        if places := [word for word in shlex.split(self.command) if _ABSOLUTE.match(word)]:
            raise ValueError(f"a result's command names paths of this machine: {', '.join(places)}")


def write_result(path: Path, result: Result) -> None:
    """Put the result at `path`, whole or not at all. RunError where it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(error, path.parent) from error
    durable.write(path, (HEADER + tomli_w.dumps(to_plain(result))).encode())


def read_result(path: Path) -> Result:
    """What `write_result` wrote. DataError where it cannot be read, or was edited so that its figures disagree."""
    try:
        plain = tomllib.loads(path.read_text(encoding="utf-8"))
        result = from_plain(plain)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); the command that writes it makes it") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: not a result as it was written ({error}); run its command again") from error
    if to_plain(result) != plain:
        raise DataError(f"{path}: mean, spread or met do not follow from the values; run again: {result.command}")
    return result


def to_plain(result: Result) -> dict[str, Any]:
    """The result as TOML holds it; what does not apply is left out."""
    head = {
        result.kind: result.name,
        "command": result.command,
        "commit": result.commit,
        "date": result.date,
        "machine": result.machine,
        "minutes": result.minutes,
        "core_share": result.core_share,
        "seeds": list(result.seeds),
    }
    kept = {name: value for name, value in head.items() if value not in (None, [])}
    return {**kept, "figures": [_figure_to_plain(figure) for figure in result.figures]}


def _figure_to_plain(figure: Figure) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "name": figure.name,
        "unit": figure.unit,
        "values": list(figure.values),
        "mean": figure.mean,
        "spread": figure.spread,
    }
    if figure.target:
        plain |= {"target": figure.target, "met": figure.met}
    if figure.peers:
        plain["peers"] = [{"name": peer.name, "value": peer.value, "source": peer.source} for peer in figure.peers]
    return plain


def from_plain(plain: Mapping[str, Any]) -> Result:
    """The result out of what TOML holds. KeyError, TypeError or ValueError where something is missing or odd."""
    kind = next((kind for kind in KINDS if kind in plain), None)
    if kind is None:
        raise KeyError(f"none of {', '.join(KINDS)}")
    figures = tuple(
        Figure(
            name=one["name"],
            unit=one["unit"],
            values=tuple(one["values"]),
            target=one.get("target", ""),
            peers=tuple(Peer(**peer) for peer in one.get("peers", ())),
        )
        for one in plain["figures"]
    )
    return Result(
        kind=kind,
        name=plain[kind],
        command=plain["command"],
        figures=figures,
        seeds=tuple(plain.get("seeds", ())),
        minutes=plain.get("minutes"),
        core_share=plain.get("core_share"),
        commit=plain["commit"],
        date=plain["date"],
        machine=plain["machine"],
    )


def command_line(words: Sequence[str]) -> str:
    """The words as they are typed, with each absolute path cut to its last part, so that no result names a place."""
    return shlex.join(_ABSOLUTE.sub(_without_folders, word) for word in words)


def _without_folders(word: re.Match[str]) -> str:
    return word["flag"] + PurePath(word["path"]).name


def _read_target(target: str) -> tuple[Any, float]:
    relation, _, bar = target.partition(" ")
    if relation not in RELATIONS:
        raise ValueError(f"target {target!r}: expected one of {', '.join(RELATIONS)}, a space and a number")
    return RELATIONS[relation], float(bar)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _rounded(value: float) -> float:
    """To DIGITS significant digits, but never coarser than whole numbers."""
    if value == 0:
        return 0.0
    return round(value, max(0, DIGITS - 1 - math.floor(math.log10(abs(value)))))
