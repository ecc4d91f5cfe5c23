"""Find the mistake in an option file that is behind an error of Hydra, which names its consequence.

Hydra says that no dataset is chosen where the experiment that chooses one lacks its first line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from baryon.errors import did_you_mean
from baryon.plugins import not_installed

PACKAGE = re.compile(r"#\s*@package\s+(\S+)")
GLOBAL = "_global_"
ENTRY = re.compile(
    r"\s*-\s*(?P<override>override\s+)?/?(?P<group>[\w/]+)(?:@(?P<package>[\w.]+))?\s*:\s*(?P<name>\S+)"
)
"""An entry of a defaults list that chooses an option of a group."""
NO_OVERRIDE = re.compile(r"In '(?P<option>[^']+)': Could not override '(?P<what>[^']+)'")
TWICE = re.compile(r"(?P<what>\S+) appears more than once in the final defaults list")
NO_OPTION = re.compile(r"no option (?P<group>[\w/]+)=(?P<name>[^;]+);")
EXPERIMENT = "experiment"


@dataclass(frozen=True)
class _Entry:
    """A line of a defaults list."""

    path: Path
    line: int
    text: str
    override: bool
    group: str
    name: str

    @property
    def place(self) -> str:
        return f"{self.path}, line {self.line}"


class OptionMistakes:
    """The option files that a config was to be composed of.

    Parameters
    ----------
    folders
        Where options are: of the host, the plugins and the user.
    groups
        Groups of which a run has one option each.
    overrides
        What was given on the command line.

    """

    def __init__(
        self, folders: Sequence[Path], groups: Sequence[str], overrides: Sequence[str]
    ) -> None:
        self._folders, self._groups = folders, groups
        pairs = [override.partition("=") for override in overrides]
        self._given = {key: value for key, _, value in pairs}

    def explain(self, message: str) -> str:
        """Return a message that names the cause; the same one if no file is at fault."""
        return (
            self._not_global()
            or self._wrong_override(message)
            or self._missing_override(message)
            or self._missing_option(message)
            or message
        )

    def _not_global(self) -> str:
        path = self._file(EXPERIMENT, self._given.get(EXPERIMENT, ""))
        return "" if path is None else experiment_mistake(path)

    def _wrong_override(self, message: str) -> str:
        match = NO_OVERRIDE.search(message)
        if not match:
            return ""
        group, _, name = match["option"].rpartition("/")
        written = match["what"].partition("@")[0]
        path = self._file(group, name)
        entry = next((e for e in _entries(path) if e.group == written), None) if path else None
        if entry is None:
            return ""
        if written not in self._groups:
            known = did_you_mean(self._groups, written)
            return f"{entry.place}: `{entry.text}` names no group of a run: {known}"
        return f"{entry.place}: `{entry.text}` must be `{_right(group, entry)}`"

    def _missing_override(self, message: str) -> str:
        match = TWICE.search(message)
        if not match:
            return ""
        written = match["what"].partition("@")[0]
        for group, entry in self._chosen_entries():
            if entry.group == written and not entry.override:
                return (
                    f"{entry.place}: `{entry.text}` chooses a {written} beside the one that a run "
                    f"has already: write `{_right(group, entry)}`"
                )
        return ""

    def _missing_option(self, message: str) -> str:
        match = NO_OPTION.search(message)
        if not match:
            return ""
        group, name = match["group"], match["name"]
        for _, entry in self._chosen_entries():
            if (entry.group, entry.name) == (group, name) and self._given.get(group) != name:
                message += f" ({entry.place}: `{entry.text}`)"
        reason = not_installed.reason(group, name)
        return f"{message}; {reason}" if reason else message

    def _chosen_entries(self) -> Iterator[tuple[str, _Entry]]:
        """Generate the entries of all options that the command line chose, and of theirs."""
        waiting = [(key, value) for key, value in self._given.items() if key in self._groups]
        seen: set[Path] = set()
        while waiting:
            group, name = waiting.pop(0)
            path = self._file(group, name)
            if path is None or path in seen:
                continue
            seen.add(path)
            for entry in _entries(path):
                yield group, entry
                waiting.append((entry.group, entry.name))

    def _file(self, group: str, name: str) -> Path | None:
        paths = [folder / group / f"{name}.yaml" for folder in self._folders if group and name]
        return next((path for path in paths if path.is_file()), None)


def experiment_mistake(path: Path) -> str:
    """Return what is wrong with the head of an experiment's file; "" if nothing is."""
    if _package(path) == GLOBAL:
        return ""
    return (
        f"{path}: its first line must be `# @package {GLOBAL}`, for an experiment's keys are those "
        "of the whole config; without it they are taken for keys of `experiment`"
    )


def _right(group: str, entry: _Entry) -> str:
    """Return the entry as it is written in an option of a group."""
    # Within an experiment the package is the whole config, as in the primary one.
    package = "" if group == EXPERIMENT else f"@{GLOBAL}.{entry.group}"
    return f"override /{entry.group}{package}: {entry.name}"


def _package(path: Path) -> str:
    """Return the package that the head of an option file gives it, "" without one."""
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.strip() and not line.startswith("#"):
            break
        if match := PACKAGE.match(line):
            return match[1]
    return ""


def _entries(path: Path) -> list[_Entry]:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    matches = [(number, line, ENTRY.match(line)) for number, line in enumerate(lines, 1)]
    return [
        _Entry(
            path=path,
            line=number,
            text=line.strip().removeprefix("-").partition("#")[0].strip(),
            override=bool(match["override"]),
            group=match["group"],
            name=match["name"],
        )
        for number, line, match in matches
        if match
    ]
