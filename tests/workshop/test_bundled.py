"""The models that are part of the package: small and whole; tiny writes Python of a kind, hello its word."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import unrolled
from unrolled.cli.main import main
from unrolled.workshop.folder import BUNDLED_FOLDER, BUNDLED_MODELS


@pytest.mark.parametrize("name", BUNDLED_MODELS)
def test_it_is_small(name: str) -> None:
    assert sum(file.stat().st_size for file in BUNDLED_FOLDER.with_name(name).iterdir()) < 500_000


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


def test_hello_writes_its_word_and_a_run_of_that_name_goes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert unrolled.load("hello").sample("h", length=4, temperature=0) == "ello"
    monkeypatch.setenv("UNROLLED_RUNS", str(tmp_path))
    unrolled.train("hello", name="hello", word="abab", steps=60, threads=1, runs=str(tmp_path))
    assert unrolled.load("hello").assets["word"] == "abab"


def test_every_number_and_every_weight_of_hello(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "numbers", "hello"]) == 0
    assert "−ln p[target]" in capsys.readouterr().out
    assert main(["--json", "inspect", "weights", "hello"]) == 0
    figures = [json.loads(line)["figure"] for line in capsys.readouterr().out.splitlines()]
    assert [figure["title"].split(":")[0] for figure in figures] == ["U", "W", "b", "V", "c"]
    ((cell,),) = unrolled.load("hello").model.recurrent.cells()  # type: ignore[union-attr]
    assert [row[1:] for row in figures[1]["rows"]] == cell.W.tolist()


def test_tiny_has_too_many_weights_to_show(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "weights", "tiny"]) == 2
    assert "too many numbers" in capsys.readouterr().err
