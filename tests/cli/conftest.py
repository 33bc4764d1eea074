"""The command, in a folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from unrolled.recipes import language

from .command import Command


@pytest.fixture
def command(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Command:
    monkeypatch.setenv("UNROLLED_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("UNROLLED_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("UNROLLED_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    # The samples drawn while training took most of the time of these tests.
    monkeypatch.setattr(language, "SAMPLE_LENGTH", 40)
    return Command(tmp_path, capsys, tmp_path_factory.getbasetemp() / "kept")
