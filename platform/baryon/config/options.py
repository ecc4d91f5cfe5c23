"""The YAML files of all options as documents: their keys, defaults and comments.

Hydra composes the config of a run (`baryon.config.config`). Here the files are only read, quickly,
to show them to a person or to complete a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baryon.config.config import PRIMARY
from baryon.errors import BaryonError, did_you_mean
from baryon.plugins.registry import KINDS, Plugins, host_conf

if TYPE_CHECKING:
    from yaml import Node

FIRST_GROUPS = ("experiment", *KINDS, "train")
NOT_OF_A_RUN = tuple(PRIMARY)
"""Groups of options that other commands than `train` choose from."""
HOST = "baryon"
OTHER_GROUP = re.compile(r"override /?(?P<group>[\w/]+)")


@dataclass(frozen=True)
class Key:
    """One key of an option, as it is given on the command line without its group."""

    name: str
    default: str
    comment: str


@dataclass(frozen=True)
class Option:
    """A config option, `group=name`, of plugin `owner` or of the host."""

    group: str
    name: str
    path: Path
    owner: str

    @property
    def meaning(self) -> str:
        """The first line of its file that is a comment."""
        return first_comment(self.path)

    @cached_property
    def document(self) -> Document:
        """What its file says."""
        return Document(self.path)


class Document:
    """A YAML file with its comments. Raises `BaryonError` if it is no YAML mapping."""

    def __init__(self, path: Path) -> None:
        import yaml

        self._text = path.read_text(encoding="utf-8")
        self._lines = self._text.splitlines()
        try:
            root = yaml.compose(self._text, Loader=yaml.SafeLoader)
            self._values: dict[str, Any] = yaml.safe_load(self._text) or {}
        except yaml.YAMLError as error:
            raise BaryonError(f"{path} is no YAML: {' '.join(str(error).split())}") from error
        self.is_global = "# @package _global_" in self._text
        self.keys = [
            key for key in self._keys(root) if not key.name.startswith(("defaults", "hydra"))
        ]
        """Without those that it takes over from another option."""

    @property
    def base(self) -> list[str]:
        """The options of its own group that it starts from."""
        entries = self._values.get("defaults", [])
        return [entry for entry in entries if isinstance(entry, str) and entry != "_self_"]

    @property
    def chosen(self) -> dict[str, str]:
        """The options of other groups that it chooses by itself."""
        found = {}
        for entry in self._values.get("defaults", []):
            for key, name in entry.items() if isinstance(entry, dict) else ():
                group = OTHER_GROUP.match(str(key))
                found[group["group"] if group else str(key).lstrip("/")] = str(name)
        return found

    def _keys(self, node: Node | None, prefix: str = "") -> Iterator[Key]:
        for key, value in node.value if node is not None else ():
            name = f"{prefix}{key.value}"
            if value.id == "mapping" and not value.flow_style:
                yield from self._keys(value, f"{name}.")
                continue
            source = self._text[value.start_mark.index : value.end_mark.index]
            yield Key(name, " ".join(source.split()), self._comment(key, value))

    def _comment(self, key: Node, value: Node) -> str:
        """Behind the value, else in the lines right above that are not the file's head."""
        # A list or text over several lines ends where the next key begins, or the file ends: the
        # comment that belongs to it stands behind its own key.
        is_block = value.style in ("|", ">") if value.id == "scalar" else not value.flow_style
        end = key.end_mark if is_block else value.end_mark
        behind = re.search(r"#\s*(.*)", self._line(end.line)[end.column :])
        if behind:
            return behind[1].strip()
        above: list[str] = []
        number = key.start_mark.line - 1
        while number >= 0 and self._lines[number].lstrip().startswith("#"):
            above.insert(0, self._lines[number].lstrip("# "))
            number -= 1
        return " ".join(above) if number >= 0 else ""

    def _line(self, number: int) -> str:
        """A line of the file; empty for the one after its last, where a block of text may end."""
        return self._lines[number] if number < len(self._lines) else ""


class Options:
    """All options of the host and of all plugins that can be read."""

    def __init__(self, plugins: Plugins) -> None:
        folders = [(host_conf(), HOST)]
        folders += [(plugin.conf, plugin.name) for plugin in plugins.all if plugin.conf]
        self.all = [
            Option(path.parent.name, path.stem, path, owner)
            for folder, owner in folders
            for path in folder.glob("*/*.yaml")
        ]

    @property
    def groups(self) -> list[str]:
        """Of what a run is made of, the choices first, then the others."""
        found = {one.group for one in self.all}
        others = sorted(found - {*FIRST_GROUPS, *NOT_OF_A_RUN})
        return [group for group in (*FIRST_GROUPS, *others) if group in found]

    def of(self, group: str) -> list[Option]:
        """By name."""
        return sorted((one for one in self.all if one.group == group), key=lambda one: one.name)

    def get(self, group: str, name: str) -> Option:
        """Look one up. Raises `BaryonError` with what exists."""
        found = {one.name: one for one in self.of(group)}
        if not found:
            groups = {one.group for one in self.all}
            raise BaryonError(
                f"there is no group {group!r} of options; {did_you_mean(groups, group)}"
            )
        if name not in found:
            raise BaryonError(f"no option {group}={name}; {did_you_mean(found, name)}")
        return found[name]

    def chosen(self, option: Option) -> dict[str, str]:
        """The options of other groups that it chooses, as those do that it starts from."""
        found: dict[str, str] = {}
        for name in option.document.base:
            found |= self.chosen(self.get(option.group, name))
        return found | option.document.chosen

    def keys(self, option: Option) -> list[Key]:
        """Its keys, with those of the options that it starts from."""
        found: dict[str, Key] = {}
        for name in option.document.base:
            found |= {key.name: key for key in self.keys(self.get(option.group, name))}
        for key in option.document.keys:
            inherited = found.get(key.name)
            comment = key.comment or (inherited.comment if inherited else "")
            found[key.name] = Key(key.name, key.default, comment)
        return list(found.values())


def primary_keys(config_name: str) -> list[Key]:
    """The keys of one of the host's primary configs that belong to no group."""
    return Document(host_conf() / f"{config_name}.yaml").keys


def first_comment(path: Path) -> str:
    """The first line of a YAML file that is a comment and no package directive."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("# @"):
            return line.removeprefix("#").strip() if line.startswith("#") else ""
    return ""
