"""The novel beside its n-gram."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import unrolled
from unrolled.recipes import kneser_ney
from unrolled.recipes.war_and_peace import WarAndPeaceOptions

from .stand_in import options_for


def test_evaluate_measures_the_n_gram_on_the_symbols_that_the_network_is_measured_on(tmp_path: Path) -> None:
    plain = options_for("war-and-peace", tmp_path)
    run = unrolled.train("war-and-peace", steps=2, threads=1, runs=str(tmp_path / "runs"), **plain)
    figures = run.evaluate()
    assert list(figures) == ["state carried", "from zero state", "3-gram"]
    text = Path(plain["data"]).read_text()
    symbols = np.unique(list(text), return_inverse=True)[1]
    border = len(text) * 9 // 10
    expected = kneser_ney.losses(symbols[: len(text) * 8 // 10], symbols.max() + 1, 3, symbols[border:])
    assert figures["3-gram"] == pytest.approx(expected[-1], rel=1e-12)
    # The validation part is looked at while training goes on, when nothing slow should happen.
    assert list(run.evaluate("valid")) == ["state carried", "from zero state"]


def test_line_ends_stay_as_the_paper_read_them(tmp_path: Path) -> None:
    (tmp_path / "novel.txt").write_bytes(b"Well, Prince, so Genoa\r\nand Lucca\r\n" * 100)
    plain = {**options_for("war-and-peace", tmp_path), "data": str(tmp_path / "novel.txt"), "n_gram": 0}
    run = unrolled.train("war-and-peace", steps=1, threads=1, runs=str(tmp_path / "runs"), **plain)
    assert "\r" in run.assets["vocabulary"]["characters"]


def test_without_a_budget_it_takes_half_an_hour() -> None:
    from unrolled.recipes import registry

    recipe = registry.find("war-and-peace")
    assert recipe.settings(WarAndPeaceOptions()).budget.minutes == 30
    assert recipe.settings(WarAndPeaceOptions(steps=5)).budget.steps == 5
