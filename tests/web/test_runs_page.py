"""The list of runs, and one run: the numbers that a person reads there are those of the run's files."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

from playwright.sync_api import Route

from . import folders
from .browser import Visit, cells, values
from .folders import STEPS, decay, events, planned, training, unfinished, updated, write


def _four_digits(value: float) -> str:
    """Of the six that the server sends, rounded as they are written, a tie to the even digit."""
    sent = Decimal(f"{value:.6g}")
    return str(sent.quantize(Decimal(10) ** (sent.adjusted() - 3), ROUND_HALF_EVEN))


def test_the_list_has_each_run_with_its_numbers(visit: Visit, runs: Path) -> None:
    page = visit.open("/")
    rows = page.locator(".run-row")
    names = rows.locator("h2").all_text_contents()
    assert names.index("first") < names.index("second") < names.index(folders.HOSTILE_NAME)
    assert names[-1] == "tiny"
    said = events(runs / "first")
    row = rows.filter(has=page.get_by_role("link", name="first", exact=True))
    numbers = dict(zip(row.locator("dt").all_text_contents(), row.locator("dd").all_text_contents(), strict=True))
    best = min(next(iter(event["figures"].values())) for event in said if event["event"] == "validated")
    last = next(event["loss"] for event in reversed(said) if event["event"] == "updated")
    assert numbers == {"steps": str(STEPS), "loss": _four_digits(last), "validation": _four_digits(best)}
    assert row.locator(".state").text_content() == "✓finished"
    assert row.locator("path.curve").get_attribute("d").count("L") > 5


def test_two_chosen_runs_are_compared_by_options_and_figures(visit: Visit) -> None:
    page = visit.open("/")
    compare = page.locator(".page > header button")
    assert compare.is_disabled()
    page.get_by_label("Compare first").check()
    page.get_by_label("Compare second").check()
    compare.click()
    page.get_by_text("options that differ").first.wait_for()
    assert page.url.endswith("/compare?runs=first%2Csecond")
    table = page.locator("lab-figure", has_text="options that differ").locator("table")
    assert table.locator("thead th").all_text_contents() == ["", "first", "second"]
    assert sorted(cells(table)) == [["cell", "lstm", "gru"], ["rate", "0.004", "0.002"]]
    names = page.locator("lab-figure[data-kind=curves] text.end").all_text_contents()
    assert {"first: training", "second: training"} <= set(names)


def test_a_run_shows_its_curves_as_they_were_written(visit: Visit, runs: Path) -> None:
    page = visit.open("/run/first")
    rows = values(page.locator("lab-figure").first)
    written = [event for event in events(runs / "first") if event["event"] == "updated"]
    expected = [["training", str(event["step"]), _four_digits(event["loss"])] for event in written]
    assert [row for row in rows if row[0] == "training"] == expected
    validated = [event for event in events(runs / "first") if event["event"] == "validated"]
    assert len([row for row in rows if row[0].startswith("validation")]) == len(validated)


def test_samples_go_from_noise_to_sentences_on_a_slider(visit: Visit, runs: Path) -> None:
    texts = {int(file.stem[5:]): file.read_text(encoding="utf-8") for file in (runs / "first" / "samples").iterdir()}
    steps = sorted(texts)
    assert len(steps) > 1
    page = visit.open("/run/first")
    sample, slider = page.locator("pre.sample"), page.locator("#sample")
    assert sample.text_content() == texts[steps[-1]]
    slider.press("Home")
    assert sample.text_content() == texts[steps[0]]
    assert slider.get_attribute("aria-valuetext") == f"step {steps[0]}"
    assert page.url.endswith(f"/run/first?sample={steps[0]}")
    page.reload()
    visit.shown()
    assert page.locator("pre.sample").text_content() == texts[steps[0]]


def test_a_run_is_drawn_on_while_it_trains(visit: Visit, runs: Path) -> None:
    run = unfinished(runs, "under-way", planned(400), updated(1, 3.5), updated(2, 3.25))
    with training(run):
        page = visit.open("/run/under-way")
        head = page.locator(".run-head")
        head.get_by_text("step 2 of 400").wait_for()
        assert head.locator(".state").text_content() == "●running"
        assert page.locator("progress").get_attribute("max") == "400"
        assert page.get_by_role("button", name="Stop").is_visible()
        back = {"event": "rolled-back", "step": 3, "to_step": 2, "reason": "loss was nan", "rate_factor": 0.5}
        write(run, updated(3, 3.125), back, {"event": "sampled", "step": 3, "text": "the cat"})
        head.get_by_text("step 3 of 400").wait_for()
        page.locator("pre.sample", has_text="the cat").wait_for()
        assert page.locator("text.event").first.text_content() == "rolled back"
        assert page.locator(".happenings").text_content() == "Step 3: rolled back to step 2, rates × 0.5: loss was nan"
        assert values(page.locator("lab-figure").first)[-1] == ["training", "3", "3.125"]
        # What was said of steps after a checkpoint is void once training goes on from there.
        write(run, {"event": "resumed", "step": 2, "checkpoint": "step-00000002"}, updated(3, 3.0625), updated(4, 3.0))
        head.get_by_text("step 4 of 400").wait_for()
        kept = [["training", "2", "3.250"], ["training", "3", "3.062"], ["training", "4", "3"]]
        assert values(page.locator("lab-figure").first)[1:] == kept
    page.locator(".state", has_text="stopped").wait_for()
    assert page.get_by_role("button", name="Go on").is_visible()


def test_a_run_of_a_hundred_thousand_updates_opens_at_once(visit: Visit, runs: Path) -> None:
    unfinished(runs, "long", *decay(100_000))
    page = visit.open("/run/long")
    page.get_by_text("step 100,000").wait_for()
    path = page.locator("lab-figure").first.locator("path.curve").get_attribute("d")
    # No more than the picture can show; its ends are those of the training.
    assert 200 < path.count("L") <= 1000
    loss = page.locator("lab-figure").first
    loss.locator(".stage").press("End")
    assert "100,000" in loss.locator(".read-out").text_content()
    assert "1.02" in loss.locator(".read-out").text_content()


def test_where_nothing_was_trained_yet_the_demo_run_starts_by_a_button(visit: Visit) -> None:
    def only_bundled(route: Route) -> None:
        if route.request.method == "POST":
            sent.append(route.request.post_data_json)
            route.fulfill(status=201, json={"name": "first"})
            return
        answer = route.fetch()
        route.fulfill(response=answer, json={"runs": [run for run in answer.json()["runs"] if run["bundled"]]})

    sent: list[object] = []
    visit.page.route("**/api/runs", only_bundled)
    page = visit.open("/")
    assert page.locator(".run-row h2").all_text_contents()[-1] == "tiny"
    assert page.get_by_role("link", name="Look into tiny").get_attribute("href").endswith("?run=tiny")
    page.get_by_role("button", name="Start the demo run").press("Enter")
    page.locator("h1", has_text="first").wait_for()
    assert sent == [{"recipe": "char-lm", "fields": {"minutes": 2}}]


def test_a_stream_that_breaks_off_is_taken_up_again(visit: Visit, runs: Path) -> None:
    run = unfinished(runs, "broken-off", planned(50), updated(1, 3.5))
    tries: list[str | None] = []

    def refused_at_first(route: Route) -> None:
        tries.append(route.request.headers.get("last-event-id"))
        if len(tries) < 3:
            route.abort()
        else:
            route.continue_()

    visit.page.route("**/api/runs/broken-off/events", refused_at_first)
    with training(run):
        page = visit.open("/run/broken-off")
        page.get_by_text("The connection broke off; trying again.").wait_for()
        write(run, updated(2, 3.25))
        page.get_by_text("step 2 of 50").wait_for()
        assert page.get_by_text("The connection broke off; trying again.").is_hidden()
        assert tries == [None, None, None]
    visit.complaints[:] = [said for said in visit.complaints if "ERR_FAILED" not in said]


def test_a_training_is_stopped_and_goes_on_by_buttons(visit: Visit, runs: Path) -> None:
    run = unfinished(runs, "stopped-by-hand", planned(50), updated(1, 3.5))
    asked: list[str] = []

    # The training is this process: what is asked of it goes no further than here.
    def taken(route: Route) -> None:
        asked.append(route.request.method + " " + route.request.url.rpartition("/api/")[2])
        route.fulfill(status=202, json={"name": "stopped-by-hand"})

    visit.page.route("**/api/runs/stopped-by-hand/stop", taken)
    visit.page.route("**/api/runs/stopped-by-hand/resume", taken)
    with training(run):
        page = visit.open("/run/stopped-by-hand")
        page.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Go on").click()
    page.wait_for_timeout(100)
    assert asked == ["POST runs/stopped-by-hand/stop", "POST runs/stopped-by-hand/resume"]
