"""Forms made from what the server says of an action or a recipe: started, refused, shown, kept in the address."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from unrolled.workshop.actions import ACTIONS

from .browser import Visit, values


def test_every_diagnostic_is_listed_and_its_figures_are_shown(visit: Visit) -> None:
    page = visit.open("/inspect/units")
    names = {
        action.name.removeprefix("inspect ").replace("-", " ").capitalize()
        for action in ACTIONS
        if action.name.startswith("inspect ")
    }
    assert set(page.get_by_role("list", name="Diagnostics", exact=True).locator("a").all_text_contents()) == names
    page.get_by_label("run", exact=True).select_option("tiny")
    page.get_by_label("text", exact=True).fill("def f(x):")
    page.get_by_role("button", name="Show").press("Enter")
    figure = page.locator("lab-figure[data-kind=heat-map]").first
    figure.locator(".stage").wait_for()
    assert "run=tiny" in page.url
    assert "shown=yes" in page.url
    shown = values(figure)
    assert len(shown[0]) == 1 + len("def f(x):")
    # The arrow keys read the same numbers as the table has.
    figure.locator(".stage").press("ArrowRight")
    assert shown[0][1] in figure.locator(".read-out").text_content()


def test_a_link_to_a_diagnostic_shows_it(visit: Visit) -> None:
    page = visit.open("/inspect/surprise?run=tiny&text=import+os&shown=yes")
    figure = page.locator("lab-figure[data-kind=coloured-text]").first
    figure.locator(".letters").wait_for()
    assert figure.locator(".letters").text_content() == "import os"


def test_what_is_wrong_is_said_at_its_field(visit: Visit) -> None:
    page = visit.open("/inspect/units?run=tiny")
    length = page.get_by_label("length")
    length.fill("many")
    page.get_by_role("button", name="Show").click()
    assert page.locator("#" + length.get_attribute("id") + "-problem").text_content() == (
        "expected a whole number; “many” came"
    )
    assert page.evaluate("document.activeElement.name") == "length"
    length.fill("0")
    page.get_by_role("button", name="Show").click()
    page.get_by_role("alert").filter(has_text="--length 0: expected 1 or more").wait_for()


def test_names_of_cells_are_offered_where_one_is_typed(visit: Visit) -> None:
    page = visit.open("/inspect/gradient-flow")
    run = page.get_by_label("run", exact=True)
    run.focus()
    offered = page.locator("#" + run.get_attribute("list") + " option")
    offered.first.wait_for(state="attached")
    names = [one.get_attribute("value") for one in offered.all()]
    assert {"lstm", "min-gru", "urnn"} <= set(names) and len(names) == len(set(names))
    page.get_by_label("run", exact=True).fill("min-gru")
    page.get_by_role("button", name="Show").click()
    page.locator("lab-figure .stage").first.wait_for()


def test_a_text_of_ones_own_is_sent_and_a_run_is_started_on_it(visit: Visit, runs: Path) -> None:
    page = visit.open("/train")
    text = (runs.parent / "book.txt").read_text(encoding="utf-8")
    page.get_by_label("A file of your own").set_input_files(
        {"name": "own words.txt", "mimeType": "text/plain", "buffer": text.encode()}
    )
    page.get_by_text("6,000 bytes, chosen as the data").wait_for()
    expect(page.get_by_label("data", exact=True)).to_have_value("upload:own-words.txt")
    page.get_by_text("more options").click()
    for label, value in {
        "sizes": "8",
        "steps": "3",
        "name": "own",
        "embedding": "4",
        "batch size": "2",
        "window": "8",
        "split": "0.8 0.1 0.1",
    }.items():
        page.get_by_label(label, exact=True).fill(value)
    page.get_by_role("button", name="Start training").click()
    page.locator("h1", has_text="own").wait_for()
    assert page.url == f"{visit.base}/run/own"
    page.locator(".state", has_text="finished").wait_for(timeout=90_000)
    page.locator(".progress-words", has_text="step 3").wait_for()
    assert [row[1] for row in values(page.locator("lab-figure").first) if row[0] == "training"] == ["1", "2", "3"]


def test_options_that_a_recipe_refuses_start_nothing(visit: Visit, runs: Path) -> None:
    before = {path.name for path in runs.iterdir()}
    page = visit.open("/train?sizes=0&minutes=1")
    assert page.get_by_label("sizes", exact=True).input_value() == "0"
    page.get_by_role("button", name="Start training").click()
    page.get_by_role("alert").filter(has_text="one or more sizes of 1 or more").wait_for()
    assert {path.name for path in runs.iterdir()} - {".lab"} == before - {".lab"}
