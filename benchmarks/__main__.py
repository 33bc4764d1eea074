"""`python -m benchmarks SUITE`: measure, print, and write docs/results/SUITE.toml, SUITE.md and its pictures.

The exit code is 1 where a goal is not met, so that a check can rest on it.
"""

from __future__ import annotations

import argparse
import shlex
import statistics
import sys
from pathlib import Path

from benchmarks import suite as suites
from unrolled.errors import UnrolledError
from unrolled.figures import Table
from unrolled.training import durable
from unrolled.workshop.page import page, table
from unrolled.workshop.renderings.svg import to_svg
from unrolled.workshop.results import Figure, Result, write_result

RESULTS = Path(__file__).parents[1] / "docs" / "results"


def main() -> int:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("suite", nargs="?", help="which suite; without one, they are listed")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder to write to (docs/results)")
    parser.add_argument("--seconds", type=float, help="of measuring at each point, for suites that compare (60)")
    parser.add_argument("--points", type=int, help="only so many, spread evenly, of a suite that compares (all)")
    arguments = parser.parse_args()
    try:
        if arguments.suite is None:
            for name in suites.names():
                print(f"{name:<16} {suites.find(name).summary}")
            return 0
        return run(suites.find(arguments.suite, arguments.seconds, arguments.points), arguments.results)
    except UnrolledError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return error.exit_code


def run(suite: suites.Suite, folder: Path) -> int:
    """Measure one suite and keep what it found."""
    quantities: list[Figure] = []
    body: list[str] = []
    for found in suite.measure():
        if isinstance(found, Figure):
            print(line(found), flush=True)
            quantities.append(found)
        elif isinstance(found, Table):
            body.append(table(found))
        else:
            picture = f"{suite.name}-{sum(part.startswith('!') for part in body) + 1}.svg"
            durable.write(folder / picture, to_svg(found).encode())
            body.append(f"![{found.title}]({picture})")
    command = shlex.join(["python", "-m", "benchmarks", suite.name, *suite.options])
    result = Result("suite", suite.name, command, tuple(quantities))
    write_result(folder / f"{suite.name}.toml", result)
    durable.write(folder / f"{suite.name}.md", page(result, suite.summary, body).encode())
    missed = [figure.name for figure in quantities if figure.met is False]
    if missed:
        print(f"benchmarks: goals that are not met: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


def line(figure: Figure) -> str:
    """One figure for a terminal."""
    values = figure.values
    middle = f"median {statistics.median(values):.4g} {figure.unit} ({min(values):.4g} to {max(values):.4g})"
    goal = "" if figure.met is None else f"; goal {figure.target}: {'met' if figure.met else 'not met'}"
    return f"{figure.name}: {middle}{goal}"


if __name__ == "__main__":
    sys.exit(main())
