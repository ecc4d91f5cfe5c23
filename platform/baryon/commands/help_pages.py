"""Print the help of commands, made of their entries in the table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from baryon.commands.arguments import Command

WIDTH = 80
"""Columns of a usage line: those of the smallest terminal that people still use."""


def overview(commands: Sequence[Command]) -> str:
    """Return the help of `baryon` itself: its commands, a line each."""
    return "\n".join(
        [
            "usage: baryon <command> [key=value ...]",
            "",
            *_rows((command.name, command.summary) for command in commands),
            "",
            "`baryon <command> --help` says more about each; for example:",
            "  baryon train experiment=hep_demo",
            "  baryon train dataset=hep_images model=hep_cnn train.learning_rate=3e-4",
        ]
    )


def page(command: Command) -> str:
    """Return the help of a command, without the options of its config."""
    actions = [action for action in command.actions if not action.hidden]
    paragraphs = ["\n".join(usage(command))]
    if command.description:
        paragraphs.append(command.description)
    rows = list(_rows(_arguments(command)))
    if rows:
        paragraphs.append("\n".join(rows))
    if actions and not command.bare:
        paragraphs.append(
            "\n".join(_rows((action.last_name, action.summary) for action in actions))
        )
        paragraphs.append(f"`baryon {command.name} <action> --help` says more about each.")
    if command.examples:
        paragraphs.append("\n".join(_examples(command)))
    return "\n\n".join(paragraphs)


def usage(command: Command, start: str = "usage: ") -> list[str]:
    """Return the usage lines of a command, and of its actions where it does something alone."""
    actions = [action for action in command.actions if not action.hidden]
    if actions and not command.bare:
        return [f"{start}baryon {command.name} <action> [key=value ...]"]
    start += f"baryon {command.name}"
    indent = " " * len("usage: ")
    lines: list[str] = []
    for alternative in command.either or ("",):
        lines += _folded(start, list(_parts(command, alternative)))
        start = indent + start[len(indent) :]
    for action in actions:
        lines += usage(action, indent)
    return lines


def _parts(command: Command, alternative: str) -> Iterator[str]:
    """Generate what may stand in a usage line; of `command.either` only the alternative."""
    if command.word:
        shown = command.word.kind.placeholder
        yield shown if command.word.required else f"[{shown}]"
    yield from (f"[{flag.names[1]}]" for flag in command.flags if flag.kind is None)
    for argument in command.arguments:
        if argument.hidden or (argument.name in command.either and argument.name != alternative):
            continue
        shown = f"{argument.name}={argument.kind.placeholder}"
        yield shown if argument.required or argument.name == alternative else f"[{shown}]"
        if argument.repeated:
            yield f"[{shown} ...]"
    if command.overrides:
        yield from command.overrides.usage
    if command.starts:
        yield "<command> [key=value ...]"


def _folded(start: str, parts: Sequence[str]) -> list[str]:
    """Put the parts behind the start, in lines of at most `WIDTH` columns."""
    lines = [start]
    for part in parts:
        # A part is never broken: someone may copy it.
        if len(lines[-1]) + 1 + len(part) > WIDTH:
            lines.append(" " * len(start))
        lines[-1] += f" {part}"
    return lines


def _arguments(command: Command) -> Iterator[tuple[str, str]]:
    for argument in command.arguments:
        if argument.help and not argument.hidden:
            yield argument.name, argument.help
    for flag in command.flags:
        placeholder = f" {flag.kind.placeholder}" if flag.kind else ""
        yield ", ".join((flag.names[1], flag.names[0] + placeholder)), flag.help


def _rows(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    known = list(rows)
    width = max((len(name) for name, _ in known), default=0)
    return (f"  {name:<{width}}  {text}" for name, text in known)


def _examples(command: Command) -> Iterator[str]:
    for line, remark in command.examples:
        yield f"  baryon {line}" + (f"   ({remark})" if remark else "")


def show(command: Command) -> None:
    """Print the help of a command, with the options that can be chosen where it composes a config.

    Errors of plugins are shown below it: their options are missing.
    """
    print(page(command))  # noqa: T201  rich, which `say` imports, takes longer than all the rest
    if command.option_groups != ():
        print()  # noqa: T201
        _show_options(command.option_groups)


def _show_options(groups: Sequence[str] | None) -> None:
    from baryon.config.options import Options
    from baryon.plugins.registry import discover
    from baryon.terminal import console
    from baryon.terminal.tables import fitted_text

    # Not `checked_plugins`: the help is most needed where something is broken.
    plugins = discover()
    options = Options(plugins)
    # Names alone: with a line for each option the help would outgrow a screen; `show` has those.
    rows = [
        (group, ", ".join(option.name for option in options.of(group)))
        for group in groups or options.groups
    ]
    width = console.console().width
    console.show(fitted_text(("group", "options"), rows, width, boxed=False))
    console.say(
        "\n`baryon show <group>` says what they are, `baryon show <group>/<option>` all of one."
    )
    for problem in plugins.problems():
        console.refuse(f"error: {problem}")
