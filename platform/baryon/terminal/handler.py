"""The command line's log handler: coloured on a terminal, plain lines elsewhere."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from baryon.terminal.console import LOGGER, Rendered, console

if TYPE_CHECKING:
    from rich.text import Text

STYLES = {logging.WARNING: "yellow", logging.ERROR: "red"}


class ConsoleHandler(logging.Handler):
    """Writes messages to stdout, and warnings of a single rank to stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record.

        Errors are raised, not swallowed as other handlers do: a closed pipe (`baryon show | head`)
        or a signal has to end the command.
        """
        if isinstance(record.msg, Rendered):
            console().print(record.msg.renderable)
            return
        text = record.getMessage()
        if record.levelno == logging.WARNING:
            text = f"warning: {text}"
        if getattr(record, "single_rank", False):
            # Without rich: ranks that are late or lost must not import anything first.
            print(text, file=sys.stderr, flush=True)  # noqa: T201
            return
        link = getattr(record, "link", "")
        if link and console().is_terminal:
            console().print(_linked(text, link), soft_wrap=True)
            return
        is_answer = getattr(record, "is_answer", False)
        style = "bold" if is_answer else STYLES.get(record.levelno)
        # A terminal would break the sentence within words; paths and commands it must not fold.
        folds = is_answer and console().is_terminal
        console().print(text, style=style, highlight=False, soft_wrap=not folds)


def _linked(text: str, address: str) -> Text:
    """Return "label: path", of which a terminal that can (OSC 8) opens the path with a click."""
    from rich.style import Style
    from rich.text import Text

    label, colon, path = text.partition(": ")
    return Text.assemble(label, colon, (path, Style(link=address)))


def show_messages() -> None:
    """Show the messages of this process on its terminal, in place of what else would take them."""
    if not is_shown():
        LOGGER.addHandler(ConsoleHandler())
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False  # libraries that configure the root logger would show all twice


def is_shown() -> bool:
    """Return whether the messages of this process are shown as they come."""
    return any(isinstance(handler, ConsoleHandler) for handler in LOGGER.handlers)


def has_terminal() -> bool:
    """Return whether messages are shown on a terminal, so that a live bar may stand beside them."""
    return is_shown() and console().is_terminal
