"""A page served on this machine alone, for as long as what it shows goes on.

Bound to the loopback; answers GET and HEAD of one path and nothing else. The `Host` header must
name this server: a page of another site, whose name was made to lead here (DNS rebinding), would
otherwise read it.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from baryon.errors import BaryonError

LOOPBACK = "127.0.0.1"
TAG = "the-tag-of-this-page"
REST = 4.0
"""Times what a page took to make, before the next is: the log of a long run takes seconds to read,
and the run wants the cores."""
SECONDS_TO_FETCH = 6.0
"""The end is served so long: a page asks every two seconds, and is told of the end."""


@dataclass(frozen=True)
class Shown:
    """A page and whether what it shows still goes on."""

    page: Callable[[str], str]
    """The page, which is told the tag of its state."""
    going: bool


class Watched:
    """Makes the page anew when what it is made of has changed."""

    def __init__(self, signature: Callable[[], Any], look: Callable[[], Shown]) -> None:
        """`signature` is cheap and differs when `look` would give another page."""
        self._signature, self._look = signature, look
        self._lock = threading.Lock()
        self._seen: Any = None
        self._page = b""
        self._not_before = 0.0
        self.tag = ""
        self.going = True

    def page(self) -> tuple[str, bytes]:
        """The page with its tag. Raises `BaryonError` if nothing is there any more."""
        with self._lock:
            if (begun := time.monotonic()) < self._not_before:
                return self.tag, self._page
            signature = self._signature()
            if signature != self._seen:
                shown = self._look()
                text = shown.page(TAG)
                self.tag = f'"{hashlib.sha256(text.encode()).hexdigest()[:16]}"'
                self._page = text.replace(TAG, escape(self.tag)).encode()
                self.going, self._seen = shown.going, signature
                now = time.monotonic()
                self._not_before = now + REST * (now - begun)
            return self.tag, self._page


def serve(watched: Watched, port: int, said: Callable[[str], None]) -> None:
    """Serve until it has ended and its end was told. Raises `BaryonError` for a port in use."""
    watched.page()
    try:
        server = _Server((LOOPBACK, port), _Handler)
    except OSError as error:
        raise BaryonError(
            f"port {port} cannot be used: {error.strerror}; choose another by port=<number>, "
            "or port=0 for any"
        ) from error
    server.watched = watched
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.2,), daemon=True)
        thread.start()
        said(f"http://{LOOPBACK}:{server.server_port}/")
        try:
            while watched.going:
                time.sleep(1.0)
                watched.page()
            time.sleep(SECONDS_TO_FETCH if server.asked else 0.0)
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    """Knows the page; a request that hangs holds nothing up."""

    watched: Watched
    asked = False
    daemon_threads = True
    block_on_close = False


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "baryon"
    sys_version = ""
    timeout = 30

    def do_GET(self) -> None:
        """The page, or that it has not changed."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """The same without the page."""
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        known = {f"{name}:{self.server.server_port}" for name in (LOOPBACK, "localhost")}
        if self.headers.get("Host") not in known:
            self._refuse(HTTPStatus.FORBIDDEN, "only for this machine")
            return
        if self.path != "/":
            self._refuse(HTTPStatus.NOT_FOUND, "there is only /")
            return
        try:
            tag, page = self.server.watched.page()
        except BaryonError as error:
            self._refuse(HTTPStatus.GONE, str(error))
            return
        self.server.asked = True
        if self.headers.get("If-None-Match") == tag:
            self._head(HTTPStatus.NOT_MODIFIED, tag, "text/html", 0)
            return
        self._head(HTTPStatus.OK, tag, "text/html; charset=utf-8", len(page))
        if body:
            self.wfile.write(page)

    def _head(self, status: HTTPStatus, tag: str, kind: str, length: int) -> None:
        self.send_response(status)
        for name, value in (
            ("Content-Type", kind),
            ("ETag", tag),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"),
            ("Referrer-Policy", "no-referrer"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
        ):
            self.send_header(name, value)
        if status != HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def _refuse(self, status: HTTPStatus, text: str) -> None:
        body = f"{text}\n".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the name is http.server's
        """Requests are not told of."""
