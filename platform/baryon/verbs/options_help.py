"""Help for verbs that compose a config: every group with the options of every plugin."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from baryon.plugins import Plugins, host_conf
from baryon.reporting.console import console, say, show

if TYPE_CHECKING:
    from rich.table import Table

GROUPS = ("experiment", "dataset", "model", "loss", "comm", "evaluator", "train", "sweep", "launch")


def options_help(usage: str, plugins: Plugins, groups: Iterable[str] = GROUPS) -> None:
    """Print the usage, then a table of the options with the first line of each file."""
    say(usage)
    show(_table(plugins, groups))
    for problem in plugins.problems():
        console().print(f"error: {problem}", style="red", markup=False, soft_wrap=True)


def _table(plugins: Plugins, groups: Iterable[str]) -> Table:
    from rich.table import Table

    table = Table("group", "option", "what it is", "from", box=None, pad_edge=False)
    rows = list(_options(plugins))
    for group in groups:
        for name, path, owner in sorted((n, p, o) for g, n, p, o in rows if g == group):
            table.add_row(group, name, first_comment(path), owner)
    return table


def _options(plugins: Plugins) -> Iterator[tuple[str, str, Path, str]]:
    folders = [(host_conf(), "baryon")]
    folders += [(plugin.conf, plugin.name) for plugin in plugins.all if plugin.conf]
    for folder, owner in folders:
        for path in folder.glob("*/*.yaml"):
            yield path.parent.name, path.stem, path, owner


def first_comment(path: Path) -> str:
    """The first line of a YAML file that is a comment and no package directive."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("# @"):
            return line.removeprefix("#").strip() if line.startswith("#") else ""
    return ""
