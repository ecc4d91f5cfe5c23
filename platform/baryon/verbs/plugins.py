"""`baryon plugins`: every installed plugin with its origin, what it offers and its health."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from baryon.errors import BaryonError
from baryon.plugins import KINDS, Plugin, discover
from baryon.reporting.console import console, say, show

if TYPE_CHECKING:
    from rich.table import Table


def run(arguments: Sequence[str]) -> int:
    """Print the table; exit code 1 if anything is wrong with what is installed."""
    if arguments:
        say("usage: baryon plugins\n\nList the installed plugins; BARYON_DISABLE=a,b blocks some.")
        if arguments[0] not in ("-h", "--help"):
            raise BaryonError(f"baryon plugins takes no argument {arguments[0]!r}")
        return 0
    plugins = discover()
    problems = list(plugins.problems())
    show(_table(plugins.all, problems))
    for problem in problems:
        console().print(f"error: {problem}", style="red", markup=False, soft_wrap=True)
    return 1 if problems else 0


def _table(plugins: Sequence[Plugin], problems: Sequence[str]) -> Table:
    from rich.table import Table

    table = Table("plugin", "distribution", "version", "offers", "health")
    for plugin in plugins:
        clash = any(f"plugin {plugin.name!r}" in problem for problem in problems)
        health = "broken" if plugin.error else "clash" if clash else "ok"
        table.add_row(plugin.name, plugin.distribution, plugin.version, _offers(plugin), health)
    return table


def _offers(plugin: Plugin) -> str:
    lines = []
    for kind in KINDS:
        names = [component.name for component in plugin.components if component.kind == kind]
        if names:
            lines.append(f"{kind}: {', '.join(names)}")
    return "\n".join(lines)
