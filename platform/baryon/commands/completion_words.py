"""Print the words that a command line may go on with, for the scripts of the shells."""

from __future__ import annotations

from baryon.commands.arguments import Arguments
from baryon.commands.shell_completion.candidates import candidates


def run(arguments: Arguments) -> int:
    """Print a word a line."""
    for word in candidates(arguments["line"]):
        print(word)  # noqa: T201  to be read by a script; rich takes a third of the time
    return 0
