"""Serve a page to this machine alone, for as long as what it shows goes on.

The server is bound to the loopback and answers GET and HEAD of one path, nothing else. The page is
the very one that `baryon report` writes: its script fetches it again and exchanges the parts that
differ, so there is no second way of drawing.
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
# The page holds its own tag, which is a hash of the page: this stands in its place until it is
# known.
TAG = "the-tag-of-this-page"
REST = 4.0  # times the time that a page took to make: the run needs the cores
SECONDS_BETWEEN_LOOKS = 1.0
SECONDS_TO_FETCH = 6.0
"""How long the final page is served: a page asks every two seconds, and so learns of the end."""


@dataclass(frozen=True)
class Shown:
    """A page, as a function of the tag of its state, and whether what it shows still goes on."""

    page: Callable[[str], str]
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
        """Return the tag and the page. Raises `BaryonError` if what it shows has vanished."""
        with self._lock:
            started = time.monotonic()
            if started < self._not_before:
                return self.tag, self._page
            signature = self._signature()
            if signature != self._seen:
                self._make()
                self._seen = signature
                # The log of a long run takes seconds to read.
                now = time.monotonic()
                self._not_before = now + REST * (now - started)
            return self.tag, self._page

    def _make(self) -> None:
        shown = self._look()
        text = shown.page(TAG)
        self.tag = f'"{hashlib.sha256(text.encode()).hexdigest()[:16]}"'
        self._page = text.replace(TAG, escape(self.tag)).encode()
        self.going = shown.going


def serve(watched: Watched, port: int, announce: Callable[[str], None]) -> None:
    """Serve until what is watched has ended, and pages that are open have learnt of it.

    `announce` is called with the address. Raises `BaryonError` for a port in use.
    """
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
        announce(f"http://{LOOPBACK}:{server.server_port}/")
        try:
            while watched.going:
                time.sleep(SECONDS_BETWEEN_LOOKS)
                watched.page()
            # Without an open page nobody waits to learn of the end.
            time.sleep(SECONDS_TO_FETCH if server.was_asked else 0.0)
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    """Holds the page; a request that hangs delays no other, nor the end."""

    watched: Watched
    was_asked = False
    daemon_threads = True
    block_on_close = False


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "baryon"
    # Otherwise every answer would tell the version of Python.
    sys_version = ""
    timeout = 30

    def do_GET(self) -> None:
        """Answer with the page, or that it has not changed."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """Answer as to GET, without the page."""
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        # A page of another site can make its own name resolve to the loopback (DNS rebinding), and
        # could then read the run: the name must be this server's.
        hosts = {f"{name}:{self.server.server_port}" for name in (LOOPBACK, "localhost")}
        if self.headers.get("Host") not in hosts:
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
        self.server.was_asked = True
        if self.headers.get("If-None-Match") == tag:
            self._head(HTTPStatus.NOT_MODIFIED, tag, "text/html", 0)
            return
        self._head(HTTPStatus.OK, tag, "text/html; charset=utf-8", len(page))
        if body:
            self.wfile.write(page)

    def _head(self, status: HTTPStatus, tag: str, kind: str, length: int) -> None:
        self.send_response(status)
        # Pages of other sites may neither frame nor embed the run, and no cache keeps what it
        # showed.
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
        """Log nothing: requests are of no interest."""
