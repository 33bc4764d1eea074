from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def crash() -> Iterator[Callable[..., dict]]:
    """crash(folder, **job) → what became of the processes that did it; see crash_driver.py."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
    driver = subprocess.Popen(
        [sys.executable, str(HERE / "crash_driver.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert driver.stdin is not None
    assert driver.stdout is not None

    def do(folder: Path, **job: object) -> dict:
        driver.stdin.write(json.dumps({"folder": str(folder), **job}) + "\n")
        driver.stdin.flush()
        line = driver.stdout.readline()
        assert line, "the crash driver is gone"
        return json.loads(line)

    yield do
    driver.stdin.close()
    driver.wait(timeout=60)
    driver.stdout.close()
