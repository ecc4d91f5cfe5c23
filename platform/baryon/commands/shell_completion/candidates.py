"""Find the words that a command line may go on with.

A shell asks at every press of the Tab key, instead of keeping a list: plugins come and go, and keys
depend on what is chosen. So nothing heavy is imported here; options are read without Hydra.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from baryon.commands.arguments import FROZEN, GENERATE, REPACK, RUN, Command
from baryon.commands.kinds import Choice
from baryon.commands.parsing import find
from baryon.commands.table import COMMANDS
from baryon.config.options import Option, Options, primary_keys
from baryon.config.primary import DATA_REPACK
from baryon.config.primary import RUN as RUN_CONFIG
from baryon.errors import BaryonError
from baryon.plugins.registry import discover

PLAIN = re.compile(r"[\w./=,:@+-]+")
"""Words in which a shell sees nothing to do. Names of folders can hold anything, such as $(...):
what is put into a command line must not run."""


def candidates(line: str) -> list[str]:
    """Return the whole words that the last, unfinished one of a command line may become."""
    words, started = _split(line)
    possible = _after(words[1:], started)
    # Shells differ in what they filter themselves, so nothing is left to them.
    fitting = {word for word in possible if word.startswith(started) and word != started}
    return sorted(word for word in fitting if PLAIN.fullmatch(word))


def _split(line: str) -> tuple[list[str], str]:
    """Return the finished words and the unfinished one; an open quote belongs to the last."""
    try:
        words = shlex.split(line)
    except ValueError:
        # A quote is still open, as it is while somebody types.
        words = line.split()
    if not line or line[-1].isspace():
        return words, ""
    return words[:-1], words[-1]


def _after(words: Sequence[str], started: str) -> Iterable[str]:
    if not words:
        return [*(command.name for command in COMMANDS), "--help", "--version"]
    command, rest = find(COMMANDS, words)
    if command is None:
        return []
    if command.starts and rest:
        return _after(rest[1:], started)
    actions = [] if rest else [a.last_name for a in command.actions if not a.hidden]
    return [
        *actions,
        *([] if rest else _bare_words(command)),
        *_arguments(command, started),
        *_flags(command),
        *_overrides(command, rest, started),
        "--help",
    ]


def _bare_words(command: Command) -> list[str]:
    if command.name == "show":
        options = Options(discover()).all
        return [*(f"{option.group}/{option.name}" for option in options), "config"]
    kind = command.word.kind if command.word else None
    return kind.words if isinstance(kind, Choice) else []


def _flags(command: Command) -> list[str]:
    return [flag.names[0] for flag in command.flags]


def _arguments(command: Command, started: str) -> list[str]:
    """Return the arguments of a command, and the values of the one that is started."""
    name, equals, text = started.partition("=")
    words = [f"{argument.name}=" for argument in command.arguments if not argument.hidden]
    argument = command.argument(name) if equals else None
    if argument is not None:
        words += [f"{name}={value}" for value in argument.kind.complete(text)]
    return words


def _overrides(command: Command, words: Sequence[str], started: str) -> list[str]:
    """Return groups, options and keys of the config that a command takes overrides of."""
    if command.overrides is None:
        return []
    if command.overrides.of == REPACK:
        return [f"{key.name}=" for key in primary_keys(DATA_REPACK)]
    given = dict(word.split("=", 1) for word in words if "=" in word)
    if command.overrides.of == GENERATE:
        return _generating(Options(discover()), given.get("dataset", ""), started)
    if command.overrides.of == FROZEN:
        return _of_a_run(given, command.overrides.only, started)
    assert command.overrides.of == RUN
    options = Options(discover())
    chosen = _chosen(given, options)
    keys = [f"{group}.{key}" for group, option in chosen.items() for key in _keys(option, options)]
    keys += [key.name for key in primary_keys(RUN_CONFIG)]
    return [*_options(options, started), *_nearest(keys, started)]


def _generating(options: Options, dataset: str, started: str) -> list[str]:
    generators = {option.name: option for option in options.of("generate")}
    generator = generators.get(dataset)
    keys = [f"generate.{key}" for key in _keys(generator, options)] if generator else []
    return [*(f"dataset={name}" for name in generators), *_nearest(keys, started)]


def _of_a_run(given: Mapping[str, str], only: tuple[str, ...], started: str) -> list[str]:
    """Return the keys of a run's frozen config that the command may change."""
    from baryon.config.flatten import flat
    from baryon.system.plain_data import read_yaml

    if "run" not in given:
        return []
    try:
        values = read_yaml(Path(given["run"]) / "config.yaml")
    except BaryonError:  # there is no such run, which the command itself will say
        return []
    keys = [key for key in flat(values) if not only or f"{key}=".startswith(only)]
    chosen = [*_options(Options(discover()), started)] if "comm=" in only else []
    return [
        *(word for word in chosen if word.startswith("comm=")),
        *_nearest(keys, started),
    ]


def _options(options: Options, started: str) -> list[str]:
    """Return `group=`, and behind it the options; of `a,b` in a sweep the last one."""
    words = [f"{group}=" for group in options.groups]
    group, equals, text = started.partition("=")
    if equals and group in options.groups:
        # A shell replaces the whole word, not what stands behind its last comma.
        before = text[: text.rfind(",") + 1]
        words += [f"{group}={before}{option.name}" for option in options.of(group)]
    return words


def _nearest(keys: Iterable[str], started: str) -> list[str]:
    """Return the keys of a section once its name is there, the sections' names until then."""
    # Some hundred keys at once would hide the options that stand beside them.
    if "." in started:
        return [f"{key}=" for key in keys]
    sections = (key.partition(".") for key in keys)
    return [f"{section}." if dot else f"{section}=" for section, dot, _ in sections]


def _keys(option: Option, options: Options) -> list[str]:
    try:
        return [key.name for key in options.keys(option) if key.name != "name"]
    except BaryonError:  # its file is broken, which the command itself will say
        return []


def _chosen(given: Mapping[str, str], options: Options) -> dict[str, Option]:
    """Return the option of each group: as given, by the experiment, by the dataset, the default."""
    by_experiment = _chosen_by("experiment", given.get("experiment"), options)
    dataset = given.get("dataset", by_experiment.get("dataset"))
    by_dataset = _chosen_by("dataset", dataset, options)
    # In the order in which Hydra composes them: the later one wins.
    names = {"train": "default", "comm": "serial", **by_dataset, **by_experiment, **given}
    return {
        option.group: option for option in options.all if names.get(option.group) == option.name
    }


def _chosen_by(group: str, name: str | None, options: Options) -> dict[str, str]:
    """Return what an option chooses of other groups."""
    try:
        return options.chosen(options.get(group, name)) if name else {}
    except BaryonError:  # there is no such option, or its file is broken
        return {}
