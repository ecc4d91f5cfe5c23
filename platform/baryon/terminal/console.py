"""Messages for people: records of the logger "baryon", and the terminal that shows them.

Everything that Baryon tells people goes through the standard library's `logging`, so that a program
that embeds it can redirect or silence it. Importing Baryon installs no handler; the command line
installs one that writes to the terminal (`baryon.terminal.handler`).
"""

from __future__ import annotations

import io
import logging
import re
from functools import cache
from typing import TYPE_CHECKING

from baryon.launch.environment import cluster_environment
from baryon.terminal.credentials import strip_credentials
from baryon.terminal.notebook import WIDTH, in_notebook

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console, RenderableType

UNPRINTABLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Characters that a terminal obeys instead of showing: C0 (but tab and line feed) and C1 controls,
changes of the direction of writing, other line ends; and unpaired surrogates."""
LOG_WIDTH = 200
"""Columns of a log: without a terminal rich assumes 80 and would break lines."""

LOGGER = logging.getLogger("baryon")


def _add_rank(record: logging.LogRecord) -> bool:
    """Set `record.rank`, the number of the process among those of the run."""
    record.rank = cluster_environment().rank
    return True


LOGGER.addFilter(_add_rank)


class _Speaker:
    """Whether this process passes on messages that all processes of a run have in common."""

    silent = False


class Rendered:
    """A table or another rich object as the message of a record; plain text for other handlers."""

    def __init__(self, renderable: RenderableType) -> None:
        self.renderable = renderable

    def __str__(self) -> str:
        """Render without colours, `LOG_WIDTH` columns wide."""
        from rich.console import Console

        text = io.StringIO()
        Console(file=text, width=LOG_WIDTH, force_terminal=False, markup=False, emoji=False).print(
            self.renderable
        )
        return printable("\n".join(map(str.rstrip, text.getvalue().splitlines())))


def printable(text: str) -> str:
    """Escape control characters and hide passwords: texts of files can hold anything."""
    return UNPRINTABLE.sub(_escaped, strip_credentials(text))


def _escaped(character: re.Match[str]) -> str:
    return character[0].encode("unicode_escape").decode()


@cache
def console() -> Console:
    """Return rich's terminal; it honours NO_COLOR and leaves out colour where there is none.

    Texts are shown as they are, without rich's markup, and made printable.
    """
    from rich.console import Console
    from rich.text import Text

    class PrintableConsole(Console):
        def render_str(self, text: str, **options: object) -> Text:
            return super().render_str(printable(text), **options)  # type: ignore[arg-type]

    if in_notebook():
        # Plain text: rich would make a block of HTML of each line.
        return PrintableConsole(force_jupyter=False, width=WIDTH, markup=False, emoji=False)
    # mpiexec gives every rank a terminal of its own, wherever the output really goes.
    if cluster_environment().ranks > 1:
        return PrintableConsole(force_terminal=False, width=LOG_WIDTH, markup=False, emoji=False)
    if Console().is_terminal:
        return PrintableConsole(markup=False, emoji=False)
    return PrintableConsole(width=LOG_WIDTH, markup=False, emoji=False)


def speak(aloud: bool) -> None:
    """Let this process pass on the messages that all ranks have in common, or keep silent."""
    _Speaker.silent = not aloud


def say(text: str) -> None:
    """Log a message (level INFO), unless another rank speaks for this one."""
    _log(logging.INFO, printable(text))


def conclude(text: str) -> None:
    """Log the answer of a command (level INFO): bold on a terminal, folded between words there."""
    _log(logging.INFO, printable(text), is_answer=True)


def name_report(path: Path) -> None:
    """Log where a report lies (level INFO); on a terminal the path is a link to it."""
    _log(logging.INFO, printable(f"report: {path}"), link=path.absolute().as_uri())


def warn(text: str) -> None:
    """Log a warning, unless another rank speaks for this one."""
    _log(logging.WARNING, printable(text))


def refuse(text: str) -> None:
    """Log an error that the command goes on after, so that others are told as well."""
    _log(logging.ERROR, printable(text))


def show(renderable: RenderableType) -> None:
    """Log a table or another rich object (level INFO), unless another rank speaks for this one."""
    _log(logging.INFO, Rendered(renderable))


def warn_from_rank(text: str) -> None:
    """Log a warning of this very rank, whichever speaks; the command line writes it to stderr.

    Such warnings come when ranks are late or lost: the one that speaks for all may be among them.
    """
    LOGGER.warning(printable(text), extra={"single_rank": True}, stacklevel=2)


def _log(level: int, message: object, *, is_answer: bool = False, link: str = "") -> None:
    if not _Speaker.silent:
        # the caller of `say`, not `say` itself
        LOGGER.log(level, message, stacklevel=3, extra={"is_answer": is_answer, "link": link})
