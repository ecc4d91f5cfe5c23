"""Messages for people: to stdout in colour on a terminal, as plain lines elsewhere."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


@cache
def console() -> Console:
    """The terminal; rich honours NO_COLOR and leaves out colour when it is not one."""
    from rich.console import Console

    from baryon.launched import launched

    # mpiexec gives every rank a terminal of its own, wherever the output really goes.
    if launched().ranks > 1:
        return Console(force_terminal=False, width=200)
    # Without a terminal rich assumes 80 columns and would break the lines of a log.
    return Console() if Console().is_terminal else Console(width=200)


def speak(aloud: bool) -> None:
    """Of many ranks only one is heard."""
    console().quiet = not aloud


def say(text: str) -> None:
    """One message; square brackets are left as they are."""
    console().print(text, markup=False, highlight=False, soft_wrap=True)


def show(renderable: RenderableType) -> None:
    """A table or another rich object."""
    console().print(renderable)


def warn(text: str) -> None:
    """One warning, marked as such."""
    console().print(f"warning: {text}", style="yellow", markup=False, soft_wrap=True)
