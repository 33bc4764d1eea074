"""The study `attention`: what it says of translations and trees that are made up here."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from unrolled.figures import Curves, HeatMap, Table
from unrolled.recipes import registry as recipes
from unrolled.studies import attention
from unrolled.studies.study import Extent, Outcome
from unrolled.workshop.options import with_changes

from ..recipes.stand_in import options_for

WORDS = [
    "a",
    "man",
    "is",
    "riding",
    "his",
    "red",
    "bike",
    "down",
    "the",
    "long",
    "street",
    "while",
    "two",
    "dogs",
    "run",
]


def sentences(broken: float, seed: int) -> tuple[list[str], list[str], list[str]]:
    """Sources, references, and references of which each word is broken with this chance."""
    draw = random.Random(0)
    references = [" ".join(draw.choices(WORDS, k=draw.randint(4, 20))) for _ in range(60)]
    spoil = random.Random(seed)
    said = [" ".join("x" if spoil.random() < broken else word for word in text.split()) for text in references]
    return references, references, said


def outcome(job: Any, bleu: float, broken: float) -> Outcome:
    found: dict[str, Any] = {"parameters": 9, "steps": 3}
    if job.recipe == "parse":
        return Outcome(job, {**found, "test": {"loss": 1.0, "labelled F1": bleu}, "measured": {}})
    seed = job.labels["seed"] + 10 * (job.labels["line"] == "translate-reversed")
    sources, references, said = sentences(broken, seed)
    shown = [HeatMap("it", ((1.0,),), ("x",), ("y",), "v").to_json()] * (
        10 if job.labels["line"].endswith("attention") else 0
    )
    measured = {"sources": sources, "references": references, "translations": said, "lowercase": False, "maps": shown}
    test = {"loss": 2.0, "BLEU, greedy": bleu - 1, "BLEU, beam 5": bleu}
    return Outcome(job, {**found, "test": test, "measured": measured})


def outcomes(seeds: tuple[int, ...], figures: Mapping[str, tuple[float, float]]) -> list[Outcome]:
    return [
        outcome(job, *figures[job.labels["line"]])
        for job in attention.STUDY.jobs(Extent(seeds))
        if job.labels["line"] in figures
    ]


ALL = {
    "translate-attention": (34.0, 0.1),
    "translate-none": (28.0, 0.5),
    "translate-reversed": (28.5, 0.5),
    "parse-attention": (70.0, 0),
    "parse-none": (40.0, 0),
}


def test_every_line_has_options_that_its_recipe_takes_and_pairs_differ_in_attention_alone() -> None:
    jobs = attention.STUDY.jobs(Extent((0, 1)))
    assert len({job.name for job in jobs}) == len(jobs) == 10
    made = {job.name: with_changes(recipes.find(job.recipe).Options(), dict(job.options)) for job in jobs}
    for recipe in ("translate", "parse"):
        with_it, without = (made[f"{recipe}-{how}-0"] for how in ("attention", "none"))
        assert with_changes(without, {"attention": "additive"}) == with_it
    assert made["translate-reversed-0"].reversed and not made["translate-none-0"].reversed


def test_what_is_gained_and_whether_it_is_chance() -> None:
    answer = attention.answer(outcomes((0, 1), ALL))
    results = answer.results
    assert results["translate, with attention: BLEU, beam 5"].values == (34.0, 34.0)
    gained = results["translate, with attention: BLEU, beam 5 above without attention"]
    assert gained.values == (6.0, 6.0) and gained.target == ">= 3"
    assert results["parse, with attention: labelled F1 above without attention"].values == (30.0, 30.0)
    assert results["translate, with attention: a beam of 5 above greedy"].values == (1.0, 1.0)
    sure = results["translate, with attention against without attention: p, paired bootstrap"]
    assert max(sure.values) < 0.01 and sure.target == "< 0.05"
    chance = results["translate, without, the source read from its end against without attention: p, paired bootstrap"]
    assert min(chance.values) > 0.05  # as many words are broken, others
    assert attention.NEXT_WORD in answer.words
    assert any("rs:12345" in word or "nrefs:1" in word for word in answer.words)
    assert {f"map-{n}" for n in range(1, 11)} <= set(answer.figures)
    table, length = answer.figures["translate"], answer.figures["length"]
    assert isinstance(table, Table) and isinstance(length, Curves)
    assert table.rows[0] == ("with attention", 2.0, 33.0, 34.0, 2, 9, 3)
    by_name = {series.name: series.y for series in length.series}
    assert all(a > b for a, b in zip(by_name["with attention"], by_name["without attention"], strict=True))


def test_it_answers_with_what_there_is() -> None:
    answer = attention.answer(outcomes((0,), {"parse-attention": (66.0, 0)}))
    assert list(answer.results) == ["parse, with attention: labelled F1"] and set(answer.figures) == {"parse"}
    assert not answer.words  # nothing is compared, so nothing need be said of what differs


def test_systems_that_break_as_much_differ_by_chance() -> None:
    _, references, said = sentences(0.3, 1)
    one = {"references": references, "translations": said, "lowercase": False}
    p, signature = attention.bootstrap(one, {**one, "translations": sentences(0.3, 2)[2]})
    assert p > 0.05 and signature.startswith("nrefs:1|bs:1000|")
    assert attention.bootstrap(one, {**one, "translations": references})[0] == pytest.approx(1 / 1001, abs=1e-3)


@pytest.mark.parametrize("recipe", ["translate", "parse"])
def test_what_is_measured_is_what_the_answer_needs(recipe: str, tmp_path: Path) -> None:
    """Networks that have learnt nothing, over the stand-in's test part; as JSON and back."""
    found = recipes.find(recipe)
    options = with_changes(found.Options(), options_for(recipe, tmp_path))
    data = found.data(options, tmp_path, None)
    model = found.model(options, data.assets)
    measured = json.loads(json.dumps(attention.measure(model, data), allow_nan=False))
    job = next(job for job in attention.STUDY.jobs(Extent((0,))) if job.labels["line"] == f"{recipe}-attention")
    test = found.metric(model, data.held_out["test"])
    answer = attention.answer([Outcome(job, {"test": test, "measured": measured, "parameters": 1, "steps": 1})])
    assert any(quantity.target.startswith(">= ") for quantity in answer.results.values())
    if recipe == "translate":
        assert len(measured["translations"]) == len(measured["references"]) == len(measured["sources"]) == 15
        shown = answer.figures["map-1"]
        assert isinstance(shown, HeatMap) and len(answer.figures) == 12  # ten maps, a table, BLEU by length
        assert [sum(row) for row in shown.values] == pytest.approx([1] * len(shown.rows), abs=1e-4)
