"""The study `cells-by-depth`: its jobs in their order, and what it says of losses that are made up here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from unrolled.data.vocabulary import CharacterVocabulary
from unrolled.figures import Curves, Table
from unrolled.recipes import kneser_ney, war_and_peace
from unrolled.recipes import registry as recipes
from unrolled.recipes.recipe import Data
from unrolled.studies import cells_by_depth as study
from unrolled.studies.equal import sized
from unrolled.studies.study import Extent, Job, Outcome
from unrolled.workshop.options import with_changes

from ..recipes.stand_in import write_text

ASSETS = {"vocabulary": CharacterVocabulary("abcdefgh").to_assets()}


def test_the_claim_is_known_before_other_depths_are_tried() -> None:
    jobs = study.jobs(Extent((0, 1), 10.0))
    runs = [job for job in jobs if job.labels["what"] == "run"]
    order = [(job.labels["seed"], job.labels["cell"], job.labels["layers"]) for job in runs]
    assert order[:6] == [(seed, cell, 2) for cell in study.CELLS for seed in (0, 1)]
    assert order[6:] == [(0, cell, depth) for cell in study.CELLS for depth in (1, 3)]
    for job in jobs[1:]:
        options = with_changes(recipes.find(job.recipe).Options(), job.options)
        options = sized(recipes.find(job.recipe), options, ASSETS, job.parameters)
        assert options.n_gram == 0 and len(set(options.sizes)) == 1
        if job.labels["what"] == "run":
            trials = [by for by in jobs if by.name in job.best_of]
            assert len(options.sizes) == job.labels["layers"] and options.minutes == 10
            assert {by.labels["cell"] for by in trials} == {options.cell} and len(trials) == len(study.RATES)
            assert "muon_rate" not in job.options and job.takes == ("muon_rate",)
        else:
            assert job.parts == ("valid",) and options.minutes == 2.5


def outcomes(cell: str, depth: int, losses: list[float]) -> list[Outcome]:
    options = {"sizes": [100] * depth, "muon_rate": 0.03}
    return [
        Outcome(
            Job(f"{cell}-{depth}-{seed}", {"what": "run", "cell": cell, "layers": depth, "seed": seed}, {}),
            {"test": {study.FIGURE: loss}, "options": options, "parameters": 7, "steps": 50 + seed},
        )
        for seed, loss in enumerate(losses)
    ]


def test_it_says_who_is_lower_and_by_how_much() -> None:
    found = [
        *outcomes("elman", 2, [1.5, 1.4]),
        *outcomes("lstm", 2, [1.25, 1.35]),
        *outcomes("gru", 2, [1.45]),
        *outcomes("lstm", 1, [1.375]),
        Outcome(Job("n-grams", {"what": "n-grams"}, {}), {"losses": [2.0, 1.5, 1.25, 1.26]}),
        Outcome(Job("t", {"what": "trial", "cell": "lstm", "rate": 0.1}, {}), {"valid": {study.FIGURE: 0.5}}),
    ]
    answer = study.answer(found)
    table, depth = answer.figures["cells"], answer.figures["depth"]
    assert isinstance(table, Table) and isinstance(depth, Curves)
    assert table.rows[0] == ("lstm", 2, pytest.approx(1.3), pytest.approx(0.05), 2, 100, 7, 0.03, 50)
    assert [row[:2] for row in table.rows] == [("lstm", 2), ("lstm", 1), ("elman", 2), ("gru", 2)]
    assert [(line.name, line.x, line.y) for line in depth.series] == [
        ("elman", (2,), (pytest.approx(1.45),)),
        ("lstm", (1, 2), (1.375, 1.25)),
        ("gru", (2,), (1.45,)),
    ]
    lower = answer.results["lstm, 2 layers: lower than elman by"]
    assert lower.values == pytest.approx((0.25, 0.05)) and lower.target == "> 0"
    assert answer.results["gru, 2 layers: lower than elman by"].values == pytest.approx((0.05,))
    assert answer.words == (
        "lstm, 2 layers: +0.150 nats/symbol below elman of as many layers and parameters (+0.250, +0.050; the seeds of "
        "one kind are spread by 0.050).",
        "gru, 2 layers: +0.050 nats/symbol below elman of as many layers and parameters (+0.050; one seed).",
        "lstm by its layers: 1.375 with 1, 1.250 with 2; 2 is best.",
        "n-grams: 1.260 nats/symbol at order 4, and 1.250 at order 3, their best; the paper has 1.195 at order 20, and "
        "1.077 for its best network.",
    )


def test_n_grams_learn_from_the_first_eight_tenths_and_are_measured_on_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = write_text(tmp_path / "novel.txt", 3000)
    whole = war_and_peace.data

    def small(options: war_and_peace.WarAndPeaceOptions, folder: Path, assets: None) -> Data:
        return whole(with_changes(options, {"data": str(text), "batch_size": 4, "window": 16}), folder, assets)

    monkeypatch.setattr(war_and_peace, "data", small)
    characters = np.unique(list(text.read_text()), return_inverse=True)[1]
    expected = kneser_ney.losses(characters[:2400], characters.max() + 1, 4, characters[2700:])
    assert study.work({"order": 4})["losses"] == pytest.approx(expected)
    assert expected[-1] < 1.0 < expected[0]
