from __future__ import annotations

from pathlib import Path

import pytest

from unrolled.data.folders import cache_folder


def test_the_cache_is_where_its_user_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setenv("UNROLLED_CACHE", "/own")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_folder() == Path("/own")
    monkeypatch.delenv("UNROLLED_CACHE")
    assert cache_folder() == Path("/xdg/unrolled")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path("/home/somebody/.cache/unrolled")
