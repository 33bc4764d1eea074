"""What every request passes: whose it is, from where it comes, and what a browser may do with the answer."""

from __future__ import annotations

import asyncio
import secrets
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlencode

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from unrolled.web.answers import problem
from unrolled.web.entry import entry_page
from unrolled.web.state import Access

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "worker-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
#: Seconds that a wrong token costs whoever sent it, and how many may wait for that at a time.
PENALTY = 1.0
MOST_WRONG = 8


class Gate:
    """Lets in what may come in. Static files are the package's own, and open to whoever names the right host."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app, self.access = app, access
        self._wrong = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        refusal = await self._refusal(Request(scope, receive))
        await (refusal or self.app)(scope, receive, guarded)

    async def _refusal(self, request: Request) -> Response | None:
        headers, path = request.headers, request.url.path
        if headers.get("host") not in self.access.hosts:
            return problem(403, "Host", "this lab is not called so: open the address that it printed")
        if not self._from_here(headers):
            return problem(403, "Origin", "asked from another page: the lab answers its own alone")
        if path.startswith("/static/"):
            return None
        if path == "/enter" and request.method == "POST":
            return await self._entered(request)
        if path == "/" and "token" in request.query_params:
            return await self._shown(request.query_params["token"], request.query_params)
        if self._known(headers):
            return None
        if path.startswith("/api/"):
            return problem(401, "Token", "this lab was started anew: open the address that it printed")
        return entry_page(401)

    def _from_here(self, headers: Headers) -> bool:
        origin = headers.get("origin")
        if origin is not None and origin not in {f"http://{host}" for host in self.access.hosts}:
            return False
        # Where a browser says it: no other page may ask for anything but the front door.
        return headers.get("sec-fetch-site", "none") in {"none", "same-origin"} or (
            headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
        )

    def _known(self, headers: Headers) -> bool:
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        if scheme == "Bearer":
            return secrets.compare_digest(bearer.encode(), self.access.token.encode())
        name, value = self.access.cookie
        try:
            held = SimpleCookie(headers.get("cookie", "")).get(name)
        except CookieError:
            return False
        return held is not None and secrets.compare_digest(held.value.encode(), value.encode())

    async def _entered(self, request: Request) -> Response:
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > 4096:
                return entry_page(413)
        return await self._shown(QueryParams(body.decode("utf-8", "replace")).get("key", ""), QueryParams())

    async def _shown(self, token: str, query: QueryParams) -> Response:
        """Right: a cookie, and on to the address without the token."""
        if not self.access.opens(token):
            if self._wrong >= MOST_WRONG:
                return entry_page(429)
            self._wrong += 1
            try:
                await asyncio.sleep(PENALTY)
            finally:
                self._wrong -= 1
            return entry_page(401)
        rest = urlencode([(name, value) for name, value in query.multi_items() if name != "token"])
        name, value = self.access.cookie
        answer = RedirectResponse(f"/?{rest}" if rest else "/", 303)
        answer.set_cookie(name, value, httponly=True, samesite="strict", path="/")
        return answer
