"""The lab as a person meets it: the real server on runs that were really trained, and a browser. One of each a worker.

    def test_something(visit: Visit, runs: Path) -> None:
        page = visit.open("/run/first")

`visit` is a desktop's page; `phone` one of 390 pixels. A test that asks for either runs in the browser's thread, and
fails if the page has complained of anything.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from . import browser
from .browser import Driver, Visit
from .folders import make_runs

BROWSED = ("visit", "phone")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without chromium there is nothing to drive."""
    if browser.CHROMIUM is None:
        for item in items:
            if set(BROWSED) & set(getattr(item, "fixturenames", ())):
                item.add_marker(pytest.mark.skip(reason=browser.ABSENT))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Tests that see a page run where the browser lives."""
    if not set(BROWSED) & set(pyfuncitem.fixturenames):
        return None
    driver: Driver = pyfuncitem.funcargs["driver"]
    wanted = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    driver.run(pyfuncitem.obj, **wanted)
    return True


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the runs that the lab shows."""
    return make_runs(tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="session")
def lab(runs: Path) -> Iterator[str]:
    """The lab's address, with its token."""
    with subprocess.Popen(
        [sys.executable, "-m", "unrolled", "--json", "lab", str(runs), "--no-open", "--port", "0"],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        cwd=runs.parent,
        env={**os.environ, "UNROLLED_CACHE": str(runs.parent / "cache"), "OMP_NUM_THREADS": "1"},
    ) as server:
        assert server.stdout is not None
        yield json.loads(server.stdout.readline())["address"]
        server.terminate()


@pytest.fixture(scope="session")
def driver() -> Iterator[Driver]:
    """The browser."""
    driver = Driver()
    yield driver
    driver.close()


def _visit(driver: Driver, lab: str, name: str, **options: Any) -> Iterator[Visit]:
    visit = driver.run(driver.visit, lab, name, **options)
    yield visit
    driver.run(visit.page.close)
    assert visit.complaints == []


@pytest.fixture
def visit(driver: Driver, lab: str) -> Iterator[Visit]:
    """A page of 1280 pixels, light."""
    yield from _visit(driver, lab, "desktop", viewport={"width": 1280, "height": 800}, color_scheme="light")


@pytest.fixture
def phone(driver: Driver, lab: str) -> Iterator[Visit]:
    """A page of 390 pixels, dark, for a hand."""
    phone = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "has_touch": True}
    yield from _visit(driver, lab, "phone", **phone)
