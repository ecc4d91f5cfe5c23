"""Run `baryon <command> [overrides]`; turn errors into one line and an exit code."""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Sequence

from baryon import __version__
from baryon.commands.arguments import HELP_FLAGS
from baryon.commands.table import COMMANDS
from baryon.errors import did_you_mean
from baryon.launch.child_python import protect_children
from baryon.system.process_exit import end_with_one_line, print_error

TRAINING = (["train"], ["resume"])
"""Commands that the signals of Slurm stop so that they go on later."""
HOME = re.compile(r"""(?<![^\[,:'" ])~[\w.-]*(?=/|$|[\]},'"])""")
"""At the start of a value, of an entry of a list or of a quoted text."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the process's exit code: 0, 1 for an error, 2 for wrong usage."""
    protect_children()
    given = list(sys.argv[1:] if arguments is None else arguments)
    return end_with_one_line(lambda: _dispatch(given), requeues=given[:1] in TRAINING)


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments[0] in HELP_FLAGS:
        print(_help())  # noqa: T201
        return 0 if arguments else 2
    command_name, *rest = map(expand_home, arguments)
    if command_name == "--version":
        print(f"baryon {__version__}")  # noqa: T201
        return 0
    if command_name not in COMMANDS:
        print_error(f"no command {command_name!r}; {did_you_mean(COMMANDS, command_name)}")
        return 2
    return int(importlib.import_module(f"baryon.commands.{command_name}").run(rest))


def expand_home(argument: str) -> str:
    """Replace `~` and `~user` where a path of the value of `key=value` begins with it.

    The shell does so only where a word begins, and Hydra's grammar takes no bare `~` in a value.
    """
    key, equals, value = argument.partition("=")
    return key + equals + HOME.sub(lambda home: os.path.expanduser(home[0]), value)  # noqa: PTH111


def _help() -> str:
    lines = [f"  {command_name:<12}{meaning}" for command_name, meaning in COMMANDS.items()]
    return "\n".join(
        [
            "usage: baryon <command> [key=value ...]",
            "",
            *lines,
            "",
            "`baryon <command> --help` says more about each; for example:",
            "  baryon train experiment=hep_demo",
            "  baryon train dataset=hep_images model=hep_cnn train.learning_rate=3e-4",
        ]
    )
