"""Who may come in: by what name, from where, with what; and what every answer tells the browser."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from starlette.routing import Route

from unrolled.errors import UserError
from unrolled.web.app import application
from unrolled.web.lab import LabRequest, lab
from unrolled.web.shelf import Shelf
from unrolled.web.state import Access, Lab

from .served import NO_WORKER, PATIENCE, Served, children, serving

KEY = "a key that nobody guesses"


def api_routes() -> list[tuple[str, str]]:
    """(method, path) of all that the server answers below /api/, with a name where one is wanted."""
    routes = application(Lab(Access.make(1, ("x",)), Shelf())).routes
    found = []
    for route in routes:
        if isinstance(route, Route) and route.path.startswith("/api/"):
            path = re.sub(r"\{[^}]*\}", "book", route.path)
            found += [(method, path) for method in sorted(route.methods or ()) if method != "HEAD"]
    return found


def test_every_route_wants_the_token(served: Served) -> None:
    routes = api_routes()
    assert ("GET", "/api/runs/book/events") in routes and ("POST", "/api/actions/inspect/unit") in routes
    for method, path in routes:
        for authorization in ("", "Bearer wrong", "Basic wrong", "Bearer ", "Bearer é"):
            answer = served.ask(path, method, headers={"Authorization": authorization.encode().decode("latin-1")})
            assert (answer.status, answer.json["error"]["kind"]) == (401, "Token"), (method, path)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example:{port}", ""])
def test_another_host_is_refused(served: Served, host: str) -> None:
    """A name that was bound anew to this machine (DNS rebinding) is no name of the lab."""
    for path in ("/", "/api/runs", "/static/entry.css", f"/?token={served.token}"):
        answer = served.ask(path, headers={"Host": host.format(port=served.port)})
        # Without any, HTTP itself refuses.
        assert answer.status == (403 if host else 400)
        assert "set-cookie" not in answer.headers


def test_its_other_name_is_its_own(served: Served) -> None:
    assert served.ask("/api/lab", headers={"Host": f"localhost:{served.port}"}).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    ],
)
def test_another_page_is_refused(served: Served, headers: dict[str, str]) -> None:
    assert served.ask("/api/runs", headers=headers).json["error"]["kind"] == "Origin"
    assert served.post("/api/runs", {"recipe": "hello"}, headers).status == 403
    assert served.ask("/static/entry.css", headers=headers).status == 403


def test_its_own_page_is_let_in(served: Served) -> None:
    same = {"Origin": f"http://{served.host}", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}
    assert served.ask("/api/runs", headers=same).status == 200
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert served.ask("/", headers=followed).status == 200


def test_the_token_becomes_a_cookie(served: Served) -> None:
    answer = served.ask(f"/?token={served.token}&unit=3%264", headers={"Authorization": ""})
    assert (answer.status, answer.headers["location"]) == (303, "/?unit=3%264")
    ((name, morsel),) = SimpleCookie(answer.headers["set-cookie"]).items()
    assert morsel["httponly"] and morsel["samesite"] == "strict" and morsel["path"] == "/" and not morsel["domain"]
    assert served.token not in answer.headers["set-cookie"]
    # Two labs on one machine share a browser's cookies.
    assert name == f"unrolled-lab-{served.port}"
    for cookie, status in ((f"{name}={morsel.value}", 200), (f"{name}=x", 401), (f"other={morsel.value}", 401)):
        assert served.ask("/api/runs", headers={"Authorization": "", "Cookie": cookie}).status == status
    assert served.ask("/api/runs", headers={"Authorization": "", "Cookie": 'a="\\'}).status == 401


def test_who_comes_without_a_token_is_asked_for_it(served: Served) -> None:
    answer = served.ask("/run/book", headers={"Authorization": ""})
    assert answer.status == 401 and b'action="/enter"' in answer.body and b"script" not in answer.body
    assert served.ask("/static/entry.css", headers={"Authorization": ""}).status == 200


def test_a_wrong_token_costs_time(served: Served) -> None:
    began = time.monotonic()
    answer = served.ask("/?token=wrong", headers={"Authorization": ""})
    assert answer.status == 401 and "set-cookie" not in answer.headers
    assert time.monotonic() - began >= 1


def test_a_token_for_a_browsers_command_line_is_good_once() -> None:
    access = Access.make(1, ("x",))
    once = access.single()
    assert access.opens(once) and not access.opens(once)
    assert access.opens(access.token) and access.opens(access.token)
    assert not access.opens("") and not access.opens("é")


def test_every_answer_says_what_a_browser_may_do_with_it(served: Served) -> None:
    paths = ("/", "/read/tiny", "/api/runs", "/api/nothing", "/static/entry.css", "/static/nothing.js")
    for path in paths:
        for headers in ({}, {"Authorization": ""}, {"Host": "evil.example"}):
            said = served.ask(path, headers=headers).headers
            assert said["x-content-type-options"] == "nosniff" and said["referrer-policy"] == "no-referrer"
            policy = dict(part.strip().partition(" ")[::2] for part in said["content-security-policy"].split(";"))
            assert policy["default-src"] == "'none'" and policy["script-src"] == policy["style-src"] == "'self'"
            assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
            assert said["cache-control"] in ("no-store", "no-cache")
            assert "access-control-allow-origin" not in said and "server" not in said


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/static//etc/passwd",
        "/static/%00",
        "/static/",
    ],
)
def test_nothing_but_its_own_files_is_static(served: Served, path: str) -> None:
    answer = served.ask(path)
    assert answer.status == 404 and b"import" not in answer.body


def test_static_files_have_their_types_and_are_sent_once(served: Served) -> None:
    answer = served.ask("/static/entry.css")
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    tag = {"If-None-Match": answer.headers["etag"]}
    assert served.ask("/static/entry.css", headers=tag).status == 304
    assert served.ask("/static/lab.js").headers["content-type"] == "text/javascript; charset=utf-8"
    assert served.ask("/any/view").headers["content-type"] == "text/html; charset=utf-8"


# --- other addresses -------------------------------------------------------------------------------------------------


def begun(**fields: object) -> Iterator[object]:
    return lab(LabRequest(no_open=True, **fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"host": "192.0.2.1"}, "needs a key"),
        ({"host": "0.0.0.0"}, "needs a key"),
        ({"host": "example.org"}, "needs a key"),
        ({"host": "0.0.0.0", "key": "long"}, "name the one"),
        ({"host": "192.0.2.1", "key": "long"}, "cannot be had"),
        ({"key": "short"}, "cannot be guessed"),
        ({"key": "absent"}, "cannot be read"),
        ({"port": 70000}, "65535"),
        ({"folders": ("absent", "also-absent")}, "no such folder"),
        ({"folders": ("long",)}, "a file, where"),
    ],
)
def test_what_it_will_not_start_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fields: dict[str, object], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "long").write_text(KEY)
    (tmp_path / "short").write_text("12345678901\n")
    with pytest.raises(UserError, match=said):
        next(begun(**fields))


def test_a_key_of_ones_own_is_entered_and_not_printed(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n")
    with serving(tmp_path / "runs", "--port", 0, "--key", tmp_path / "key", code=NO_WORKER) as served:
        assert "token" not in served.address
        form = {"Authorization": "", "Content-Type": "application/x-www-form-urlencoded"}
        wrong = served.ask("/enter", "POST", b"key=guess", {**form, "Authorization": ""})
        assert wrong.status == 401 and "set-cookie" not in wrong.headers
        assert served.ask("/enter", "POST", b"k" * 5000, form).status == 413
        right = served.ask("/enter", "POST", f"key={KEY.replace(' ', '+')}".encode(), form)
        assert right.status == 303 and right.headers["location"] == "/"
        cookie = right.headers["set-cookie"].partition(";")[0]
        assert served.ask("/api/lab", headers={"Authorization": "", "Cookie": cookie}).status == 200


def test_ctrl_c_closes_it_and_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "unrolled", "lab", str(tmp_path / "runs"), "--no-open"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and "The lab is open at http://127.0.0.1:" in process.stdout.readline()
        deadline = time.monotonic() + PATIENCE
        while not (begun := children(process.pid)):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0 and "The lab is closed." in said
    assert not any(Path(f"/proc/{pid}").exists() for pid in begun)
