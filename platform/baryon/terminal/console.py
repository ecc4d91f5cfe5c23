"""Messages for people: to stdout in colour on a terminal, as plain lines elsewhere."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from baryon.terminal.credentials import strip_credentials

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

UNPRINTABLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""What a terminal would obey, not show: C0 (but tab and line feed) and C1, changes of the direction
of writing, other ends of lines; and halves of surrogate pairs, which it cannot show."""


def printable(text: str) -> str:
    """A text as it may be shown: texts of files can hold anything, and addresses a password."""
    return UNPRINTABLE.sub(_escaped, strip_credentials(text))


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


@cache
def console() -> Console:
    """The terminal; rich honours NO_COLOR and leaves out colour when it is not one.

    Texts are shown as they are, without rich's markup, and made printable.
    """
    from rich.console import Console
    from rich.text import Text

    from baryon.launch.environment import cluster_environment

    class PrintableConsole(Console):
        def render_str(self, text: str, **options: object) -> Text:
            return super().render_str(printable(text), **options)  # type: ignore[arg-type]

    # mpiexec gives every rank a terminal of its own, wherever the output really goes.
    if cluster_environment().ranks > 1:
        return PrintableConsole(force_terminal=False, width=200, markup=False, emoji=False)
    # Without a terminal rich assumes 80 columns and would break the lines of a log.
    if Console().is_terminal:
        return PrintableConsole(markup=False, emoji=False)
    return PrintableConsole(width=200, markup=False, emoji=False)


def speak(aloud: bool) -> None:
    """Of many ranks only one is heard."""
    console().quiet = not aloud


def say(text: str) -> None:
    """One message."""
    console().print(text, highlight=False, soft_wrap=True)


def show(renderable: RenderableType) -> None:
    """A table or another rich object."""
    console().print(renderable)


def warn(text: str) -> None:
    """One warning, marked as such."""
    console().print(f"warning: {text}", style="yellow", soft_wrap=True)
