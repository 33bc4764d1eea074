"""The tiny model that is part of the package: small, whole, and it writes Python of a kind."""

from __future__ import annotations

import pytest

import unrolled
from unrolled.cli.main import main
from unrolled.workshop.folder import BUNDLED_FOLDER


def test_it_is_small() -> None:
    assert sum(file.stat().st_size for file in BUNDLED_FOLDER.iterdir()) < 500_000


def test_it_writes_python() -> None:
    run = unrolled.load("tiny")
    text = run.sample("def __init__(self, ", length=600, temperature=0.5, seed=1)
    assert text == run.sample("def __init__(self, ", length=600, temperature=0.5, seed=1)
    # A signature goes on to its end, and indented lines with Python's own words follow.
    assert "):" in text.split("\n")[0]
    assert sum(line.startswith("    ") for line in text.split("\n")) >= 5
    assert any(word in text for word in ("self.", "return ", "raise ", "if "))


def test_the_command_writes_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sample", "tiny", "--length", "20", "--seed", "3", "--prompt", "import "]) == 0
    printed = capsys.readouterr().out
    assert printed.rstrip("\n") == unrolled.load("tiny").sample("import ", length=20, seed=3).rstrip("\n")
