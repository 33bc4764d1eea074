"""A browser for the lab's tests: Debian's chromium, driven by Playwright from a thread of its own.

Playwright leaves an event loop running in the thread that it is used from, and other tests want to run theirs in the
main one. So whatever touches the browser, tests included, runs in that one other thread (see conftest.py).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Playwright

CHROMIUM = shutil.which("chromium")
ABSENT = "no chromium is installed"
#: It is root in a container who runs these; and nothing of a browser's own traffic belongs in a test.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class Driver:
    """One browser and the thread that it lives in."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="browser")
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None
        self._profiles: dict[str, BrowserContext] = {}

    def run(self, call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """What `call` gives, or raises, in the browser's thread."""
        return self._thread.submit(call, *arguments, **named).result()

    def visit(self, address: str, name: str, **options: Any) -> Visit:
        """A new page of the profile `name`, which is made with these options and shown the token when it is first asked
        for. In the browser's thread.
        """
        if name not in self._profiles:
            self._profiles[name] = self._start().new_context(**options)
            self._profiles[name].request.get(address)
        return visit(self._profiles[name], address)

    def _start(self) -> Browser:
        from playwright.sync_api import sync_playwright

        if self._browser is None:
            self._playwright = sync_playwright().start()
            self._browser = self._playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        return self._browser

    def close(self) -> None:
        """The browser's end."""
        self._thread.submit(self._close).result()
        self._thread.shutdown()

    def _close(self) -> None:
        if self._browser is not None:
            self._browser.close()
        if self._playwright is not None:
            self._playwright.stop()


@dataclass(frozen=True)
class Visit:
    """A page of the lab, and what it complained of: errors of scripts, refused content, dialogs."""

    page: Page
    base: str
    complaints: list[str]

    def open(self, address: str) -> Page:
        """Go to a view and wait until it stands."""
        self.page.goto(self.base + address)
        self.shown()
        return self.page

    def shown(self) -> None:
        """Wait until the view that was asked for stands."""
        self.page.wait_for_selector("html[data-shown]", state="attached")

    def drawn(self) -> None:
        """Wait until every figure shows what it was last given: it draws in the frame after."""
        self.page.evaluate("new Promise(requestAnimationFrame)")


def visit(context: BrowserContext, address: str) -> Visit:
    """A page of a profile that has shown its token. Whatever it complains of is kept."""
    page = context.new_page()
    page.set_default_timeout(30_000)
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if _matters(said) else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: (complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    return Visit(page, address.partition("/?")[0], complaints)


def _matters(said: ConsoleMessage) -> bool:
    """Whether it is a complaint. That the server refused something is for the page to say, where tests read it."""
    refused = said.text.startswith("Failed to load resource") and "/api/" in said.location["url"]
    return said.type in ("error", "warning") and not refused


def cells(table: Locator) -> list[list[str]]:
    """What stands in the body of a table, row by row."""
    table.locator("tbody").wait_for(state="attached")
    read = "body => [...body.rows].map(row => [...row.cells].map(cell => cell.textContent))"
    return table.locator("tbody").evaluate(read)


def values(figure: Locator) -> list[list[str]]:
    """The values of a <lab-figure>, as its table for those who do not see it has them once it is drawn."""
    figure.evaluate("() => new Promise(requestAnimationFrame)")
    if not figure.locator(".values[open]").count():
        figure.locator(".values summary").click()
    return cells(figure.locator(".values table"))
