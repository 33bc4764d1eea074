"""The command as a person meets it: in this process for speed, or as a program of its own."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from unrolled.cli.main import main

from ..recipes.stand_in import write_text

#: A model small enough that twelve updates take a moment.
SMALL = shlex.split(
    "--sizes 16 --embedding 8 --batch-size 4 --window 16 --split 0.8 0.1 0.1 --dtype float32 --threads 1"
)
SMALL += ["--steps", "12"]


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    error: str


@dataclass(frozen=True)
class Command:
    """`command("train", …)` runs in this process, its runs in `runs`, its texts in `folder`, which it stands in."""

    folder: Path
    capsys: pytest.CaptureFixture[str]
    #: Runs that earlier tests have made.
    kept: Path

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    def __call__(self, *words: object) -> Said:
        self.capsys.readouterr()
        try:
            code = main([str(word) for word in words])
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        said = self.capsys.readouterr()
        return Said(code, said.out, said.err)

    def text(self, name: str = "book.txt", characters: int = 6000, seed: int = 0) -> Path:
        return write_text(self.folder / name, characters, seed)

    def trained(self, name: str = "book", *more: object) -> Path:
        """A small run, finished: a copy, where an earlier test has made the same."""
        kept = self.kept / "-".join([name, *map(str, more)]).replace("/", "_").replace(":", "_")
        run = self.runs / name
        if not kept.exists() or "--from" in more:
            self.train(name, *more)
            shutil.copytree(run, kept, dirs_exist_ok=True)
            return run
        shutil.copytree(kept, run)
        # The text stands in this folder now.
        for file in (run / "config.toml", run / "config.json"):
            file.write_text(re.sub(r'"[^"]*/book\.txt"', f'"{self.text()}"', file.read_text()))
        return run

    def train(self, name: str, *more: object) -> Path:
        """A small run, made here and now."""
        said = self("train", self.text(), *SMALL, "--name", name, *more)
        assert said.code == 0, said.error
        return self.runs / name


def program(
    *words: object, folder: Path, code: str = "", env: Mapping[str, str] | None = None, text: bytes = b""
) -> Said:
    """The command as a process of its own. code: Python that runs before it, in the same process."""
    start = f"import sys; {code}\nfrom unrolled.cli.main import main\nsys.exit(main())"
    done = subprocess.run(  # noqa: PLW1510 - the code is what is looked at
        [sys.executable, "-c", start, *map(str, words)],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "", **(env or {})},
        input=text,
        capture_output=True,
        timeout=180,
    )
    return Said(done.returncode, done.stdout.decode(), done.stderr.decode())


def tree(folder: Path) -> dict[str, str]:
    """Every file below `folder` and the digest of its content: two that are equal say that nothing has changed."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in sorted(folder.rglob("*"))
        # The lock of a training is no content: it names who trains there now.
        if path.name != ".lock"
    }


def one_line(said: Said, *parts: str, code: int = 2) -> str:
    """Checks that it said one line, without a traceback, that holds every one of `parts`; gives it."""
    assert said.code == code, (said.code, said.error)
    assert said.error.count("\n") == 1 and said.error.endswith("\n"), said.error
    line = said.error.rstrip("\n")
    assert line.startswith("unrolled: ")
    assert "Traceback" not in line and not re.search(r"[.?]\.( |$)", line), line
    for part in parts:
        assert part in line, (part, line)
    return line
