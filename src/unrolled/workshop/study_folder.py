"""The folder of a study: `RUNS/studies/NAME/`, with what each of its jobs found, so that it goes on where it was.

study.toml          which study, in which version, and the minutes of each training, which never change within it
found/JOB.json      one finished job each, whole or not at all: the job as it was asked for, and what it found
failed/JOB.txt      what a job that failed said last
trainings/JOB/      the run folder of a job that trains: `unrolled runs show`, `sample` and `inspect` open it
working/JOB/        the lock of a job that is being worked on
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from unrolled.errors import RunError
from unrolled.studies.study import Job, Outcome
from unrolled.workshop import disk

FORMAT = 1
_AWAY = "move the file away, and the job is done again"


@dataclass(frozen=True)
class Circumstances:
    """How a job was worked on.

    minutes: it took, as the training counts them, or from the start of its process. core_share: what it had of its
    threads' cores. threads: for torch. commit, machine: as in results.
    """

    minutes: float
    core_share: float
    threads: int
    commit: str
    machine: str


@dataclass(frozen=True)
class Found:
    """One finished job."""

    outcome: Outcome
    circumstances: Circumstances


@dataclass(frozen=True)
class StudyFolder:
    """Paths of one study, and what stands in them."""

    path: Path

    @property
    def trainings(self) -> Path:
        return self.path / "trainings"

    def failure(self, job: str) -> Path:
        return self.path / "failed" / f"{job}.txt"

    def working(self, job: str) -> Path:
        return self.path / "working" / job

    def begin(self, name: str, minutes: float | None) -> None:
        """Make the folders; RunError where the study was begun with other minutes, which would not be comparable."""
        try:
            for part in ("found", "failed", "trainings", "working"):
                (self.path / part).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise disk.unwritable(error, self.path) from error
        asked = {"study": name, **({} if minutes is None else {"minutes": minutes})}
        file = self.path / "study.toml"
        if not file.exists():
            disk.write_whole(file, tomli_w.dumps({"format": FORMAT, **asked}).encode())
            return
        try:
            begun = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise RunError(f"{file}: cannot be read ({error}); take another --name, or remove the folder") from error
        if begun.pop("format", None) != FORMAT:
            raise RunError(f"{file}: written by another version; take another --name, or remove the folder")
        if begun != asked:
            was = ", ".join(f"{key} {value}" for key, value in begun.items())
            raise RunError(
                f"{self.path}: it was begun as {was}, which is not what was asked for now; go on with that, or "
                "take another --name"
            )

    def read(self, job: Job) -> Found | None:
        """What the job found; None where it has not finished, or was another job under the same name."""
        file = self._found(job.name)
        try:
            plain = json.loads(file.read_text(encoding="utf-8"))
            if plain["format"] != FORMAT or plain["job"] != json.loads(json.dumps(job.to_dict())):
                return None
            return Found(Outcome(job, plain["found"]), Circumstances(**plain["circumstances"]))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise disk.unreadable(error, file) from error
        except (ValueError, KeyError, TypeError) as error:
            raise RunError(f"{file}: not as it was written ({error}); {_AWAY}") from error

    def write(self, job: Job, found: Mapping[str, Any], circumstances: Circumstances) -> None:
        """Keep what the job found, whole or not at all."""
        plain = {
            "format": FORMAT,
            "job": job.to_dict(),
            "found": dict(found),
            "circumstances": circumstances.__dict__,
        }
        disk.write_whole(self._found(job.name), json.dumps(plain, ensure_ascii=False, indent=1).encode() + b"\n")

    def _found(self, job: str) -> Path:
        return self.path / "found" / f"{job}.json"
