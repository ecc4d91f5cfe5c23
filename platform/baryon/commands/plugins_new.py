"""Write the package of a new plugin."""

from __future__ import annotations

from pathlib import Path

from baryon.commands.arguments import Arguments
from baryon.plugins.registry import discover
from baryon.plugins.scaffold.scaffold import check_name, distribution_of, write_plugin
from baryon.terminal.console import say


def run(arguments: Arguments) -> int:
    """Write the package and say how to try it. Raises `BaryonError` for an impossible name."""
    name = arguments["name"]
    check_name(name, discover())
    folder = Path(arguments["out"] or distribution_of(name)).expanduser()
    files = write_plugin(name, folder)
    say(f"wrote {folder} ({len(files)} files); begin with its README.md. To try it as it is:\n")
    say(f"  pip install --editable '{folder}[test]'")
    say(f"  python -m pytest {folder}/tests")
    say(f"  baryon train experiment={name}_demo")
    return 0
