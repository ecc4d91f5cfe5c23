"""Read the command line of a command by its entry in the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from baryon.commands.arguments import HELP_FLAGS, Argument, Arguments, Command
from baryon.errors import BaryonError, did_you_mean

if TYPE_CHECKING:
    from argparse import ArgumentParser


def find(commands: Sequence[Command], words: Sequence[str]) -> tuple[Command | None, Sequence[str]]:
    """Return the command, or action of one, that the words begin with, and the words behind it.

    None if there is no such command. A command with actions is returned itself if none of them is
    named.
    """
    named = [command for command in commands if words and command.last_name == words[0]]
    if not named:
        return None, words
    action, rest = find(named[0].actions, words[1:])
    return (action, rest) if action else (named[0], words[1:])


def wants_help(command: Command, words: Sequence[str]) -> bool:
    """Return whether the help is asked for, or nothing is given to a command that needs words."""
    if not words:
        return not command.bare
    # Behind the beginning of a command that starts another, --help is the other's.
    return any(word in HELP_FLAGS for word in (words[:1] if command.starts else words))


def parse(command: Command, words: Sequence[str]) -> Arguments:
    """Check what was given to a command.

    Parameters
    ----------
    command
        The command's entry in the table.
    words
        The words of the command line behind its name.

    Raises
    ------
    BaryonError
        For a word that it does not take, a wrong value, or an argument that is missing.

    """
    flags, words = _flags(command, words)
    own_words, rest = _own(command, words)
    values: dict[str, Any] = {argument.name: None for argument in command.arguments}
    values |= {argument.name: [] for argument in command.arguments if argument.repeated}
    if command.word:
        values[command.word.name] = None
    overrides = []
    for word in own_words:
        argument, text = _read_word(command, word, values)
        # A key of the config is checked here for its form, and by the schema for its meaning.
        if argument is None or argument.of_config:
            overrides.append(word)
        if argument is not None:
            _set(values, argument, argument.kind.read(word, text))
    _require_all(command, values)
    return Arguments(values | flags, overrides, rest)


def _set(values: dict[str, Any], argument: Argument, value: Any) -> None:
    if argument.repeated:
        values[argument.name].append(value)
    elif values[argument.name] is None:
        values[argument.name] = value
    else:
        # Which of the two is meant, nobody can tell: the last one, as shells have it, would be a
        # guess.
        raise BaryonError(f"{argument.name}= is given twice")


def _own(command: Command, words: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Split off the command line that follows, from its first bare word on."""
    if not command.starts:
        return words, ()
    # Only its own arguments are of the form name=value, a command begins with its name.
    place = next((place for place, word in enumerate(words) if "=" not in word), len(words))
    return words[:place], words[place:]


def _read_word(
    command: Command, word: str, values: Mapping[str, Any]
) -> tuple[Argument | None, str]:
    """Return the argument that a word gives, and its text; None for an override."""
    name, equals, text = word.partition("=")
    argument = command.argument(name) if equals else None
    if argument is not None:
        if not text:
            raise BaryonError(f"give {name}={argument.kind.placeholder}")
        return argument, text
    if command.word and values[command.word.name] is None:
        return command.word, word
    # Where options are chosen, Hydra has the better message for a word without "=".
    if not equals and not command.flags:
        raise _not_taken(command, word)
    overrides = command.overrides
    if overrides is None:
        raise _not_taken(command, word)
    if overrides.only and not word.startswith(overrides.only):
        names = [argument.name for argument in command.arguments]
        raise BaryonError(
            f"{command.name} cannot change {name!r:.80}; choose from: "
            f"{', '.join([*names, *overrides.only])}"
        )
    return None, ""


def _not_taken(command: Command, word: str) -> BaryonError:
    name, equals, _ = word.partition("=")
    if command.word and not equals:
        return BaryonError(
            f"{command.name} takes one {command.word.kind.placeholder}, not {word!r:.80} as well"
        )
    if not equals and not command.actions:
        return BaryonError(f"{word!r:.80} is not of the form key=value")
    names = [f"{argument.name}=" for argument in command.arguments if not argument.hidden]
    names += [action.last_name for action in command.actions if not action.hidden]
    return BaryonError(
        f"{command.name} takes no {name + equals!r:.80}; {did_you_mean(names, name + equals)}"
    )


def _require_all(command: Command, values: dict[str, Any]) -> None:
    word = command.word
    if word and word.required and values[word.name] is None:
        raise BaryonError(f"give {word.kind.placeholder}: {word.help}")
    for argument in command.arguments:
        if argument.required and values[argument.name] in (None, []):
            raise BaryonError(f"give {argument.name}={argument.kind.placeholder}")
    given = [name for name in command.either if values[name] not in (None, [])]
    if command.either and len(given) != 1:
        shown = [f"{name}={_kind(command, name)}" for name in command.either]
        raise BaryonError(f"give {' or '.join(shown)}, one of them")


def _kind(command: Command, name: str) -> str:
    argument = command.argument(name)
    return argument.kind.placeholder if argument else ""


def _flags(command: Command, words: Sequence[str]) -> tuple[dict[str, Any], Sequence[str]]:
    """Split off the flags. Raises `BaryonError` for one that the command does not have."""
    if not command.flags:
        return {}, words
    # Flags first: argparse takes no bare words on both sides of a flag.
    parsed = _parser(command).parse_args(sorted(words, key=is_override))
    flags = vars(parsed)
    return flags, flags.pop("words")


def is_override(word: str) -> bool:
    """Return whether a word is `key=value` or `~key`, and no flag."""
    return word.startswith("~") or ("=" in word and not word.startswith("-"))


def _parser(command: Command) -> ArgumentParser:
    from argparse import ArgumentParser

    names = ", ".join(", ".join(reversed(flag.names)) for flag in command.flags)

    # argparse would print its own usage and exit with 2, as no other wrong word does.
    class Parser(ArgumentParser):
        def error(self, message: str) -> Any:
            raise BaryonError(
                f"{message}; options are given as group=option, keys as key=value, without dashes; "
                f"the flags are {names}"
            )

    # No abbreviations: a flag that is added later would make them ambiguous.
    parser = Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("words", nargs="*")
    for flag in command.flags:
        if flag.kind is None:
            parser.add_argument(*flag.names, dest=flag.name, action="store_true")
        else:
            words = getattr(flag.kind, "words", None)
            parser.add_argument(*flag.names, dest=flag.name, choices=words)
    return parser
