"""Fail on a skipped test that is not on the committed list: check_skips.py REPORT LIST.

REPORT is what `pytest --junitxml` wrote; LIST has one `test | reason` a line (docs/skips.txt says how it is read).
A test that is expected to fail counts as skipped. Silent where all is well; exit code 1 names each that is not listed.
"""

from __future__ import annotations

import ast
import fnmatch
import sys
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree


@dataclass(frozen=True)
class Skip:
    test: str  # tests/room/test_file.py::test_name
    reason: str


def skips_of(report: str) -> list[Skip]:
    """The skipped tests of a report, in its order."""
    found = []
    for case in ElementTree.fromstring(report).iter("testcase"):
        name = _test_name(case.get("classname", ""), case.get("name", ""))
        found += [Skip(name, _reason(skipped)) for skipped in case.iter("skipped")]
    return found


def _test_name(classname: str, name: str) -> str:
    """`tests.cells.test_lstm.TestStep`, `test_zero` → `tests/cells/test_lstm.py::TestStep::test_zero`."""
    # A file that is skipped whole has no class name: its own name stands in the other place.
    parts = (classname or name).split(".")
    module = next((i for i, part in enumerate(parts) if part.startswith("test_")), len(parts) - 1) + 1
    inner = [*parts[module:], name] if classname else ["*"]
    return "::".join(["/".join(parts[:module]) + ".py", *inner])


def _reason(skipped: ElementTree.Element) -> str:
    message = skipped.get("message", "")
    if message != "collection skipped":
        return message
    # Of a file that is skipped whole, the reason is in the text alone: (file, line, "Skipped: reason").
    _file, _line, reason = ast.literal_eval(skipped.text or "")
    return reason.removeprefix("Skipped: ")


def read_list(text: str) -> list[Skip]:
    """The entries of the list. ValueError names a line that is none."""
    entries = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        test, bar, reason = (part.strip() for part in line.partition(" | "))
        if not (test and bar and reason):
            raise ValueError(f"line {number}: expected `test | reason`, got {line!r}")
        entries.append(Skip(test, reason))
    return entries


def is_listed(skip: Skip, entries: list[Skip]) -> bool:
    # In a list the brackets of a parametrised test are themselves, not a set of characters.
    patterns = ((entry.test.replace("[", "[[]"), entry.reason) for entry in entries)
    return any(fnmatch.fnmatchcase(skip.test, test) and reason in skip.reason for test, reason in patterns)


def main(report: str, listed: str) -> int:
    try:
        entries = read_list(Path(listed).read_text(encoding="utf-8"))
    except ValueError as error:
        print(f"{listed}, {error}", file=sys.stderr)
        return 1
    unlisted = [skip for skip in skips_of(Path(report).read_text(encoding="utf-8")) if not is_listed(skip, entries)]
    for skip in unlisted:
        print(f"skipped, and not listed in {listed}: {skip.test}: {skip.reason}", file=sys.stderr)
    return 1 if unlisted else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: check_skips.py REPORT LIST")
    sys.exit(main(*sys.argv[1:]))
