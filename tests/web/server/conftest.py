"""One lab a worker for the tests that change nothing, with three runs made by hand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .folders import write_run
from .served import Served, serving

SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(2)>"


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A lab over two folders: `book` and `other` in the first, `book` and one named like a script in the second."""
    place = tmp_path_factory.mktemp("served")
    write_run(place / "runs" / "book", updates=10, sample=SCRIPT)
    write_run(place / "runs" / "other", updates=3, finished=False)
    write_run(place / "elsewhere" / "book", updates=2)
    write_run(place / "elsewhere" / "<b onclick=alert(3)>", updates=2)
    (place / "secret.txt").write_text("secret", encoding="utf-8")
    (place / "README.md").write_text("the content of a file", encoding="utf-8")
    with serving(place / "runs", place / "elsewhere", "--port", 0) as lab:
        yield lab
