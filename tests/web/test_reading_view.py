"""Reading a text through a network: what the page shows at a symbol, against the equations worked in NumPy."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from playwright.sync_api import Page

import unrolled
from unrolled.figures import Table

from ..workshop.test_inspect_reading import TEXT, by_hand
from .browser import Visit, cells, values
from .folders import HOSTILE

ADDRESS = f"/read?run=tiny&text={quote(TEXT)}"
PLACE = TEXT.index("(")


def digits(value: float) -> str:
    """As the page writes what came as float16: three digits below 1, fewer above."""
    size = abs(value)
    return f"{value:.{3 if size < 0.9995 else 2 if size < 9.995 else 1}f}".replace("-", "−")


def number(shown: str) -> float:
    return float(shown.replace("−", "-").replace(",", ""))


def read(visit: Visit, address: str, signals: int = 6) -> Page:
    """The view, once all of the layer has come: six fields and gates of an LSTM, four of a GRU."""
    page = visit.open(address)
    page.locator(".gates tbody tr").nth(signals - 1).wait_for()
    visit.drawn()
    return page


def letters(page: Page) -> Any:
    return page.locator("lab-figure[data-kind=coloured-text] .stage")


def click_symbol(page: Page, index: int, tokens: str = TEXT) -> None:
    """Where the symbol stands: in a text whose lines are short."""
    before = tokens[:index]
    line, column = before.count("\n"), index - (before.rfind("\n") + 1)
    box = letters(page).bounding_box()
    lines = tokens.rstrip("\n").count("\n") + 1
    width = page.evaluate("parseFloat(getComputedStyle(document.querySelector('.coloured')).getPropertyValue('--em'))")
    page.mouse.click(box["x"] + (column + 0.5) * width, box["y"] + (line + 0.5) * box["height"] / lines)


def gradient_norms(run: Any, symbols: list[int], place: int, step: float = 1e-5) -> list[float]:
    """‖∂ ln p(symbol at `place`) / ∂x_t‖ for every t before it, by central differences of an LSTM in NumPy."""
    ((cell,),) = run.model.recurrent.cells()
    U, W, b = (cell.get_parameter(name).detach().double().numpy() for name in "UWb")
    V, c = (one.detach().double().numpy() for one in (run.model.softmax.weight, run.model.softmax.bias))
    x = run.model.embedding.weight.detach().double().numpy()[symbols[:place]]

    def forecast(x: np.ndarray) -> float:
        h = state = np.zeros(W.shape[1])
        for x_t in x:
            i, f, g, o = np.split(U @ x_t + W @ h + b, 4)
            state = state / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
            h = np.tanh(state) / (1 + np.exp(-o))
        y = V @ h + c
        return y[symbols[place]] - np.log(np.exp(y).sum())

    gradient = np.zeros_like(x)
    for at in np.ndindex(*x.shape):
        ends = []
        for sign in (1, -1):
            moved = x.copy()
            moved[at] += sign * step
            ends.append(forecast(moved))
        gradient[at] = (ends[0] - ends[1]) / (2 * step)
    return np.linalg.norm(gradient, axis=1).tolist()


def test_a_clicked_symbol_shows_its_units_and_what_else_might_have_come(visit: Visit) -> None:
    page = read(visit, f"{ADDRESS}&signal=cell&unit=139")
    click_symbol(page, PLACE)
    page.locator(".place h2", has_text=f"“(” symbol {PLACE + 1} of {len(TEXT)}").wait_for()
    found, told = by_hand(TEXT)
    rows = {row[0]: row[1:] for row in cells(page.locator(".place .gates"))}
    assert list(rows) == list(found)
    for name, unit in found.items():
        for shown, expected in zip(rows[name], unit[138, PLACE - 1 : PLACE + 1], strict=True):
            assert number(shown) == pytest.approx(expected, abs=6e-4 if abs(expected) < 1 else 6e-3)
    run: Any = unrolled.load("tiny")
    decoder = run.recipe.writing(run.assets).decoder()
    likeliest = np.argsort(-told[PLACE - 1])[:8]
    shown = page.locator(".place .bars li")
    names = [text.replace("␣", " ").replace("⏎", "\n") for text in shown.locator("span").all_text_contents()]
    assert names == [decoder.feed(int(k)) for k in likeliest]
    for text, k in zip(shown.locator("b").all_text_contents(), likeliest, strict=True):
        assert float(text.removesuffix(" %")) / 100 == pytest.approx(np.exp(told[PLACE - 1, k]), rel=0.05, abs=6e-4)
    symbol = run.recipe.writing(run.assets).encode("(")[0]
    assert f"{-told[PLACE - 1, symbol]:.2f}" in page.locator(".place .told").text_content()
    # The address holds it all: the same page once more shows the same.
    before = page.locator(".place").inner_text()
    assert f"place={PLACE + 1}" in page.url and "unit=139" in page.url and "signal=cell" in page.url
    page.reload()
    page.locator(".place h2", has_text=f"symbol {PLACE + 1} of").wait_for()
    page.locator(".gates tbody tr").nth(5).wait_for()
    assert page.locator(".place").inner_text() == before


def test_units_and_gates_are_switched_by_the_keyboard_and_every_value_is_the_models(visit: Visit) -> None:
    page = read(visit, f"{ADDRESS}&unit=7")
    page.get_by_label("Gate or state").select_option("forget")
    slider = page.locator(".one-of input[type=range]")
    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    figure = page.locator("lab-figure[data-kind=coloured-text]")
    figure.locator("figcaption", has_text="tiny: layer 1, forget 10").wait_for()
    shown = [number(row[1]) for row in values(figure)]
    np.testing.assert_allclose(shown, by_hand(TEXT)[0]["forget"][9], rtol=2e-3, atol=2e-4)
    assert "unit=10" in page.url and "signal=forget" in page.url
    # Within the text, arrow keys read the values, and Enter chooses a symbol.
    letters(page).focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert page.locator(".coloured .read-out b").first.text_content() == "“f”"
    assert number(page.locator(".coloured .read-out b").nth(1).text_content()) == pytest.approx(shown[2])
    page.keyboard.press("Enter")
    page.locator(".place h2", has_text="“f” symbol 3").wait_for()


def test_the_colours_of_the_text_are_those_of_the_unit(visit: Visit) -> None:
    """One pixel a place of the text: blue below zero, orange above, paler towards it."""
    page = read(visit, f"{ADDRESS}&signal=cell&unit=139")
    width = page.evaluate("document.querySelector('.coloured canvas').width")
    pixels = page.evaluate(
        "() => { const c = document.querySelector('.coloured canvas'); "
        "return [...c.getContext('2d').getImageData(0, 0, c.width, 1).data]; }"
    )
    line = TEXT[: TEXT.index("\n")]
    unit = by_hand(TEXT)[0]["cell"][138, : len(line)]
    red, blue = (np.array(pixels[k::4][:width], float)[: len(line)] for k in (0, 2))
    warm = red - blue
    strong = np.abs(unit) > 0.25 * np.abs(by_hand(TEXT)[0]["cell"][138]).max()
    assert strong.sum() > 3
    assert (np.sign(warm[strong]) == np.sign(unit[strong])).all()
    order = np.argsort(unit[strong])
    assert (np.diff(warm[strong][order]) >= -12).all()


def test_surprise_and_saliency_colour_the_text_too(visit: Visit) -> None:
    page = read(visit, f"{ADDRESS}&place={PLACE + 1}")
    page.get_by_label("Coloured by").select_option("surprise")
    figure = page.locator("lab-figure[data-kind=coloured-text]")
    figure.locator("figcaption", has_text="What surprised tiny").wait_for()
    run: Any = unrolled.load("tiny")
    symbols = run.recipe.writing(run.assets).encode(TEXT)
    told = by_hand(TEXT)[1]
    surprise = [-told[t - 1, symbols[t]] for t in range(1, len(TEXT))]
    assert [number(row[1]) for row in values(figure)[1:]] == pytest.approx(surprise, rel=2e-3, abs=2e-3)

    page.get_by_label("Coloured by").select_option("strength")
    figure.locator("figcaption", has_text="What the forecast of '('").wait_for()
    shown = [row[1] for row in values(figure)]
    assert [number(one) for one in shown[:PLACE]] == pytest.approx(gradient_norms(run, symbols, PLACE), rel=3e-3)
    assert set(shown[PLACE:]) == {"–"}


def test_a_unit_is_chosen_among_all_of_them(visit: Visit) -> None:
    page = read(visit, f"{ADDRESS}&place={PLACE + 1}")
    heat_map = page.locator("lab-figure[data-kind=heat-map]")
    table = values(heat_map)
    found = by_hand(TEXT)[0]
    for row in table:
        np.testing.assert_allclose([number(one) for one in row[1:]], found[row[0]][:, PLACE], rtol=2e-3, atol=2e-4)
    stage = heat_map.locator(".stage")
    stage.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    page.locator("figcaption", has_text="tiny: layer 1, input 2").wait_for()
    assert "signal=input" in page.url and "unit=2" in page.url


def test_units_that_follow_something_are_found_and_shown(visit: Visit, runs: Path) -> None:
    text = (runs.parent / "book.txt").read_text(encoding="utf-8")[:5000]
    page = read(visit, f"/read?run=first&text={quote(text)}", signals=4)
    page.get_by_role("button", name="Find them").click()
    buttons = page.locator(".ranked button")
    buttons.first.wait_for()
    table, *_ = unrolled.load(runs / "first").inspect("ranking", text=text, length=4000)
    assert isinstance(table, Table)
    assert buttons.locator("span").all_text_contents() == [row[0] for row in table.rows]
    for shown, (_, _, measure, _, confirmed, *_) in zip(
        buttons.locator("b, small").all_text_contents()[::2], table.rows, strict=True
    ):
        assert number(shown.removeprefix(f"{measure} ")) == pytest.approx(confirmed, abs=1e-3)
    buttons.first.press("Enter")
    page.locator("figcaption", has_text=f"first: {table.rows[0][1]}").wait_for()
    # So long a text stays in the browser, and is in the address all the same.
    assert page.evaluate("location.search.length") < 100
    assert page.evaluate("location.hash.length") >= 5000
    page.reload()
    page.locator("figcaption", has_text=f"first: {table.rows[0][1]}").wait_for()
    assert page.get_by_label("Text", exact=True).input_value() == text


def test_a_hostile_text_is_pasted_and_only_read(visit: Visit) -> None:
    page = read(visit, ADDRESS)
    page.get_by_label("Text").fill(HOSTILE)
    page.get_by_role("button", name="Read", exact=True).click()
    page.locator(".place h2", has_text=f"of {len(HOSTILE)}").wait_for()
    page.locator(".gates tbody tr").nth(5).wait_for()
    visit.drawn()
    shown = page.locator("lab-figure[data-kind=coloured-text] .letters").text_content()
    assert shown == HOSTILE
    assert page.locator("main img, main script").count() == 0


def test_what_cannot_be_read_is_said_in_one_line(visit: Visit) -> None:
    page = read(visit, ADDRESS)
    page.get_by_label("Text").fill("snow ☃ man")
    page.get_by_role("button", name="Read", exact=True).click()
    page.get_by_role("alert").first.wait_for()
    assert "☃" in page.get_by_role("alert").locator("p").text_content()
    assert page.locator("lab-figure[data-kind=coloured-text] .letters").text_content().startswith("def read")


def test_on_a_phone_a_symbol_is_tapped(phone: Visit) -> None:
    page = read(phone, ADDRESS)
    box = letters(page).bounding_box()
    page.touchscreen.tap(box["x"] + 4, box["y"] + 12)
    page.locator(".place h2", has_text="“d” symbol 1 of").wait_for()
    assert page.locator(".place .told").text_content() == "nothing stands before it"
