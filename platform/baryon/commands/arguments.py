"""What a command is to the command line: its arguments, the config keys it takes, its help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from baryon.commands.kinds import Kind

HELP_FLAGS = ("-h", "--help")


@dataclass(frozen=True)
class Argument:
    """An argument of a command: `name=value`, or a bare word where the command says so.

    Attributes
    ----------
    name
        What stands before the `=`.
    kind
        How its value is shown in a usage line, read and completed.
    help
        Its line in the help; "" where the description says it.
    required
        Whether the command cannot do without.
    repeated
        Whether it may be given several times; its value is then a list.
    of_config
        Whether it is a key of the composed config, and so an override as well.
    hidden
        Whether only Baryon itself gives it, to processes that it starts.

    """

    name: str
    kind: Kind
    help: str = ""
    required: bool = False
    repeated: bool = False
    of_config: bool = False
    hidden: bool = False


@dataclass(frozen=True)
class Flag:
    """A flag of the commands that compose a config, such as `--cfg job`; without a kind a switch.

    `names` are its long and its short form; the long one without dashes is its name in `Arguments`.
    """

    names: tuple[str, str]
    help: str
    kind: Kind | None = None

    @property
    def name(self) -> str:
        """Return the name of its value: `config_dir` for `--config-dir`."""
        return self.names[0].lstrip("-").replace("-", "_")


@dataclass(frozen=True)
class Overrides:
    """The keys of a config that a command takes beside its own arguments.

    Attributes
    ----------
    of
        Whose keys they are: of `RUN`, `GENERATE`, `REPACK`, or `FROZEN` for the config that lies in
        the folder which the argument `run` names.
    usage
        How a usage line shows them, part by part.
    only
        Beginnings of those that may be given; () for all.

    """

    of: str
    usage: tuple[str, ...]
    only: tuple[str, ...] = ()


RUN, GENERATE, REPACK, FROZEN = "run", "generate", "repack", "frozen"


@dataclass(frozen=True)
class Command:
    """A command, or an action of one: `data check` is an action of `data`.

    Attributes
    ----------
    name
        The words after `baryon`; the module `baryon.commands.<name>` of that name, with underscores
        for spaces, has a function `run(arguments)` that does it and returns an exit code.
    summary
        Its line in the help of what it belongs to.
    description
        What it does, in lines that fit the help.
    examples
        Command lines without `baryon`, each with a remark or "".
    arguments
        Those that are given as `name=value`.
    word
        A bare word that may stand first.
    either
        Names of arguments of which exactly one must be given.
    overrides
        The keys of a config that it takes as well.
    flags
        Its flags.
    option_groups
        Groups of options that its help lists; None for all groups of a run.
    actions
        Its actions, of which one is given first.
    bare
        Whether it does something without any argument; else it then shows its help.
    starts
        Whether another command line follows, which is not its own to read.
    hidden
        Whether only Baryon's own scripts call it.

    """

    name: str
    summary: str
    description: str = ""
    examples: tuple[tuple[str, str], ...] = ()
    arguments: tuple[Argument, ...] = ()
    word: Argument | None = None
    either: tuple[str, ...] = ()
    overrides: Overrides | None = None
    flags: tuple[Flag, ...] = ()
    option_groups: tuple[str, ...] | None = ()
    actions: tuple[Command, ...] = ()
    bare: bool = False
    starts: bool = False
    hidden: bool = False

    @property
    def module(self) -> str:
        """Return the module whose `run` does it."""
        return f"baryon.commands.{self.name.replace(' ', '_')}"

    @property
    def last_name(self) -> str:
        """Return its name among the actions or commands beside it."""
        return self.name.rpartition(" ")[2]

    def argument(self, name: str) -> Argument | None:
        """Return the argument of that name, if it has one."""
        return next((argument for argument in self.arguments if argument.name == name), None)

    def action(self, name: str) -> Command | None:
        """Return the action of that name, if it has one."""
        return next((action for action in self.actions if action.last_name == name), None)


@dataclass(frozen=True)
class Arguments:
    """What was given to a command, checked: the values by argument, and the overrides.

    An argument or flag that was not given is None; one that may be repeated is an empty list.
    `rest` is the command line that follows, for a command that starts another.
    """

    values: Mapping[str, Any]
    overrides: Sequence[str] = ()
    rest: Sequence[str] = ()

    def __getitem__(self, name: str) -> Any:
        """Return an argument's value."""
        return self.values[name]
