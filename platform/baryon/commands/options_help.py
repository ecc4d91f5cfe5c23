"""Help for commands that compose a config: every group with the options of every plugin."""

from __future__ import annotations

from collections.abc import Iterable

from baryon.config.options import Options, first_comment
from baryon.plugins.registry import Plugins
from baryon.terminal.console import console, refuse, say, show
from baryon.terminal.tables import fitted_text

__all__ = ["first_comment", "options_help"]


def options_help(usage: str, plugins: Plugins, groups: Iterable[str] | None = None) -> None:
    """Print the usage, then the names of all options of these groups, of all that a run has."""
    options = Options(plugins)
    say(usage)
    rows = [
        (group, ", ".join(option.name for option in options.of(group)))
        for group in groups or options.groups
    ]
    show(fitted_text(("group", "options"), rows, console().width, boxed=False))
    say("\n`baryon show <group>` says what they are, `baryon show <group>/<option>` all of one.")
    for problem in plugins.problems():
        refuse(f"error: {problem}")
