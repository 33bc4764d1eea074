"""Sentences, series: what the page shows are the answers of the runs, called directly."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

import unrolled
from unrolled.data.spellings import split_words
from unrolled.figures import Curves, Table
from unrolled.workshop.forecast import ForecastRequest, forecast
from unrolled.workshop.messages import Shown
from unrolled.workshop.parse import trees
from unrolled.workshop.renderings.words import visible
from unrolled.workshop.translate import translations

from ..recipes.stand_in import options_for
from .browser import Visit, cells, values
from .folders import HOSTILE
from .test_reading_view import number


@pytest.fixture(scope="module")
def answering(runs: Path) -> Path:
    """Runs that answer, hardly trained: what they say is theirs."""
    for recipe in ("sentiment", "tagging", "temperature", "translate", "parse"):
        given = {**options_for(recipe, runs.parent), "steps": 2, "threads": 1}
        unrolled.train(recipe, name=f"small-{recipe}", runs=str(runs), **given)
    return runs


def test_words_are_coloured_by_what_they_say_for_the_class(visit: Visit, answering: Path) -> None:
    sentence = "so fine and so dull"
    page = visit.open(f"/sentences?run=small-sentiment&text={quote(sentence)}")
    figure = page.locator("lab-figure[data-kind=coloured-text]").first
    figure.locator(".letters").wait_for()
    coloured, _, table = unrolled.load(answering / "small-sentiment").inspect("saliency", text=sentence)
    assert figure.locator("figcaption").text_content() == coloured.title
    shown = values(figure)
    assert [row[0].strip() for row in shown] == [token.strip() for token in coloured.tokens]
    assert [number(row[1]) for row in shown] == pytest.approx(list(coloured.values), rel=2e-3, abs=1e-6)
    assert isinstance(table, Table)
    assert len(cells(page.locator("lab-figure[data-kind=table] table"))) == len(table.rows)


def test_every_word_has_its_tags_and_a_hostile_sentence_is_only_words(visit: Visit, answering: Path) -> None:
    page = visit.open("/sentences?run=small-tagging")
    page.get_by_label("Sentence").fill(HOSTILE)
    page.get_by_role("button", name="Read").press("Enter")
    table = page.locator("lab-figure[data-kind=table] table")
    table.wait_for()
    run: Any = unrolled.load(answering / "small-tagging")
    from unrolled.data.tokens import split_words

    words = split_words(HOSTILE)
    (tags,) = run.predict([words])
    assert cells(table) == [[word, *said] for word, said in zip(words, tags, strict=True)]
    assert page.locator("main img, main script").count() == 0


def test_a_translation_has_its_map_and_a_parse_its_tree(visit: Visit, answering: Path) -> None:
    sentence = "the cat sat on the mat."
    page = visit.open(f"/sentences?run=small-translate&text={quote(sentence)}")
    (one,) = translations(unrolled.load(answering / "small-translate"), [sentence])
    page.locator(".said > p").wait_for()
    assert page.locator(".said > p").text_content() == visible(one.text)
    if one.target:
        page.locator("lab-figure[data-kind=heat-map] canvas").first.wait_for()
    page = visit.open(f"/sentences?run=small-parse&text={quote(sentence)}")
    page.locator("lab-figure[data-kind=tree] svg").first.wait_for()
    page.locator("lab-figure[data-kind=heat-map] canvas").first.wait_for()
    (parsed,) = trees(unrolled.load(answering / "small-parse"), [split_words(sentence)])
    assert parsed is not None
    assert page.locator(".said > p").text_content() == str(parsed.tree)


def test_a_forecast_has_its_line_and_its_interval(visit: Visit, answering: Path) -> None:
    page = visit.open("/forecast?run=small-temperature")
    figure = page.locator("lab-figure[data-kind=curves]").first
    figure.locator("path.curve").first.wait_for()
    said = forecast(ForecastRequest(run=str(answering / "small-temperature")))
    curves = next(one.figure for one in said if isinstance(one, Shown) and isinstance(one.figure, Curves))
    shown = [row for row in values(figure) if row[0] == curves.series[-1].name]
    assert [number(row[2]) for row in shown] == pytest.approx(list(curves.series[-1].y), rel=2e-3, abs=1e-3)
    assert curves.bands and figure.locator("path.band").count() == len(curves.bands)


def test_without_such_runs_each_view_says_how_to_train_one(phone: Visit) -> None:
    for view in ("points", "sentences", "forecast"):
        page = phone.open(f"/{view}")
        page.locator(".welcome a, form, .controls").first.wait_for()
