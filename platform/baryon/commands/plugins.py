"""`baryon plugins`: every installed plugin with its health; `baryon plugins new`: a first one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from baryon.commands.arguments import HELP_FLAGS, split_arguments
from baryon.errors import BaryonError
from baryon.plugins.registry import KINDS, Plugin, discover
from baryon.terminal.console import console, refuse, say, show
from baryon.terminal.tables import fitted_text

USAGE = """\
usage: baryon plugins
       baryon plugins new <name> [out=<folder>]

List the installed plugins, what they offer and their health; BARYON_DISABLE=a,b blocks some.
`new` writes the package of a plugin of your own, which runs as it is: its parts are to be replaced.

  baryon plugins
  baryon plugins new my_field
  baryon plugins new my_field out=~/work/my-field
"""


def run(arguments: Sequence[str]) -> int:
    """List, with exit code 1 if anything is wrong with what is installed; or write a new one."""
    if not arguments:
        return _list()
    if any(argument in HELP_FLAGS for argument in arguments):
        say(USAGE)
        return 0
    action, *rest = arguments
    if action != "new":
        raise BaryonError(f"baryon plugins takes no argument {action!r}; choose from: new")
    return _new(rest)


def _list() -> int:
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


def _new(arguments: Sequence[str]) -> int:
    from baryon.plugins.scaffold.scaffold import check_name, distribution_of, write_plugin

    if not arguments or "=" in arguments[0]:
        raise BaryonError("give the plugin's name: baryon plugins new my_field")
    name, *rest = arguments
    own, others = split_arguments(rest, required=(), optional=("out",))
    if others:
        raise BaryonError(f"plugins new takes a name and out=<folder>, not {others[0]!r}")
    check_name(name, discover())
    folder = Path(own.get("out") or distribution_of(name)).expanduser()
    files = write_plugin(name, folder)
    say(f"wrote {folder} ({len(files)} files); begin with its README.md. To try it as it is:\n")
    say(f"  pip install --editable '{folder}[test]'")
    say(f"  python -m pytest {folder}/tests")
    say(f"  baryon train experiment={name}_demo")
    return 0
