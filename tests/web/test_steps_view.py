"""Step by step, and the gates: every number that the drawings hold, against NumPy."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from playwright.sync_api import Page

import unrolled

from ..workshop.test_inspect_reading import TEXT, by_hand
from .browser import Visit, cells
from .test_reading_view import digits, number

LETTERS = "helo"


def hello() -> dict[str, list[np.ndarray]]:
    """Of each step over "hello": W h′, U x, the sum, h, y and p, by the equations from the weights."""
    run: Any = unrolled.load("hello")
    ((cell,),) = run.model.recurrent.cells()
    U, W, b = (cell.get_parameter(name).detach().double().numpy() for name in "UWb")
    V, c = (one.detach().double().numpy() for one in (run.model.softmax.weight, run.model.softmax.bias))
    found: dict[str, list[np.ndarray]] = {}
    h = np.zeros(3)
    for letter in "hell":
        recurrent, read = W @ h, U @ np.eye(4)[LETTERS.index(letter)]
        h = np.tanh(recurrent + read + b)
        y = V @ h + c
        p = np.exp(y) / np.exp(y).sum()
        parts = {"W h′": recurrent, "U x": read, "b": b, "sum": recurrent + read + b, "h": h, "y": y, "p": p}
        for name, values in parts.items():
            found.setdefault(name, []).append(values)
    return found


def column(page: Page, step: int) -> list[str]:
    """The texts of one column of the drawing."""
    return page.locator("svg.unrolled g.step").nth(step).locator("text").all_text_contents()


def near(shown: str, expected: float) -> bool:
    return abs(number(shown) - expected) <= (6e-4 if abs(expected) < 1 else 6e-3 if abs(expected) < 10 else 6e-2)


def test_every_number_of_hello_stands_in_its_column(visit: Visit) -> None:
    page = visit.open("/steps")
    page.locator("svg.unrolled").wait_for()
    found = hello()
    for t in range(4):
        shown = column(page, t)
        for name in ("h", "y", "p"):
            for value in found[name][t]:
                assert digits(float(np.float32(value))) in shown or any(
                    near(one, value) for one in shown if one[-1].isdigit()
                ), (t, name, value)
        assert shown[-2:] == ["hell"[t], "ello"[t]]
    title = page.locator("figcaption").text_content()
    loss = -sum(np.log(found["p"][t][LETTERS.index("ello"[t])]) for t in range(4))
    assert f"{loss:.4f} nats" in title


def test_the_arithmetic_of_a_step_and_the_way_to_it_by_the_keyboard(visit: Visit) -> None:
    page = visit.open("/steps")
    page.get_by_role("button", name="Next step").press("Enter")
    slider = page.get_by_label("Step", exact=True)
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert "step=3" in page.url and slider.get_attribute("aria-valuetext") == "3 of 4"
    found, t = hello(), 2
    units, letters = (cells(page.locator(".sums table").nth(k)) for k in (0, 1))
    for j, row in enumerate(units):
        for name, shown in zip(("W h′", "U x", "b", "sum", "h"), row[1:], strict=True):
            assert near(shown, found[name][t][j]), (j, name)
    for k, row in enumerate(letters):
        assert row[0] == LETTERS[k] + (" ←" if LETTERS[k] == "l" else "")
        y = found["y"][t][k]
        for shown, expected in zip(row[1:], (y, np.exp(y), found["p"][t][k]), strict=True):
            assert near(shown, expected)
    assert page.locator("svg.unrolled g.now").count() == 1
    assert page.locator("svg.unrolled g.later").count() == 1
    page.get_by_text("step 3: reads l, should say l, gives it 99.1 %").wait_for(state="attached")


def test_another_word_and_a_letter_that_it_does_not_know(visit: Visit) -> None:
    page = visit.open("/steps?text=hole")
    page.locator("svg.unrolled g.step").nth(2).wait_for()
    assert [column(page, t)[-2] for t in range(3)] == ["h", "o", "l"]
    page.get_by_label("It reads").fill("hexe")
    page.get_by_role("button", name="Read").click()
    page.get_by_role("alert").wait_for()
    assert "'x'" in page.get_by_role("alert").text_content()


@pytest.mark.parametrize("step", [1, 4, len(TEXT)])
def test_the_lstms_drawing_fills_with_the_values_of_the_step(visit: Visit, step: int) -> None:
    page = visit.open(f"/gates?run=tiny&unit=139&step={step}&text={quote(TEXT)}")
    drawing = page.locator("svg.gate-diagram")
    drawing.wait_for()
    found = {name: values[138] for name, values in by_hand(TEXT)[0].items()}
    f, i, g, o, c, h = (found[k][step - 1] for k in ("forget", "input", "candidate", "output", "cell", "hidden"))
    before = found["cell"][step - 2] if step > 1 else 0.0
    shown = drawing.locator("text.number").all_text_contents()
    # In the order of the drawing: c′, c, h; the gates; f · c′, i · c̃, tanh c.
    expected = [before, c, h, f, i, g, o, f * before, i * g, np.tanh(c)]
    assert len(shown) == len(expected)
    for one, value in zip(shown, expected, strict=True):
        assert near(one, value), (shown, expected)
    # A disc is filled by its area as far as the gate is open.
    radii = [float(one.get_attribute("r")) for one in drawing.locator("circle.level").all()]
    assert [(r / 25) ** 2 for r in radii] == pytest.approx([f, i, abs(g), o], abs=0.01)
    assert [f"{step}: “{TEXT[step - 1]}”".replace("\n", "⏎")] == page.locator(".setting output").all_text_contents()
    said = page.locator(".equation").all_text_contents()
    assert said[0].endswith(f"= {shown[1]}") and said[1].endswith(f"= {shown[2]}")


def test_the_grus_drawing(visit: Visit, runs: Any) -> None:
    text = "the "
    page = visit.open(f"/gates?run=second&unit=5&step=4&text={quote(text)}")
    page.locator("svg.gate-diagram").wait_for()
    run: Any = unrolled.load(runs / "second")
    ((cell,),) = run.model.recurrent.cells()
    named = {name: one.detach().double().numpy() for name, one in cell.named_parameters()}
    E = run.model.embedding.weight.detach().double().numpy()
    h = before = np.zeros(16)
    for symbol in run.recipe.writing(run.assets).encode(text):
        ur, uz, un = np.split(named["U"] @ E[symbol] + named["b"], 3)
        wr, wz, wn = np.split(named["W"] @ h, 3)
        r, z = 1 / (1 + np.exp(-ur - wr)), 1 / (1 + np.exp(-uz - wz))
        g = np.tanh(un + r * (wn + named["b_h"]))
        before, h = h, z * h + (1 - z) * g
    shown = page.locator("svg.gate-diagram text.number").all_text_contents()
    expected = [one[4] for one in (before, h, z, r, g, z * before, 1 - z, (1 - z) * g)]
    for one, value in zip(shown, expected, strict=True):
        assert near(one, value), (shown, expected)
