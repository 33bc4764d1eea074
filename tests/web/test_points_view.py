"""Points that one sets and drags: the answer of the page is the network's, while they move and after."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import numpy as np
import pytest
from playwright.sync_api import Page
from scipy.spatial import ConvexHull

import unrolled
from unrolled.workshop.point import pointed

from .browser import Visit

POINTS = "0.100 0.100,0.900 0.150,0.800 0.900,0.200 0.800,0.500 0.500"


@pytest.fixture(scope="module")
def hulls(runs: Path) -> Path:
    """Runs that point, hardly trained: what they answer is theirs."""
    for recipe in ("convex-hull", "delaunay"):
        unrolled.train(recipe, name=recipe, steps=1, points=(5, 6), sizes=(8,), threads=1, runs=str(runs))
    return runs


def stand(page: Page) -> np.ndarray:
    """Where the points are, by the address."""
    (text,) = parse_qs(urlparse(page.evaluate("location.href")).query)["points"]
    return np.array([[float(value) for value in one.split()] for one in text.split(",")])


def answered(page: Page, expected: tuple[int, ...]) -> None:
    page.locator("main").get_by_text(f"It points at {', '.join(map(str, expected))}.").wait_for()


def corners(page: Page) -> list[list[tuple[float, float]]]:
    """Of every closed line that is drawn."""
    drawn = page.locator("path.loop").evaluate_all("all => all.map(one => one.getAttribute('d'))")
    return [[(float(x), float(y)) for x, y in re.findall(r"([\d.]+) ([\d.]+)", d)] for d in drawn]


def test_the_answer_is_the_networks_and_the_line_joins_its_points(visit: Visit, hulls: Path) -> None:
    page = visit.open(f"/points?run=convex-hull&points={POINTS}")
    points = np.array([[float(value) for value in one.split()] for one in POINTS.split(",")])
    numbers = pointed(unrolled.load(hulls / "convex-hull"), points)
    answered(page, numbers)
    places = [(16 + 488 * x, 504 - 488 * y) for x, y in points]
    assert corners(page) == [[pytest.approx(places[number - 1], abs=0.06) for number in numbers]]
    # The dotted line is the hull as scipy has it, whatever the network thinks.
    truth = page.locator("path.truth").get_attribute("d")
    found = [(float(x), float(y)) for x, y in re.findall(r"([\d.]+) ([\d.]+)", truth)]
    assert found == [pytest.approx(places[i], abs=0.06) for i in ConvexHull(points).vertices[_first(points) :]] + [
        pytest.approx(places[i], abs=0.06) for i in ConvexHull(points).vertices[: _first(points)]
    ]


def _first(points: np.ndarray) -> int:
    """Where in scipy's hull the leftmost point stands."""
    return int(np.argmin(points[ConvexHull(points).vertices, 0]))


def test_a_point_is_dragged_set_and_taken_away(visit: Visit, hulls: Path) -> None:
    page = visit.open(f"/points?run=convex-hull&points={POINTS}")
    run = unrolled.load(hulls / "convex-hull")
    page.locator("path.loop").wait_for()
    box = page.locator(".plane").bounding_box()

    def at(x: float, y: float) -> tuple[float, float]:
        scale = box["width"] / 520
        return box["x"] + scale * (16 + 488 * x), box["y"] + scale * (504 - 488 * y)

    page.mouse.move(*at(0.9, 0.15))
    page.mouse.down()
    for share in (0.3, 0.6, 1.0):
        page.mouse.move(*at(0.9 - 0.3 * share, 0.15 + 0.2 * share))
    page.mouse.up()
    moved = stand(page)
    assert moved[1] == pytest.approx([0.6, 0.35], abs=5e-3)
    answered(page, pointed(run, moved))
    page.mouse.click(*at(0.3, 0.3))
    page.locator("figcaption", has_text="of 6 points").wait_for()
    assert stand(page)[5] == pytest.approx([0.3, 0.3], abs=5e-3)
    answered(page, pointed(run, stand(page)))
    # The new point has the keyboard.
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("ArrowUp")
    assert stand(page)[5] == pytest.approx([0.4, 0.31], abs=5e-3)
    page.keyboard.press("Delete")
    page.locator("figcaption", has_text="of 5 points").wait_for()
    assert stand(page) == pytest.approx(moved)
    page.reload()
    answered(page, pointed(run, moved))


def test_triangles_are_drawn_three_by_three_and_few_points_are_waited_for(visit: Visit, hulls: Path) -> None:
    page = visit.open(f"/points?run=delaunay&points={POINTS}")
    points = np.array([[float(value) for value in one.split()] for one in POINTS.split(",")])
    numbers = pointed(unrolled.load(hulls / "delaunay"), points)
    answered(page, numbers)
    assert [len(loop) for loop in corners(page)] == [3] * (len(numbers) // 3)
    page.get_by_role("button", name="Take all away").click()
    page.locator("main").get_by_text("Set 3 points or more.").wait_for()
    for count in itertools.count(1):
        page.get_by_role("button", name="Add a point").click()
        if count == 3:
            break
    page.locator("figcaption", has_text="of 3 points").wait_for()
