"""Print the script by which a shell completes words of `baryon`."""

from __future__ import annotations

from importlib.resources import files

from baryon.commands.arguments import Arguments


def run(arguments: Arguments) -> int:
    """Print the script of the shell."""
    script = files("baryon.commands.shell_completion") / f"{arguments['shell']}.sh"
    print(script.read_text(encoding="utf-8"), end="")  # noqa: T201  to be read by a shell
    return 0
