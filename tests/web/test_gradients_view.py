"""Gradients: the lines, the bounds and the cliff of the page, against the diagnostics called directly."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page

from unrolled.cells import registry
from unrolled.diagnostics.clipping_cliff import descend
from unrolled.diagnostics.gradient_flow import compare_cells

from .browser import Visit, cells, values
from .test_reading_view import number

SHORT = "T=20&hidden=8"


def lines(figure: Locator) -> dict[str, dict[int, float]]:
    """Name of the line → x → y; of a long one, only some of its points are in the table."""
    found: dict[str, dict[int, float]] = {}
    for name, x, y in values(figure):
        found.setdefault(name, {})[int(x)] = number(y)
    return found


def same(shown: dict[int, float], expected: list[float]) -> bool:
    """Three digits are shown of what is very small."""
    assert len(shown) > 15
    return all(y == pytest.approx(expected[x], rel=6e-3) for x, y in shown.items())


def settled(page: Page, title: str) -> Locator:
    figure = page.locator("lab-figure[data-kind=curves]", has_text=title)
    figure.locator("path.curve").first.wait_for()
    return figure


def test_every_line_and_every_bound_is_that_of_the_cells(visit: Visit) -> None:
    page = visit.open(f"/gradients?{SHORT}&singular=0.90&cells=vanilla,lstm,leaky,exp-rnn")
    shown = lines(settled(page, "the largest singular value of W being 0.9"))
    names = {"vanilla": "elman", "LSTM": "lstm", "leaky": "leaky", "orthogonal": "exp-rnn"}
    cells_ = {name: registry.find(name) for name in names.values()}
    found = compare_cells(cells_, 8, 8, 20, singular_value=0.9)
    assert set(shown) == {*names, "vanilla, bound", "leaky, bound"}
    for here, name in names.items():
        assert same(shown[here], found[name].norms.mean(1).tolist())
    for here, name in (("vanilla", "elman"), ("leaky", "leaky")):
        bound = found[name].bound
        assert bound is not None
        assert same(shown[f"{here}, bound"], bound.mean(1).tolist())
        assert all(y <= shown[f"{here}, bound"][x] * 1.01 for x, y in shown[here].items())
    # With ‖W‖ = 0.9 and |tanh'| ≤ 1 the vanilla bound is below 0.9 to the distance.
    assert all(y <= 0.9**x * 1.01 for x, y in shown["vanilla, bound"].items())
    table = dict(cells(page.locator("lab-figure[data-kind=table] table")))
    assert table["vanilla"] == "‖W‖^{T−t} Π‖D_s‖"
    assert table["orthogonal"].endswith("as it starts") and table["LSTM"].startswith("none")


def test_sliders_and_the_nonlinearity_compute_anew(visit: Visit) -> None:
    page = visit.open(f"/gradients?{SHORT}&singular=0.50&cells=vanilla")
    settled(page, "being 0.5")
    slider = page.get_by_role("slider", name="Largest singular value of W")
    slider.focus()
    for _ in range(30):
        page.keyboard.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "2.00" and "singular=2.00" in page.url
    page.get_by_label("Vanilla’s nonlinearity").select_option("ReLU")
    figure = settled(page, "being 2")
    page.get_by_text("‖W‖^{T−t} Π‖D_s‖").wait_for()
    found = compare_cells({"relu": registry.find("elman-relu")}, 8, 8, 20, singular_value=2.0)["relu"]
    for _ in range(50):
        shown = lines(figure)
        if "vanilla, ReLU" in shown:
            break
        page.wait_for_timeout(100)
    assert same(shown["vanilla, ReLU"], found.norms.mean(1).tolist())
    # The last cell stays.
    page.get_by_label("vanilla", exact=True).click()
    assert page.get_by_label("vanilla", exact=True).is_checked()


def test_the_cliff_is_descended_with_and_without_clipping_from_where_one_clicks(visit: Visit) -> None:
    page = visit.open(f"/gradients?{SHORT}&cells=vanilla&norm=0.50&rate=0.10")
    losses = settled(page, "Loss along both ways down")
    shown = lines(losses)
    for name, norm in (("without clipping", 0.0), ("clipped to norm 0.5", 0.5)):
        assert same(shown[name], descend(5.5, -2.2, 0.1, 400, norm).loss.tolist())
    # By the keyboard on the map: the first place, which is w = 4, b = −1.8.
    stage = page.locator("lab-figure[data-kind=heat-map] .stage")
    stage.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.url.endswith("w=4&b=-1.8")
    first = descend(4.0, -1.8, 0.1, 400).loss.tolist()
    for _ in range(50):
        if lines(losses)["without clipping"][0] == pytest.approx(first[0], rel=1e-3):
            break
        page.wait_for_timeout(100)
    assert same(lines(losses)["without clipping"], first)
    # The colours of the two ways are the same on the map and beside it.
    swatches = [
        page.locator(f"lab-figure[data-kind={kind}] .legend i").evaluate_all(
            "all => all.map(one => getComputedStyle(one).borderTopColor)"
        )
        for kind in ("heat-map", "curves")
    ]
    assert swatches[0] == swatches[1][-2:]
