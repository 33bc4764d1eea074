"""The page for whoever comes without a token: what to do, and a field for the key."""

from __future__ import annotations

from starlette.responses import HTMLResponse

_SAID = {
    401: "This lab wants its key. Open the address that <code>unrolled lab</code> printed, or enter the key here.",
    413: "That is no key.",
    429: "Too many wrong keys at once: wait a moment, then enter it again.",
}
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Unrolled: the lab</title>
<link rel="stylesheet" href="/static/entry.css">
<main>
<h1>Unrolled</h1>
<p>{said}</p>
<form method="post" action="/enter">
<label for="key">Key</label>
<input id="key" name="key" type="password" autocomplete="off" required autofocus>
<button>Open the lab</button>
</form>
</main>
</html>
"""


def entry_page(status: int) -> HTMLResponse:
    """The page, with what this status means to a person."""
    return HTMLResponse(_PAGE.format(said=_SAID[status]), status)
