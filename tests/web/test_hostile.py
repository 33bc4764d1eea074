"""Names and texts that would run if they were taken for more than text: they are shown as they are."""

from __future__ import annotations

from urllib.parse import quote

from . import folders
from .browser import Visit


def test_a_hostile_run_name_and_sample_are_only_text(visit: Visit) -> None:
    page = visit.open("/")
    page.get_by_role("link", name=folders.HOSTILE_NAME).click()
    page.locator("h1", has_text=folders.HOSTILE_NAME).wait_for()
    assert page.locator("pre.sample").text_content() == folders.HOSTILE
    assert page.locator("main img, main script").count() == 0
    page.goto(visit.base + f"/compare?runs=first,{quote(folders.HOSTILE_NAME)}")
    page.locator("lab-figure th", has_text=folders.HOSTILE_NAME).first.wait_for()
    assert page.locator("main img, main script").count() == 0


def test_a_hostile_address_is_only_text(visit: Visit) -> None:
    page = visit.open("/run/" + quote(folders.HOSTILE_NAME + "x", safe=""))
    alert = page.get_by_role("alert").locator("p").text_content()
    assert folders.HOSTILE_NAME in alert
    assert page.locator("main img, main script").count() == 0


def test_a_hostile_text_is_read_as_text(visit: Visit) -> None:
    text = "<script>alert(1)</script>"
    page = visit.open(f"/inspect/surprise?run=tiny&text={quote(text)}&shown=yes")
    letters = page.locator("lab-figure .letters").first
    letters.wait_for()
    assert letters.text_content() == text
    assert page.locator("main script").count() == 0


def test_a_hostile_file_name_is_only_text(visit: Visit) -> None:
    page = visit.open("/train")
    said = {"name": folders.HOSTILE_NAME + ".txt", "mimeType": "text/plain", "buffer": b"a text\n" * 100}
    page.get_by_label("A file of your own").set_input_files(said)
    page.locator(".errors .error, .upload p:has-text('chosen as the data')").first.wait_for()
    assert page.locator("main img").count() == 0
