"""A terminal: commands see one of a known size, and what they show on it is read."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent


class Terminal:
    """What is typed goes to the process, what it shows is kept."""

    def __init__(self, end: int) -> None:
        self._end = end
        self.shown = ""

    def type(self, keys: str) -> None:
        """As a person would."""
        os.write(self._end, keys.encode())

    def read(self, until: str | None = None, seconds: float = 20.0) -> str:
        """What is newly shown, up to and with a text, or to the end."""
        before, deadline = len(self.shown), time.monotonic() + seconds
        while until is None or until not in self.shown[before:]:
            ready, _, _ = select.select([self._end], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"no {until!r} in {self.shown[before:]!r}"
            try:
                piece = os.read(self._end, 65536)
            except OSError:  # how Linux tells that the process has closed it
                piece = b""
            if not piece:
                break
            self.shown += piece.decode()
        return self.shown[before:]


@contextmanager
def _terminal(*command, columns: int = 80, rows: int = 40, **environment):
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    unset = {"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR"}
    known = {name: value for name, value in os.environ.items() if name not in unset}
    settings = {"TERM": "xterm-256color", "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    process = subprocess.Popen(
        command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=known | settings | environment,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield Terminal(ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


@pytest.fixture
def terminal() -> Callable[..., Terminal]:
    """Open a terminal for a command."""
    return _terminal


@pytest.fixture
def on_terminal(cache) -> Callable[..., str]:
    """What `baryon <arguments>` shows on a terminal, to its end."""

    def run(*arguments: str, **options) -> str:
        settings = {"XDG_CACHE_HOME": str(cache), "OMP_NUM_THREADS": "1"} | options
        with _terminal(BIN / "baryon", *arguments, **settings) as shown:
            return shown.read().replace("\r\n", "\n")

    return run
