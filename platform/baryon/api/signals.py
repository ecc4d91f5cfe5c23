"""Ctrl-C in a program that has called Baryon."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interrupting() -> Iterator[None]:
    """Raise `KeyboardInterrupt` where the command would end its process after Ctrl-C."""
    try:
        yield
    except SystemExit as end:
        # An embedding program, such as a kernel of Jupyter, must outlive what it has called.
        if end.code == 128 + signal.SIGINT:
            raise KeyboardInterrupt from None
        raise
