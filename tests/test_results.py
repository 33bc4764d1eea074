"""The committed results are as they were written, and the README quotes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from unrolled.workshop.results import read_result

ROOT = Path(__file__).parents[1]
RESULTS = sorted((ROOT / "docs" / "results").glob("*.toml"))


@pytest.mark.parametrize("file", RESULTS, ids=lambda file: file.stem)
def test_a_result_follows_from_its_values(file: Path) -> None:
    result = read_result(file)
    # A result of a recipe with other options than its own is named after both.
    assert file.stem == result.name or file.stem.startswith(f"{result.name}-")
    assert result.commit and "+" not in result.commit, "measured with changes that no commit holds"


@pytest.mark.parametrize("name", ["char-lm", "names"])
def test_the_readme_quotes_the_results(name: str) -> None:
    """Each figure of the recipe stands in its line of the README's table, as the mean to three decimals."""
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    (line,) = [line for line in lines if line.startswith("|") and f"docs/results/{name}.toml" in line]
    for figure in read_result(ROOT / "docs" / "results" / f"{name}.toml").figures:
        assert f"{figure.mean:.3f}" in line
