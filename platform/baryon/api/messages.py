"""Show messages and progress while a function of the Python API works."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from baryon.terminal.console import LOGGER
from baryon.terminal.handler import show_messages


@contextmanager
def messages_shown() -> Iterator[None]:
    """Show messages as the command does, unless the program has set up `logging` itself.

    A program that wants them elsewhere, or not at all, gives the logger "baryon" (or the root
    logger) a handler of its own: then nothing is added here.
    """
    if LOGGER.hasHandlers():
        yield
        return
    level, propagate = LOGGER.level, LOGGER.propagate
    show_messages()
    try:
        yield
    finally:
        # Put back as it was: the next call may come after the program has set up `logging`.
        for handler in list(LOGGER.handlers):
            LOGGER.removeHandler(handler)
        LOGGER.setLevel(level)
        LOGGER.propagate = propagate
