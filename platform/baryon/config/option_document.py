"""Read an option's YAML file as a document for people: its keys, defaults and comments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baryon.errors import BaryonError

if TYPE_CHECKING:
    from yaml import Node

OTHER_GROUP = re.compile(r"override /?(?P<group>[\w/]+)")
"""How an entry of the defaults list begins that chooses the option of another group."""


@dataclass(frozen=True)
class Key:
    """One key of an option, as it is given on the command line without its group."""

    name: str
    default: str
    comment: str


class Document:
    """A YAML file with its comments, read without Hydra: fast enough to complete a word.

    Attributes
    ----------
    is_global
        Whether its keys are those of the whole config, as an experiment's are.
    keys
        Its own keys, without those that it takes over from another option.

    Raises
    ------
    BaryonError
        If the file is not valid YAML.

    """

    def __init__(self, path: Path) -> None:
        import yaml

        self._text = path.read_text(encoding="utf-8")
        self._lines = self._text.splitlines()
        try:
            # The nodes know where in the text they stand, and so which comment is theirs.
            root = yaml.compose(self._text, Loader=yaml.SafeLoader)
            self._values: dict[str, Any] = yaml.safe_load(self._text) or {}
        except yaml.YAMLError as error:
            raise BaryonError(
                f"{path} is not valid YAML: {' '.join(str(error).split())}"
            ) from error
        self.is_global = "# @package _global_" in self._text
        self.keys = [
            key for key in self._keys(root) if not key.name.startswith(("defaults", "hydra"))
        ]

    @property
    def base(self) -> list[str]:
        """Return the options of its own group that it starts from."""
        entries = self._values.get("defaults", [])
        # `_self_` says when its own keys are merged, which changes no meaning of a key.
        return [entry for entry in entries if isinstance(entry, str) and entry != "_self_"]

    @property
    def chosen(self) -> dict[str, str]:
        """Return the options of other groups that it chooses by itself."""
        options = {}
        for entry in self._values.get("defaults", []):
            for key, name in entry.items() if isinstance(entry, dict) else ():
                match = OTHER_GROUP.match(str(key))
                options[match["group"] if match else str(key).lstrip("/")] = str(name)
        return options

    def _keys(self, node: Node | None, prefix: str = "") -> Iterator[Key]:
        for key, value in node.value if node is not None else ():
            name = f"{prefix}{key.value}"
            if value.id == "mapping" and not value.flow_style:
                yield from self._keys(value, f"{name}.")
                continue
            source = self._text[value.start_mark.index : value.end_mark.index]
            yield Key(name, " ".join(source.split()), self._comment(key, value))

    def _comment(self, key: Node, value: Node) -> str:
        """Return the comment behind the value, else the lines above it that are not the head's."""
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
        # A block of text may end on the line after the file's last.
        return self._lines[number] if number < len(self._lines) else ""


def first_comment(path: Path) -> str:
    """Return the first line of a YAML file that is no package directive, if it is a comment."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("# @"):
            return line.removeprefix("#").strip() if line.startswith("#") else ""
    return ""
