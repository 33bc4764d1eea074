"""Writing with a network: what the page writes is what the model writes, and from any symbol it goes on another way."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlparse

import pytest
import torch
from playwright.sync_api import Page

import unrolled

from .browser import Visit
from .folders import HOSTILE
from .test_reading_view import number

PROMPT = "def read(self):"


def written(page: Page, length: int) -> str:
    """The whole text, once so many symbols of it stand there."""
    for _ in range(100):
        text = page.locator("lab-figure[data-kind=coloured-text] .letters").text_content() or ""
        if len(text) >= length and page.get_by_role("button", name="Write", exact=True).is_enabled():
            return text.replace("⏎", "\n")
        page.wait_for_timeout(100)
    raise AssertionError(f"{len(text)} symbols of {length} came")


def symbol(page: Page, index: int) -> None:
    """Choose a symbol of the text by the keyboard."""
    stage = page.locator("lab-figure[data-kind=coloured-text] .stage")
    stage.focus()
    page.keyboard.press("Home")
    for _ in range(index):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.locator(".place h2", has_text=f"symbol {index + 1}").wait_for()


def test_it_writes_what_the_model_writes_with_the_settings_of_the_page(visit: Visit) -> None:
    page = visit.open(f"/write?run=tiny&prompt={quote(PROMPT)}&length=60&seed=3")
    run = unrolled.load("tiny")
    assert written(page, len(PROMPT) + 60) == PROMPT + run.sample(PROMPT, length=60, seed=3)
    # Settings by the keyboard, and what they say of themselves.
    temperature = page.get_by_label("Temperature")
    temperature.focus()
    for _ in range(6):
        page.keyboard.press("ArrowLeft")
    assert temperature.get_attribute("aria-valuetext") == "0.50"
    page.get_by_label("Top-k").fill("4")
    page.get_by_label("Top-p").focus()
    page.keyboard.press("ArrowLeft")
    page.get_by_role("button", name="Write", exact=True).press("Enter")
    expected = run.sample(PROMPT, length=60, seed=3, temperature=0.5, top_k=4, top_p=0.95)
    for _ in range(50):
        if written(page, len(PROMPT) + 60) == PROMPT + expected:
            break
        page.wait_for_timeout(100)
    assert written(page, len(PROMPT) + 60) == PROMPT + expected
    asked = parse_qs(urlparse(page.url).query)
    assert asked == {
        "run": ["tiny"],
        "prompt": [PROMPT],
        "length": ["60"],
        "seed": ["3"],
        "temperature": ["0.5"],
        "top_k": ["4"],
        "top_p": ["0.95"],
    }


def test_a_symbol_shows_what_else_it_might_have_been_and_goes_on_another_way(visit: Visit) -> None:
    page = visit.open(f"/write?run=tiny&prompt={quote(PROMPT)}&length=40&seed=3")
    before = written(page, len(PROMPT) + 40)
    at = len(PROMPT) + 12
    symbol(page, at)
    run: Any = unrolled.load("tiny")
    writing = run.recipe.writing(run.assets)
    with torch.inference_mode():
        advance, state = run.model.stepper(), run.model.initial_state(1)
        for one in writing.encode(before[:at]):
            logits, state = advance(torch.tensor([one]), state)
    likeliest = logits[0].log_softmax(-1).exp().topk(5)
    buttons = page.locator(".place .bars button")
    shown = [float(text.removesuffix(" %")) / 100 for text in buttons.locator("b").all_text_contents()]
    assert shown == pytest.approx(likeliest.values.tolist(), rel=0.06, abs=6e-4)
    p = float(logits[0].log_softmax(-1)[writing.encode(before[at])[0]].exp())
    told = page.locator(".place .told").text_content()
    assert number(told.split(",")[0].removeprefix("p = ")) == pytest.approx(p, rel=1e-3)
    assert number(told.split(",")[1].removesuffix(" nats")) == pytest.approx(-math.log(p), rel=1e-3)
    # Another way: by the keyboard, with a symbol that did not come.
    decoder = writing.decoder()
    names = [decoder.feed(int(k)) for k in likeliest.indices]
    other = next(k for k, name in enumerate(names) if name != before[at])
    buttons.nth(other).press("Enter")
    given = before[:at] + names[other]
    text = written(page, len(given) + 40)
    assert parse_qs(urlparse(page.url).query)["prompt"] == [given]
    assert text == given + run.sample(given, length=40, seed=3)
    page.go_back()
    for _ in range(50):
        if written(page, len(before)) == before:
            break
        page.wait_for_timeout(100)
    assert written(page, len(before)) == before


def test_what_a_model_emits_is_only_text(visit: Visit, runs: Path) -> None:
    """A model that knows but one text, and that text would run if it were taken for more than one."""
    trained = {"word": HOSTILE, "hidden": 48, "steps": 250, "threads": 1}
    run = unrolled.train("hello", name="emits", cell="gru", runs=str(runs), **trained)
    assert run.sample(HOSTILE[0], length=len(HOSTILE) - 1, temperature=0) == HOSTILE[1:]
    length = len(HOSTILE) - 1
    page = visit.open(f"/write?run=emits&temperature=0&length={length}&prompt={quote(HOSTILE[0])}")
    assert written(page, len(HOSTILE)) == HOSTILE
    symbol(page, 3)
    assert page.locator("main img, main script").count() == 0


def test_a_beam_is_searched_and_stop_texts_are_kept(visit: Visit) -> None:
    run = unrolled.load("tiny")
    page = visit.open(f"/write?run=tiny&prompt={quote(PROMPT)}&length=80&stop={quote(chr(10))}&seed=1")
    expected = run.sample(PROMPT, length=80, seed=1, stop=["\n"])
    assert len(expected) < 80
    assert written(page, len(PROMPT) + len(expected)) == PROMPT + expected
    page.get_by_label("Beam").fill("3")
    page.get_by_label("Symbols").fill("20")
    page.get_by_role("button", name="Write", exact=True).click()
    page.wait_for_timeout(300)
    text = written(page, len(PROMPT) + 5)
    assert text.startswith(PROMPT) and "beam=3" in page.url
