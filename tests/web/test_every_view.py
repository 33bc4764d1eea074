"""What holds for every view, those to come too: nothing serious for axe, room on a phone, a place for the keyboard."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe

from .browser import Visit
from .views import SETTLED, every_view

VIEWS = sorted(every_view().items())
CLICKED = "button, a[href], input:not([type=radio]), select, textarea, summary, [tabindex='0']"
#: Places of a long view that are come to one by one.
MOST_STOPS = 25


def _serious(visit: Visit, *rules: str) -> list[str]:
    """What axe finds, by these of its rules or by all."""
    options = {"runOnly": list(rules)} if rules else None
    found = Axe().run(visit.page, options=options).response["violations"]
    return [
        f"{one['id']}: {one['help']}: {node['html'][:200]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


@pytest.mark.parametrize(("name", "address"), VIEWS, ids=[name for name, _ in VIEWS])
def test_a_view_is_named_and_open_to_everyone_and_to_the_keyboard(visit: Visit, name: str, address: str) -> None:
    page = visit.open(address)
    page.locator(SETTLED).first.wait_for()
    assert page.locator("h1").count() == 1
    assert page.title() != "unrolled"
    assert _serious(visit) == []
    # By the keyboard alone: past the navigation, then to whatever can be clicked, and its place can be seen.
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the content"
    page.keyboard.press("Enter")
    wanted = (
        page.locator("main")
        .locator(CLICKED)
        .evaluate_all("all => all.filter(one => one.checkVisibility() && !one.disabled).length")
    )
    reached = 0
    while (ring := _tab(visit)) is not None and reached < MOST_STOPS:
        assert ring, page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
        reached += 1
    assert reached >= min(wanted, MOST_STOPS)


def _tab(visit: Visit) -> bool | None:
    """Whether the place that Tab leads to has a ring; None where it has left the view."""
    visit.page.keyboard.press("Tab")
    return visit.page.evaluate(
        "() => { const one = document.activeElement;"
        " return one.closest('main') ? getComputedStyle(one).outlineStyle !== 'none' : null; }"
    )


@pytest.mark.parametrize(("name", "address"), VIEWS, ids=[name for name, _ in VIEWS])
def test_on_a_dark_phone_nothing_is_wider_than_the_page(phone: Visit, name: str, address: str) -> None:
    page = phone.open(address)
    page.locator(SETTLED).first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 20, 23)"
    # What differs from the page above: the colours.
    assert _serious(phone, "color-contrast") == []


def test_links_within_the_lab_change_the_view_and_back_comes_back(visit: Visit) -> None:
    page = visit.open("/")
    page.locator("nav").get_by_role("link", name="New run").press("Enter")
    page.locator("h1", has_text="New run").wait_for()
    assert page.locator("nav [aria-current=page]").text_content() == "New run"
    assert page.evaluate("document.activeElement.id") == "main"
    page.go_back()
    page.locator("h1", has_text="Runs").wait_for()
    assert page.url == visit.base + "/"


def test_light_and_dark_can_be_chosen_and_stay_chosen(visit: Visit) -> None:
    page = visit.open("/")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_label("Colours").select_option("dark")
    assert page.evaluate(ground) == "rgb(18, 20, 23)" != light
    page.reload()
    visit.shown()
    assert page.evaluate(ground) == "rgb(18, 20, 23)"
    page.get_by_label("Colours").select_option("auto")
    assert page.evaluate(ground) == light


def test_an_address_of_no_view_says_so(visit: Visit) -> None:
    page = visit.open("/nothing/here")
    assert page.get_by_role("alert").locator("p").text_content() == "No view is called “nothing”."
    page.get_by_role("link", name="To the runs").click()
    page.locator("h1", has_text="Runs").wait_for()
