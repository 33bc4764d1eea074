"""The browser's renderings of figures: the numbers, places and colours are those that Python's renderings have."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from playwright.sync_api import Locator

from unrolled.figures import ColouredText, Curves, Figure, HeatMap, Points, Series, Table
from unrolled.workshop.renderings import palette, scales, words

from .browser import Visit, cells, values

SERIES = (Series("falls", (1.0, 2.0, 4.0), (1.0, 0.1, 0.01)), Series("bound", (1.0, 4.0), (0.5, math.nan), "falls"))
CURVES = Curves("Gradient against distance", SERIES, "steps back", "norm", y_log=True)
MAP = HeatMap("All units", ((-2.0, 0.5, math.nan), (0.25, 1.0, 0.0)), ("one", "two"), ("a", "b", "<i>"), "activation")
TEXT = ColouredText("Surprise", ("to ", "be\n", "日本", "\t"), (0.0, 1.5, 3.0, math.nan), (0.0, 3.0), "nats")
POINTS = Points("Spectrum", (Series("eigenvalues", (0.5, -0.5), (0.0, 0.25)),), "real", "imaginary")
TABLE = Table("Ranked", ("unit", "follows"), ((7, "<b>quotes</b>"), (12, None)))
#: Width and bytes of a canvas, read from a copy that is made for reading.
PIXELS = """canvas => {
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
    copy.drawImage(canvas, 0, 0);
    return [canvas.width, [...copy.getImageData(0, 0, canvas.width, canvas.height).data]];
}"""


def _show(visit: Visit, figure: Figure | dict[str, Any]) -> Locator:
    """The figure on a page of the lab that has nothing else: no view is called so."""
    page = visit.open("/figure")
    data = figure if isinstance(figure, dict) else figure.to_json()
    page.evaluate(
        "async data => { const { figureElement } = await import('/static/figures/figure.js');"
        " document.querySelector('main').replaceChildren(figureElement(data)); }",
        data,
    )
    element = page.locator("lab-figure")
    element.locator(".stage, table").first.wait_for()
    return element


def _points(path: Locator) -> list[tuple[float, float]]:
    """The points of a path of straight lines."""
    written = path.get_attribute("d").replace("M", " ").replace("L", " ").replace("Z", " ").split()
    return [(float(x), float(y)) for x, y in zip(written[::2], written[1::2], strict=True)]


def test_numbers_are_written_as_everywhere_else(visit: Visit) -> None:
    numbers = [0.0, 1.453, 0.021, 12500.5, 3.2e-7, -0.5, 1234567.8, 1e12 + 0.5, 0.00099999, 99.995, -4e20, 5e-324]
    page = visit.open("/figure")
    call = "async all => { const w = await import('/static/figures/words.js'); return all.map(w.number); }"
    assert page.evaluate(call, numbers) == [words.number(value) for value in numbers]
    call = "async all => { const w = await import('/static/figures/words.js'); return all.map(w.visible); }"
    texts = ["a\nb\tc", "\x1b[31m\x00\x7f", "\u202eabc", "\u200dé日本👍", "\u2028\ufeff"]
    assert page.evaluate(call, texts) == [words.visible(text) for text in texts]


def test_lines_go_through_their_values(visit: Visit) -> None:
    figure = _show(visit, CURVES)
    points = _points(figure.locator("path.curve").nth(0))
    up = scales.axis([y for one in SERIES for y in one.y], log=True, ticks=5)
    assert up is not None
    (x0, y0), (x1, y1), (x2, y2) = points
    # One tenth at a time is one step on a logarithmic axis; the second point lies a third of the way.
    assert y1 - y0 == pytest.approx(y2 - y1, abs=0.2) and y0 < y1 < y2
    assert (x1 - x0) / (x2 - x0) == pytest.approx(1 / 3, abs=0.01)
    ticks = [text for _, text in up.ticks]
    assert set(ticks) <= set(figure.locator(".axes text").all_text_contents())
    assert values(figure) == [
        ["falls", "1", "1"],
        ["falls", "2", "0.1000"],
        ["falls", "4", "0.01000"],
        ["bound", "1", "0.5000"],
        ["bound", "4", "–"],
    ]
    assert "line-1" in figure.locator("path.curve").nth(1).get_attribute("class")  # as the line that it bounds
    stage = figure.locator(".stage")
    stage.press("End")
    assert figure.locator(".read-out").inner_text().split() == ["steps", "back", "4", "falls", "0.01000"]


def test_a_spike_among_many_points_is_seen(visit: Visit) -> None:
    xs = tuple(map(float, range(20_000)))
    spike = tuple(10.0 if x == 12_345 else 1.0 for x in xs)
    figure = _show(visit, Curves("Norm", (Series("norm", xs, spike),), "step", "norm"))
    points = _points(figure.locator("path.curve"))
    assert len(points) < 4000
    highest = min(points, key=lambda point: point[1])
    (left, base), (right, _) = points[0], points[-1]
    assert (highest[0] - left) / (right - left) == pytest.approx(12_345 / 20_000, abs=0.002)
    assert base - highest[1] > 200


def test_a_band_lies_between_its_edges(visit: Visit) -> None:
    band = {"name": "nine in ten", "x": [1, 2, 4], "low": [0.5, 0.05, 0.005], "high": [2, 0.2, 0.02], "about": "falls"}
    figure = _show(visit, {**CURVES.to_json(), "bands": [band]})
    area = _points(figure.locator("path.band"))
    line = _points(figure.locator("path.curve").nth(0))
    assert [x for x, _ in area] == [x for x, _ in line] + [x for x, _ in reversed(line)]
    assert all(low > y > high for (_, low), (_, y), (_, high) in zip(area[:3], line, area[:2:-1], strict=True))
    assert ["nine in ten, high", "4", "0.02000"] in values(figure)
    figure.locator(".stage").press("Home")
    assert "0.5000 to 2" in figure.locator(".read-out").inner_text()


def test_a_map_has_the_colours_of_its_values(visit: Visit) -> None:
    figure = _show(visit, MAP)
    _, pixels = figure.locator("canvas.cells").evaluate(PIXELS)
    scale = scales.heat_scale(MAP)
    flat = [value for row in MAP.values for value in row]
    for number, value in enumerate(flat):
        wanted = palette.mix(scale.colours, scale.share(value))
        wanted_bytes = [int(wanted[i : i + 2], 16) for i in (1, 3, 5)]
        assert pixels[4 * number : 4 * number + 3] == pytest.approx(wanted_bytes, abs=2)
    figure.locator(".stage").press("ArrowDown")
    figure.locator(".stage").press("ArrowDown")
    figure.locator(".stage").press("ArrowRight")
    assert figure.locator(".read-out").inner_text().split("\n")[0] == "two, b"
    assert values(figure) == [["one", "−2", "0.5000", "–"], ["two", "0.2500", "1", "0"]]


def test_a_text_is_coloured_piece_by_piece_and_recoloured_in_place(visit: Visit) -> None:
    figure = _show(visit, TEXT)
    assert figure.locator(".letters").text_content() == "to be⏎日本⇥"
    assert figure.locator(".letters > div").all_text_contents() == ["to be⏎", "日本⇥"]

    def colour(line: int, column: int) -> str:
        width, pixels = figure.locator("canvas.cells").first.evaluate(PIXELS)
        at = 4 * (9 * line * width + column)
        return "#" + "".join(f"{byte:02x}" for byte in pixels[at : at + 3])

    assert colour(0, 0) == palette.HIGHLIGHT[0]
    assert colour(1, 0) == colour(1, 3) == palette.HIGHLIGHT[-1]  # two letters of two cells each
    assert colour(1, 4) == palette.ABSENT
    page = visit.page
    before = figure.locator(".letters > div").first.element_handle()
    page.evaluate(
        "() => { const f = document.querySelector('lab-figure'); f.figure = {...f.figure, values: [3, 0, 0, 0]}; }"
    )
    visit.drawn()
    assert colour(0, 0) == palette.HIGHLIGHT[-1] and colour(1, 0) == palette.HIGHLIGHT[0]
    assert before.evaluate("one => one.isConnected")
    figure.locator(".stage").press("ArrowRight")
    assert figure.locator(".read-out").inner_text().split() == ["“to", "”", "nats", "3"]


def test_ten_thousand_letters_change_their_colours_in_one_frame(visit: Visit) -> None:
    tokens = tuple("the cat sat on a mat. " * 455)[:10_000]
    figure = _show(visit, ColouredText("Long", tokens, tuple(i % 7 / 7 for i in range(10_000)), (0.0, 1.0), "v"))
    took = figure.evaluate(
        """async one => {
            const times = [];
            for (let k = 1; k <= 5; k += 1) {
                const values = Float32Array.from(one.figure.tokens, (_, i) => (i % (7 + k)) / 7);
                await new Promise(requestAnimationFrame);
                const start = performance.now();
                one.figure = { ...one.figure, values };
                await new Promise(requestAnimationFrame);
                one.getBoundingClientRect();
                times.push(performance.now() - start);
            }
            return Math.min(...times);
        }"""
    )
    # How long it takes on an idle machine is measured in benchmarks/; here, that no letter is laid out for it.
    assert took < 200


def test_a_tree_has_its_words_on_the_bottom_line(visit: Visit) -> None:
    tree = {"labels": ["S", "NP", "the", "cat", "VP", "sat"], "parents": [-1, 0, 1, 1, 0, 4]}
    figure = _show(visit, {"figure": "tree", "format": 3, "title": "A sentence", **tree})
    leaves = figure.locator("text.leaf")
    assert leaves.all_text_contents() == ["the", "cat", "sat"]
    assert len({leaf.get_attribute("y") for leaf in leaves.all()}) == 1
    stage = figure.locator(".stage")
    for key in ("ArrowDown", "ArrowDown", "ArrowRight"):
        stage.press(key)
    assert figure.locator(".read-out").inner_text().split("\n") == ["VP", "sat"]
    assert values(figure)[2] == ["the", "NP"]


def test_points_are_where_they_are_and_tables_say_what_they_hold(visit: Visit) -> None:
    figure = _show(visit, POINTS)
    (ax, ay), (bx, by) = [
        (float(dot.get_attribute("cx")), float(dot.get_attribute("cy")))
        for dot in figure.locator(".points circle").all()
    ]
    # A unit is equally long in both directions.
    assert (ax - bx) == pytest.approx(4 * (ay - by), abs=0.5)
    table = _show(visit, TABLE)
    assert cells(table.locator("table")) == [["7", "<b>quotes</b>"], ["12", ""]]


@pytest.mark.parametrize("figure", [CURVES, MAP, TEXT, POINTS, TABLE], ids=lambda figure: figure.KIND)
def test_a_figure_is_saved_as_it_is_seen(visit: Visit, tmp_path: Path, figure: Figure) -> None:
    element = _show(visit, figure)
    with visit.page.expect_download() as saved:
        element.get_by_role("button", name="Save as SVG").click()
    assert saved.value.suggested_filename == figure.title.replace(" ", "-") + ".svg"
    saved.value.save_as(tmp_path / "saved.svg")
    root = ElementTree.parse(tmp_path / "saved.svg").getroot()
    said = {"".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text")}
    assert figure.title in said
    seen = {CURVES: "steps back", MAP: "two", TEXT: "nats", POINTS: "imaginary", TABLE: "<b>quotes</b>"}
    assert seen[figure] in said
    with visit.page.expect_download() as saved:
        element.get_by_role("button", name="Save as PNG").click()
    saved.value.save_as(tmp_path / "saved.png")
    head = (tmp_path / "saved.png").read_bytes()[:24]
    assert head[1:4] == b"PNG"
    assert int.from_bytes(head[16:20]) == 2 * float(root.get("width"))
