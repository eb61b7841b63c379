"""Stands around every answer: what a browser may do with it, whether it has it already, how long it took."""

import hashlib
import time
from base64 import b64encode
from functools import cache
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ingest_service.web.metrics import Figures
from ingest_service.web.site import read_style

_MOST_TAGGED_BYTES: Final = 1 << 20


@cache
def _policy() -> str:
    style = b64encode(hashlib.sha256(read_style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{style}'; img-src 'self'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    )


class Guard:
    """Adds security headers and an ETag; answers 304 to who has the page already; measures seconds."""

    def __init__(self, app: ASGIApp, figures: Figures) -> None:
        self._app = app
        self._figures = figures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["method"] == "HEAD":  # monitors ask so; the server sends the head alone
            scope = {**scope, "method": "GET"}
        began_s = time.perf_counter()
        answer = _Answer(send, Headers(scope=scope).get("if-none-match", ""))
        try:
            await self._app(scope, receive, answer.take)
        finally:
            route = scope.get("route")
            path = getattr(route, "path", "other")
            self._figures.answered(path, answer.status, time.perf_counter() - began_s)


class _Answer:
    """Holds the head back until the whole body is there, so that it can be tagged."""

    def __init__(self, send: Send, known: str) -> None:
        self.status = 500
        self._send = send
        self._known = known
        self._head: Message = {}
        self._body = b""

    async def take(self, message: Message) -> None:
        """One message of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._head = message
            return
        if message["type"] != "http.response.body":
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if self._head and len(self._body) > _MOST_TAGGED_BYTES:
            await self._start(tag=False)
        if not self._head:
            await self._send({**message, "body": self._body})
            self._body = b""
        elif not message.get("more_body", False):
            await self._start(tag=True)
            await self._send({"type": "http.response.body", "body": self._body})

    async def _start(self, *, tag: bool) -> None:
        headers = MutableHeaders(scope=self._head)
        headers["content-security-policy"] = _policy()
        headers["x-content-type-options"] = "nosniff"
        headers["referrer-policy"] = "same-origin"
        headers.add_vary_header("Cookie")
        headers.add_vary_header("Accept-Language")
        if tag and self.status == 200:
            etag = f'W/"{hashlib.sha256(self._body).hexdigest()[:20]}"'
            headers["etag"] = etag
            if etag in self._known:
                self._head["status"] = self.status = 304
                self._body = b""
                for name in ("content-length", "content-type"):
                    del headers[name]
        head, self._head = self._head, {}
        await self._send(head)
