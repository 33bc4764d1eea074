"""The command, in a folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from .command import Command


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.setenv("UNROLLED_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("UNROLLED_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("UNROLLED_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    return Command(tmp_path, capsys)
