"""List every installed plugin with what it offers and its health."""

from __future__ import annotations

from collections.abc import Sequence

from baryon.commands.arguments import Arguments
from baryon.plugins.registry import KINDS, Plugin, discover
from baryon.terminal.console import console, refuse, show
from baryon.terminal.tables import fitted_text


def run(arguments: Arguments) -> int:
    """Show the plugins; the exit code is 1 if anything is wrong with what is installed."""
    del arguments
    # Broken ones are listed too: this command is there to tell what is wrong with them.
    plugins = discover()
    problems = list(plugins.problems())
    rows = [_row(plugin, problems) for plugin in plugins.all]
    columns = ("plugin", "distribution", "version", "offers", "health")
    show(fitted_text(columns, rows, console().width, boxed=True))
    for problem in problems:
        refuse(f"error: {problem}")
    return 1 if problems else 0


def _row(plugin: Plugin, problems: Sequence[str]) -> tuple[str, ...]:
    clash = any(f"plugin {plugin.name!r}" in problem for problem in problems)
    health = "broken" if plugin.error else "clash" if clash else "ok"
    return plugin.name, plugin.distribution, plugin.version, _offers(plugin), health


def _offers(plugin: Plugin) -> str:
    lines = []
    for kind in KINDS:
        names = [component.name for component in plugin.components if component.kind == kind]
        if names:
            lines.append(f"{kind}: {', '.join(names)}")
    return "\n".join(lines)
