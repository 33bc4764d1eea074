"""Runs over the wire: as they stand, as they train, and as somebody left them who meant no good."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from unrolled.workshop.folder import BUNDLED_MODELS

from .conftest import SCRIPT
from .folders import append, update, write_run
from .served import NO_WORKER, PATIENCE, Served, serving


def runs_of(served: Served) -> dict[str, dict[str, object]]:
    return {run["name"]: run for run in served.ask("/api/runs").json["runs"]}


def wait_for(served: Served, name: str, *states: str) -> dict[str, object]:
    deadline = time.monotonic() + PATIENCE
    while (run := runs_of(served).get(name, {})).get("state") not in states:
        assert time.monotonic() < deadline, run
        time.sleep(0.1)
    return run


def test_every_run_is_listed_by_a_name_of_its_own(served: Served) -> None:
    runs = runs_of(served)
    assert set(runs) == {"book", "other", "book@2", "<b onclick=alert(3)>@2", *BUNDLED_MODELS}
    assert (
        list(runs)[-1] in BUNDLED_MODELS
        and runs["tiny"]["bundled"]
        and runs["tiny"]["writes"]
        and runs["tiny"]["weights"]
    )
    book = runs["book"]
    assert (book["title"], book["folder"], book["recipe"], book["state"]) == ("book", 1, "hello", "finished")
    assert (book["step"], book["steps"], book["loss"], book["minutes"]) == (10, 10, 0.1, 0.1)
    assert book["validated"] == {"loss": 0.5} and book["problem"] == ""
    assert book["curve"] == {"step": list(range(1, 11)), "loss": [float(f"{1 / s:.6g}") for s in range(1, 11)]}
    assert runs["other"]["state"] == "stopped" and runs["book@2"]["step"] == 2


def test_the_list_is_sent_once_as_long_as_it_is_the_same(served: Served) -> None:
    answer = served.ask("/api/runs")
    assert served.ask("/api/runs", headers={"If-None-Match": answer.headers["etag"]}).status == 304


def test_one_run_tells_everything(served: Served) -> None:
    run = served.ask("/api/runs/book").json
    assert run["options"] == {"data": "", "cell": "elman"} and run["config"]["data"]["summary"] == "a word"
    assert run["history"]["curves"]["loss"][3] == 0.25 and run["evaluations"] == []
    assert [mark["event"] for mark in run["history"]["marks"]] == ["planned", "finished"]
    assert served.ask("/api/runs/tiny").json["options"]["sizes"]


def test_what_a_model_or_a_folder_is_called_is_text(served: Served) -> None:
    """Scripts come back as JSON, which no browser runs, and never in a page."""
    answer = served.ask("/api/runs/book/samples")
    assert answer.json == {"samples": [{"step": 10, "text": SCRIPT}]}
    assert answer.headers["content-type"] == "application/json"
    named = served.ask("/api/runs/%3Cb%20onclick%3Dalert(3)%3E@2")
    assert named.json["title"] == "<b onclick=alert(3)>"
    missing = served.ask("/api/runs/%3Cscript%3E")
    assert missing.status == 404 and missing.headers["content-type"] == "application/json"
    assert b"onclick" not in served.ask("/runs/%3Cb%20onclick%3Dalert(3)%3E@2").body


@pytest.mark.parametrize(
    "name",
    ["..", ".", "..%2f..%2fsecret.txt", "%2fetc", "..\\book", "book%00", "book@3", "book@", "", "uploads", "x" * 9999],
)
def test_a_name_that_no_run_has_is_none(served: Served, name: str) -> None:
    for path in ("", "/samples", "/events"):
        answer = served.ask(f"/api/runs/{name}{path}") if name else served.ask("/api/runs/")
        assert answer.status == 404 and set(answer.json) == {"error"}
    for verb in ("stop", "resume"):
        assert served.post(f"/api/runs/{name}/{verb}").status == 404


def test_a_finished_run_is_told_and_done(served: Served) -> None:
    with served.stream("/api/runs/book/events") as events:
        history, done = list(events)
    assert history["event"] == "history" and history["state"] == "finished" and history["step"] == 10
    assert done == {"event": "done"}


# --- as it grows -----------------------------------------------------------------------------------------------------


@pytest.fixture
def live(tmp_path: Path) -> Iterator[tuple[Served, Path]]:
    run = write_run(tmp_path / "runs" / "live", updates=3, finished=False)
    with serving(tmp_path / "runs", "--port", 0, code=NO_WORKER) as lab:
        yield lab, run


def test_several_watch_one_run_and_come_back(live: tuple[Served, Path]) -> None:
    served, run = live
    with served.stream("/api/runs/live/events") as one, served.stream("/api/runs/live/events") as two:
        first = next(one)
        assert first == next(two) and first["step"] == 3 and first["state"] == "stopped"
        append(run, update(4, float("nan")), {"event": "sampled", "step": 4, "text": SCRIPT})
        seen = next(one)
        assert seen == next(two)
        assert [event["event"] for event in seen["events"]] == ["updated", "sampled"]
        assert seen["events"][0]["loss"] == "NaN" and seen["events"][1]["text"] == SCRIPT
        # Whoever comes later is told what these two have seen, and these are not left out of what comes next.
        with served.stream("/api/runs/live/events") as three:
            assert next(three)["step"] == 4
            append(run, update(5))
            assert [next(each)["events"][0]["step"] for each in (one, two, three)] == [5, 5, 5]
    append(run, update(6))
    with served.stream("/api/runs/live/events", headers={"Last-Event-ID": seen["id"]}) as again:
        missed = next(again)
        assert [event["step"] for event in missed["events"]] == [5, 6]
        assert next(again)["event"] == "state"
    for unknown in ("", "x", "5-00000000", "99999999-00000000", "-1-0", "0-0", "१-0", "9" * 5000):
        with served.stream(
            f"/api/runs/live/events?from={unknown.encode().hex() if not unknown.isascii() else unknown}"
        ) as anew:
            assert next(anew)["event"] == "history"
    with served.stream("/api/runs/live/events") as one:
        next(one)
        content = (run / "events.jsonl").read_bytes().splitlines(keepends=True)
        (run / "events.jsonl").write_bytes(b"".join(content[:3]))
        append(run, {"event": "resumed", "step": 2, "checkpoint": "x"})
        history = next(one)
        assert (history["event"], history["step"]) == ("history", 2)
        append(run, {"event": "finished", "step": 3, "minutes": 1.0, "core_share": 1.0, "digest": ""})
        assert [said["event"] for said in one] == ["events", "state", "done"]


def test_folders_that_were_copied_from_elsewhere_are_only_looked_at(tmp_path: Path) -> None:
    home = tmp_path / "runs"
    (tmp_path / "secret.txt").write_text("secret")
    code = write_run(home / "code", 1)
    (code / "config.toml").write_text((code / "config.toml").read_text().replace('"elman"', '"evil:Cell"'))
    (tmp_path / "evil.py").write_text("open('imported', 'w')\n")
    linked = write_run(home / "linked", 1)
    (linked / "events.jsonl").unlink()
    (linked / "events.jsonl").symlink_to(tmp_path / "secret.txt")
    (linked / "samples" / "step-00000001.txt").symlink_to(tmp_path / "secret.txt")
    os.mkfifo(linked / "samples" / "step-00000002.txt")
    os.mkfifo(linked / "evaluations.jsonl")
    # The number of a process that lives, but has nothing to do with it; and numbers that mean many processes.
    for name, pid in (("held", os.getpid()), ("all", -1), ("group", 0)):
        write_run(home / name, 1, finished=False)
        (home / name / "checkpoints" / ".lock").write_text(f"{pid}\n")
    for name, content in (("broken", "x"), ("later", "format = 99"), ("large", "a = '" + "x" * (5 << 20) + "'")):
        (home / name).mkdir()
        (home / name / "config.toml").write_text(content)
    (home / "pipe").mkdir()
    os.mkfifo(home / "pipe" / "config.toml")
    with serving(home, "--port", 0) as served:
        runs = runs_of(served)
        assert {runs[name]["state"] for name in ("broken", "later", "large", "pipe")} == {"damaged"}
        assert all(runs[name]["problem"] for name in ("broken", "later", "large"))
        assert {runs[name]["state"] for name in ("held", "all", "group")} == {"stopped"}
        assert served.post("/api/runs/all/stop").status == served.post("/api/runs/held/stop").status == 409
        assert runs["linked"]["step"] == 0
        for name in runs:
            assert b"secret" not in served.ask(f"/api/runs/{name}").body
            assert b"secret" not in served.ask(f"/api/runs/{name}/samples").body
        (code / "config.json").write_text(json.dumps({"format": 1}))
        for name in ("sample", "inspect unit", "evaluate", "runs show"):
            said = served.act(name, run="code")
            assert said[-1]["event"] in ("error", "done")
        assert not (tmp_path / "imported").exists()


# --- trainings -------------------------------------------------------------------------------------------------------


def test_a_training_outlives_the_lab_and_can_be_stopped_and_resumed(tmp_path: Path) -> None:
    home = tmp_path / "runs"
    with serving(home, "--port", 0, code=NO_WORKER) as served:
        fields = {"steps": 100_000, "word": "hello"}
        begun = served.post("/api/runs", {"recipe": "hello", "fields": fields})
        # A machine with much to do answers before it trains.
        assert begun.status in (201, 202) and begun.json == {"name": "hello"}
        wait_for(served, "hello", "running")
        again = served.post("/api/runs", {"recipe": "hello", "fields": {"name": "hello"}})
        assert again.status == 409 and "hello" in again.json["error"]["message"]
        with served.stream("/api/runs/hello/events") as events:
            assert next(events)["event"] == "history"
            seen = [event["event"] for _ in range(3) for event in next(events).get("events", ())]
            assert "updated" in seen
    with serving(home, "--port", 0, code=NO_WORKER) as served:
        step = wait_for(served, "hello", "running")["step"]
        with served.stream("/api/runs/hello/events") as events:
            assert next(events)["step"] >= step
            assert served.post("/api/runs/hello/resume").status == 409
            assert served.post("/api/runs/hello/stop").status == 202
            assert any(said == {"event": "state", "state": "stopped"} for said in events)
        stopped = wait_for(served, "hello", "stopped")
        assert served.post("/api/runs/hello/stop").status == 409
        assert served.post("/api/runs/hello/resume").status == 202
        assert wait_for(served, "hello", "running")["step"] >= stopped["step"]
        served.post("/api/runs/hello/stop")
        wait_for(served, "hello", "stopped")
        options = served.ask("/api/runs/hello").json["options"]
        assert (options["steps"], options["word"]) == (100_000, "hello")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"recipe": "hello", "fields": {"word": "x"}}, "two letters"),
        ({"recipe": "hello", "fields": {"steps": 3, "minutes": 1}}, "both budgets"),
        ({"recipe": "hello", "fields": {"cell": "os:system"}}, "a name"),
        ({"recipe": "hello", "fields": {"name": "../x"}}, "a name"),
        ({"recipe": "hello", "fields": {"runs": "/tmp"}}, "no field"),
        ({"recipe": "nothing"}, "no recipe"),
        ({"recipe": "../hello"}, "no recipe"),
        ({"recipe": ["hello"]}, "no recipe"),
        ({"recipe": "char-lm", "fields": {"data": "/etc/passwd"}}, "no data set"),
        ({"recipe": "char-lm", "fields": {"data": "upload:nothing.txt"}}, "no file"),
    ],
)
def test_a_training_that_cannot_begin_says_why(served: Served, body: dict[str, object], said: str) -> None:
    answer = served.post("/api/runs", body)
    assert answer.status == 400 and said in answer.json["error"]["message"]
    assert {path.name for path in served.home.iterdir()} <= {"book", "other", ".lab", "uploads"}


def test_a_file_that_was_sent_can_be_learnt(tmp_path: Path) -> None:
    home = tmp_path / "runs"
    binary = {"Content-Type": "application/octet-stream"}
    with serving(home, "--port", 0) as served:
        text = "the cat sat on the mat. " * 400
        sent = served.ask("/api/uploads?name=..%2F..%2Fmy%20book.TXT", "POST", text.encode(), binary)
        assert (sent.status, sent.json["value"]) == (201, "upload:my-book.txt")
        assert (home / "uploads" / "my-book.txt").read_text() == text and not (tmp_path / "my-book.txt").exists()
        second = served.ask("/api/uploads?name=my-book.txt", "POST", b"other", binary)
        assert second.json["name"] == "my-book-2.txt"
        listed = {one["value"]: one for one in served.ask("/api/data").json["data"]}
        assert listed["upload:my-book.txt"]["bytes"] == len(text) and listed["tinyshakespeare"]["upload"] is False
        for name, content, status in (
            ("a.txt", b"", 400),
            ("a.txt", b"\xff\xfe", 400),
            ("a.txt", b"half a \xc3", 400),
            ("a.txt", b"a\0b", 400),
            ("a.py", b"print()", 400),
            ("", b"x", 400),
            (".txt", b"x", 400),
        ):
            assert served.ask(f"/api/uploads?name={name}", "POST", content, binary).status == status
        assert served.ask("/api/uploads?name=a.txt", "POST", b"x", {"Content-Type": "text/plain"}).status == 415
        assert sorted(path.name for path in (home / "uploads").iterdir()) == ["my-book-2.txt", "my-book.txt"]
        small = {"sizes": [8], "embedding": 4, "batch_size": 2, "window": 8, "split": [0.8, 0.1, 0.1], "steps": 2}
        fields = {"data": sent.json["value"], "threads": 1, **small}
        with served.stream("/api/actions/train", {"fields": {"recipe": "char-lm", **fields}}) as events:
            said = list(events)
        assert said[0] == {"event": "began", "run": "my-book"} and said[-1] == {"event": "done"}
        assert runs_of(served)["my-book"]["step"] == 2
        assert served.act("runs compare", names=["my-book", "tiny"])[-1] == {"event": "done"}
