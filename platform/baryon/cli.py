"""Run `baryon <command> [overrides]`; turn errors into one line and an exit code."""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Sequence

from baryon import __version__
from baryon.commands import help_pages, parsing
from baryon.commands.arguments import HELP_FLAGS
from baryon.commands.table import COMMANDS
from baryon.errors import did_you_mean
from baryon.launch.child_python import protect_children
from baryon.system.process_exit import end_with_one_line, print_error

TRAINING = (["train"], ["resume"])
"""Commands that the signals of a batch system stop so that they go on later."""
HOME = re.compile(r"""(?<![^\[,:'" ])~[\w.-]*(?=/|$|[\]},'"])""")
"""At the start of a value, of an entry of a list or of a quoted text."""
OK, WRONG_USAGE = 0, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return the exit code: 0, 1 for an error, 2 for wrong usage."""
    # Before a library starts a process, where a file of the working directory could be imported.
    protect_children()
    words = list(sys.argv[1:] if arguments is None else arguments)
    return end_with_one_line(lambda: execute(words), requeues=words[:1] in TRAINING)


def execute(words: Sequence[str]) -> int:
    """Run a command line, given without `baryon`, and return its exit code.

    Raises `BaryonError` for what a user can put right; `main` makes a line of it.
    """
    if not words or words[0] in HELP_FLAGS:
        print(help_pages.overview(COMMANDS))  # noqa: T201
        return OK if words else WRONG_USAGE
    if words[0] == "--version":
        print(f"baryon {__version__}")  # noqa: T201
        return OK
    command, rest = parsing.find(COMMANDS, [expand_home(word) for word in words])
    if command is None:
        names = [command.name for command in COMMANDS]
        print_error(f"no command {words[0]!r}; {did_you_mean(names, words[0])}")
        return WRONG_USAGE
    if parsing.wants_help(command, rest):
        help_pages.show(command)
        return OK if rest else WRONG_USAGE
    arguments = parsing.parse(command, rest)
    # Imported only now: help and completion must not wait for what a command needs.
    return int(importlib.import_module(command.module).run(arguments))


def expand_home(argument: str) -> str:
    """Replace `~` and `~user` where a path of the value of `key=value` begins with it.

    The shell does so only where a word begins, and Hydra's grammar takes no bare `~` in a value.
    """
    key, equals, value = argument.partition("=")
    return key + equals + HOME.sub(lambda home: os.path.expanduser(home[0]), value)  # noqa: PTH111
