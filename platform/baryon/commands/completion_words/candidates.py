"""The words that can stand where the cursor is. Asked at every press of a key: nothing heavy."""

from __future__ import annotations

import importlib
import re
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType

from baryon.commands.table import COMMANDS
from baryon.config.options import Option, Options, primary_keys
from baryon.errors import BaryonError
from baryon.plugins.registry import discover

RUN_FOLDERS = "runs"
OWN_KEY = re.compile(r"\b(?P<key>[a-z_]+)=(?P<values><[^>]*>|[\w|.]+)")
"""In the first line of a command's usage: `run=<dir>`, `split=test|val|train`."""
PLAIN = re.compile(r"[\w./=,:@+-]+")
"""Words in which a shell sees nothing to do. Names of folders can hold anything, such as $(...):
what is put into a command line must not run."""


def candidates(line: str) -> list[str]:
    """The whole words that the last, unfinished one of a command line may become."""
    words, started = _split(line)
    found = _after(words[1:], started)
    fitting = {word for word in found if word.startswith(started) and word != started}
    return sorted(word for word in fitting if PLAIN.fullmatch(word))


def _split(line: str) -> tuple[list[str], str]:
    """The finished words and the unfinished one; an open quote belongs to the last."""
    try:
        words = shlex.split(line)
    except ValueError:
        words = line.split()
    if not line or line[-1].isspace():
        return words, ""
    return words[:-1], words[-1]


def _after(words: Sequence[str], started: str) -> Iterable[str]:
    if not words:
        return [*COMMANDS, "--help", "--version"]
    command_name, *rest = words
    if command_name == "launch" and rest:
        return _after(rest[1:], started)
    module = _module(command_name, rest)
    if module is None:
        return []
    actions = getattr(module, "ACTIONS", None)
    if actions:
        return [*actions, "--help"]
    if command_name == "show":
        options = Options(discover()).all
        return [*(f"{one.group}/{one.name}" for one in options), "config"]
    usage = getattr(module, "USAGE", "").partition("\n\n")[0]
    first = [] if rest else _first_words(command_name, usage)
    return [*first, *_own(usage, started), *_configured(usage, rest, started), "--help"]


def _module(command_name: str, rest: Sequence[str]) -> ModuleType | None:
    if command_name not in COMMANDS:
        return None
    module = importlib.import_module(f"baryon.commands.{command_name}")
    actions = getattr(module, "ACTIONS", {})
    return (
        importlib.import_module(f"{module.__name__}_{rest[0]}")
        if rest[:1] and rest[0] in actions
        else module
    )


def _first_words(command_name: str, usage: str) -> list[str]:
    """`bash|zsh` of a usage `baryon completion bash|zsh`, `new` of `baryon plugins new <name>`."""
    found = re.findall(rf"baryon {command_name} ([a-z][a-z|]*)(?![a-z|=])", usage)
    return [word for words in found for word in words.split("|")]


def _own(usage: str, started: str) -> list[str]:
    """The keys that a command's usage names, and their values where it names these too."""
    found = []
    for match in OWN_KEY.finditer(usage):
        key, values = match["key"], match["values"]
        if key in ("key", "group"):
            continue
        found.append(f"{key}=")
        if key == "run" and started.startswith("run="):
            found += [f"run={path}" for path in _runs(started.removeprefix("run="))]
        elif not values.startswith("<"):
            found += [f"{key}={value}" for value in values.split("|")]
    return found


def _runs(started: str) -> list[str]:
    """Folders of runs beside what was started to be written."""
    parent = Path(started.rpartition("/")[0] or RUN_FOLDERS)
    return [path.parent.as_posix() for path in parent.glob("*/config.yaml")]


def _configured(usage: str, words: Sequence[str], started: str) -> list[str]:
    """Groups, options and keys, for a command that composes a config."""
    options = Options(discover())
    if "dataset=<name>" in usage and "generate" in usage:
        return _generating(options, words, started)
    if "group=" not in usage and "dataset=<name>" not in usage:
        return []
    chosen = _chosen(words, options)
    keys = [f"{group}.{key}" for group, one in chosen.items() for key in _names(one, options)]
    keys += [key.name for key in primary_keys("config")]
    return [*_options(options, started), *_near(keys, started)]


def _generating(options: Options, words: Sequence[str], started: str) -> list[str]:
    names = [word.partition("=")[2] for word in words if word.startswith("dataset=")]
    found = {one.name: one for one in options.of("generate")}
    keys = [f"generate.{key}" for n in names if n in found for key in _names(found[n], options)]
    return [*(f"dataset={name}" for name in found), *_near(keys, started)]


def _options(options: Options, started: str) -> list[str]:
    """`group=`, and behind it the options; of `a,b` in a sweep the last one."""
    groups = options.groups
    found = [f"{group}=" for group in groups]
    group, equals, given = started.partition("=")
    if equals and group in groups:
        before = given[: given.rfind(",") + 1]
        found += [f"{group}={before}{option.name}" for option in options.of(group)]
    return found


def _near(keys: Iterable[str], started: str) -> list[str]:
    """The keys of a section once its name is there, the sections' names until then."""
    if "." in started:
        return [f"{key}=" for key in keys]
    return [
        f"{section}." if dot else f"{section}="
        for section, dot, _ in (k.partition(".") for k in keys)
    ]


def _names(option: Option, options: Options) -> list[str]:
    try:
        return [key.name for key in options.keys(option) if key.name != "name"]
    except BaryonError:  # its file is broken, which the command itself will say
        return []


def _chosen(words: Sequence[str], options: Options) -> dict[str, Option]:
    """The option of each group: what the words say, the experiment, the dataset, the default."""
    said = dict(word.split("=", 1) for word in words if "=" in word)
    by_experiment = _brought("experiment", said.get("experiment"), options)
    dataset = said.get("dataset", by_experiment.get("dataset"))
    by_dataset = _brought("dataset", dataset, options)
    chosen = {"train": "default", "comm": "serial", **by_dataset, **by_experiment, **said}
    return {one.group: one for one in options.all if chosen.get(one.group) == one.name}


def _brought(group: str, name: str | None, options: Options) -> dict[str, str]:
    """What an option chooses of other groups."""
    try:
        return options.chosen(options.get(group, name)) if name else {}
    except BaryonError:  # there is no such option, or its file is broken
        return {}
