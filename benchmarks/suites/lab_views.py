"""How soon the lab answers a hand: another unit over a long text, and points that are dragged. In a real browser."""

from __future__ import annotations

import json
import random
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import unrolled
from benchmarks.command import failed, installed_command
from tests.web.browser import Driver, Visit
from unrolled.workshop.results import Figure

SUMMARY = "Milliseconds from a moved slider, or a dragged point, to the picture that shows it, in chromium"
SYMBOLS, UNITS = 10_000, 512
#: Times that each is done; the first brings code and memory into use, and does not count.
TIMES = 31
#: A run that is read with is not what is measured: one update makes it.
TEXT_RUN = {
    "cell": "lstm",
    "sizes": (UNITS,),
    "embedding": 32,
    "batch_size": 4,
    "window": 16,
    "steps": 1,
    "split": (0.8, 0.1, 0.1),
}
POINT_RUN = {"sizes": (256,), "points": (5, 10), "steps": 1}
#: From the event to the frame in which it is drawn: a message that is posted while a frame is made comes after it.
SWITCH = """async (units) => {
    const slider = document.querySelector(".one-of input[type=range]");
    const drawn = () => new Promise((done) => requestAnimationFrame(() => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = done;
        port2.postMessage(0);
    }));
    const found = [];
    for (const unit of units) {
        const began = performance.now();
        slider.value = unit;
        slider.dispatchEvent(new Event("input", { bubbles: true }));
        await drawn();
        found.push(performance.now() - began);
        await new Promise((done) => setTimeout(done, 50));
    }
    return found;
}"""
LISTEN = """() => {
    const [plane, place] = [document.querySelector(".plane"), document.querySelector("[data-answers]")];
    let [began, answers] = [null, place.dataset.answers];
    window.soon = [];
    plane.addEventListener("pointermove", () => { began ??= performance.now(); }, { capture: true });
    new MutationObserver(() => {
        if (place.dataset.answers === answers) return;
        answers = place.dataset.answers;
        if (began !== null) soon.push(performance.now() - began);
        began = null;
    }).observe(place, { attributes: true });
}"""


def measure() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder, _lab(Path(folder)) as (driver, visit):
        text = (Path(folder) / "text.txt").read_text(encoding="utf-8")[:SYMBOLS]
        shown, switched = driver.run(_switch, visit, text)
        yield Figure(f"another unit of {UNITS}, over {SYMBOLS:,} symbols", "ms", switched, "< 50")
        yield Figure("the text read, and its first unit shown", "s", (shown,), "")
        yield Figure("a point dragged, to the network's answer", "ms", driver.run(_drag, visit), "< 100")


@contextmanager
def _lab(folder: Path) -> Iterator[tuple[Driver, Visit]]:
    """The lab on a run that reads and one that points, and a browser's page of it."""
    draw = random.Random(0)
    words = ["".join(draw.choices("aeiounrst", k=draw.randint(2, 8))) for _ in range(300)]
    (folder / "text.txt").write_text(" ".join(draw.choices(words, k=20_000)), encoding="utf-8")
    unrolled.train("char-lm", data=str(folder / "text.txt"), name="reads", runs=str(folder / "runs"), **TEXT_RUN)
    unrolled.train("convex-hull", name="points", runs=str(folder / "runs"), **POINT_RUN)
    command = [installed_command(), "--json", "lab", str(folder / "runs"), "--no-open", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None and server.stderr is not None
        if not (line := server.stdout.readline()):
            raise failed(command, server.stderr.read())
        driver = Driver()
        try:
            size = {"width": 1280, "height": 900}
            yield driver, driver.run(driver.visit, json.loads(line)["address"], "desktop", viewport=size)
        finally:
            driver.close()
            server.terminate()


def _switch(visit: Visit, text: str) -> tuple[float, tuple[float, ...]]:
    """Seconds until the text is read and shown; milliseconds of each switch."""
    page = visit.open("/read?run=reads")
    page.locator(".gates tbody tr").nth(5).wait_for()
    page.get_by_label("Text").fill(text)
    began = page.evaluate("performance.now()")
    page.get_by_role("button", name="Read", exact=True).click()
    page.locator(".place h2", has_text=f"of {SYMBOLS:,}").wait_for(timeout=120_000)
    page.locator(".gates tbody tr").first.wait_for(timeout=120_000)
    shown = (page.evaluate("performance.now()") - began) / 1000
    page.locator(".gates tbody tr").nth(5).wait_for(timeout=120_000)
    units = random.Random(1).sample(range(1, UNITS + 1), TIMES)
    found: list[Any] = page.evaluate(SWITCH, units)
    return round(shown, 2), tuple(round(one, 1) for one in found[1:])


def _drag(visit: Visit) -> tuple[float, ...]:
    """Milliseconds from the first movement that was not answered yet to the line that answers it."""
    page = visit.open("/points?run=points")
    page.locator("path.loop").first.wait_for()
    page.evaluate(LISTEN)
    box = page.locator(".plane").bounding_box()
    dot = page.locator(".dot-point circle").first.bounding_box()
    assert box and dot
    page.mouse.move(dot["x"] + dot["width"] / 2, dot["y"] + dot["height"] / 2)
    page.mouse.down()
    for step in range(2 * TIMES):
        share = 0.2 + 0.6 * step / (2 * TIMES)
        page.mouse.move(box["x"] + share * box["width"], box["y"] + (1 - share) * box["height"])
        page.wait_for_timeout(100)
    page.mouse.up()
    return tuple(round(one, 1) for one in page.evaluate("soon")[1 : TIMES + 1])
