"""Look up the options of the host and of all plugins, to show them or to complete a word.

What a run gets is Hydra's business alone (`baryon.config.compose`). Here the files are only read:
Hydra takes a third of a second, which a press of the Tab key may not take, and drops comments.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from baryon.config.option_document import Document, Key, first_comment
from baryon.config.primary import PRIMARY
from baryon.errors import BaryonError, did_you_mean
from baryon.plugins.registry import KINDS, Plugins, host_conf

FIRST_GROUPS = ("experiment", *KINDS, "train")
NOT_OF_A_RUN = tuple(PRIMARY)
"""Groups of options that other commands than `train` choose from."""
HOST = "baryon"


@dataclass(frozen=True)
class Option:
    """A config option, `group=name`, of the plugin `owner` or of the host."""

    group: str
    name: str
    path: Path
    owner: str

    @property
    def meaning(self) -> str:
        """Return the first comment of its file, which says what it is."""
        return first_comment(self.path)

    @cached_property
    def document(self) -> Document:
        """Read its file. Raises `BaryonError` if that is no YAML."""
        return Document(self.path)


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
        """Return the groups that a run is made of: the five choices first."""
        names = {option.group for option in self.all}
        others = sorted(names - {*FIRST_GROUPS, *NOT_OF_A_RUN})
        return [group for group in (*FIRST_GROUPS, *others) if group in names]

    def of(self, group: str) -> list[Option]:
        """Return the options of a group, by name."""
        members = [option for option in self.all if option.group == group]
        return sorted(members, key=lambda option: option.name)

    def get(self, group: str, name: str) -> Option:
        """Look an option up. Raises `BaryonError` with what exists."""
        by_name = {option.name: option for option in self.of(group)}
        if not by_name:
            groups = {option.group for option in self.all}
            raise BaryonError(
                f"there is no group {group!r} of options; {did_you_mean(groups, group)}"
            )
        if name not in by_name:
            from baryon.plugins import not_installed  # which a press of the Tab key never needs

            reason = not_installed.reason(group, name)
            known = did_you_mean(by_name, name)
            raise BaryonError(f"no option {group}={name}; {known}{'; ' * bool(reason)}{reason}")
        return by_name[name]

    def chosen(self, option: Option) -> dict[str, str]:
        """Return the options of other groups that it chooses, itself or by what it starts from."""
        options: dict[str, str] = {}
        for name in option.document.base:
            options |= self.chosen(self.get(option.group, name))
        return options | option.document.chosen

    def keys(self, option: Option) -> list[Key]:
        """Return its keys, with those of the options that it starts from."""
        keys: dict[str, Key] = {}
        for name in option.document.base:
            keys |= {key.name: key for key in self.keys(self.get(option.group, name))}
        for key in option.document.keys:
            inherited = keys.get(key.name)
            # An overlay need not explain a key again that it only changes.
            comment = key.comment or (inherited.comment if inherited else "")
            keys[key.name] = Key(key.name, key.default, comment)
        return list(keys.values())


def primary_keys(config_name: str) -> list[Key]:
    """Return the keys of one of the host's primary configs that belong to no group."""
    return Document(host_conf() / f"{config_name}.yaml").keys
