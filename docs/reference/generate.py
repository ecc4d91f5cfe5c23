"""Write the pages of options and commands: `python docs/reference/generate.py`.

Their texts are those of `baryon show` and `baryon <command> --help`; a test fails where they
differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from baryon.commands import help_pages
from baryon.commands.arguments import Command
from baryon.commands.show import CONFIG, MEANINGS
from baryon.commands.table import COMMANDS
from baryon.config import primary
from baryon.config.option_document import Key
from baryon.config.options import HOST, Option, Options, primary_keys
from baryon.plugins.registry import discover

FOLDER = Path(__file__).parent
NOTE = "<!-- Written by docs/reference/generate.py: do not edit. -->"
OURS = "baryon"
"""The distribution whose options are listed; other installed packages have docs of their own."""


def configuration() -> str:
    """Return the page of all options with their keys, as `baryon show` lists them."""
    plugins = discover()
    options = Options(plugins)
    owners = {HOST, *(plugin.name for plugin in plugins.all if plugin.distribution == OURS)}
    others = sorted({option.group for option in options.all} - set(options.groups))
    groups = [group for group in (*options.groups, *others) if group in MEANINGS]
    text = [
        NOTE,
        "# Configuration",
        "Every key that can be given on the command line, with its default. An option is chosen by "
        "`group=option`, a key set by `key=value`. `baryon show` lists the options of packages "
        "that you installed as well; `baryon show <group>/<option>` says what an option's author "
        "wrote about it.",
        "## The run itself",
        *_keys("", primary_keys(primary.RUN), f"baryon show {CONFIG}"),
    ]
    for group in groups:
        text.append(f"## {group}: {MEANINGS[group]}")
        for option in options.of(group):
            if option.owner in owners:
                text += _option(option, options)
    return "\n\n".join(text) + "\n"


def _option(option: Option, options: Options) -> Iterator[str]:
    yield f"### {option.group}={option.name}"
    origin = "Baryon itself" if option.owner == HOST else f"plugin `{option.owner}`"
    sentences = [f"{_cell(option.meaning)}. From {origin}"]
    bases = [f"`{option.group}={name}`" for name in option.document.base]
    chosen = [f"`{group}={name}`" for group, name in options.chosen(option).items()]
    sentences += [f"starts from {', '.join(bases)}"] * bool(bases)
    sentences += [f"chooses {', '.join(chosen)}"] * bool(chosen)
    yield "; ".join(sentences) + "."
    prefix = "" if option.document.is_global else f"{option.group}."
    keys = [key for key in options.keys(option) if prefix == "" or key.name != "name"]
    yield from _keys(prefix, keys, f"baryon show {option.group}/{option.name}")


def _keys(prefix: str, keys: Sequence[Key], command: str) -> Iterator[str]:
    if not keys:
        yield f"It has no keys (`{command}`)."
        return
    rows = [(f"`{prefix}{key.name}`", _code(key.default), _cell(key.comment)) for key in keys]
    yield _table(("key", "default", "what it is"), rows)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _code(text: str) -> str:
    return f"`{_piped(text)}`" if text else ""


def _cell(text: str) -> str:
    return _piped(text).replace("<", "&lt;").replace("*", "\\*")


def _piped(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def commands() -> str:
    """Return the page of all commands, as their `--help` has them."""
    text = [
        NOTE,
        "# Command line",
        "What `baryon --help` and `baryon <command> --help` print.",
        f"```text\n{help_pages.overview(COMMANDS)}\n```",
    ]
    for command in COMMANDS:
        text += _command(command, "##")
    return "\n\n".join(text) + "\n"


def _command(command: Command, level: str) -> Iterator[str]:
    if command.hidden:
        return
    yield f"{level} baryon {command.name}"
    yield f"```text\n{help_pages.page(command)}\n```"
    for action in command.actions:
        yield from _command(action, f"{level}#")


PAGES = {"configuration.md": configuration, "command-line.md": commands}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")
