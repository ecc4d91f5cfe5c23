"""Resume the sweep that a folder holds, only with the versions that began it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from baryon import __version__
from baryon.errors import BaryonError
from baryon.plugins.registry import Plugins
from baryon.runs import sweep_file
from baryon.runs.sweep_file import SweepFile
from baryon.system.plain_data import fits, is_mapping, is_text

BEGIN_ANEW = "begin a new sweep by sweep.fresh=true"


def read_or_new(folder: Path, plugins: Plugins) -> SweepFile:
    """Read the sweep of a folder, or make an empty one named after the folder.

    Raises `BaryonError` for one of other versions of Baryon or a plugin, or one that is damaged.
    """
    versions = plugin_versions(plugins)
    if not (folder / sweep_file.NAME).is_file():
        return SweepFile(folder.name.removeprefix("sweep-"), versions)
    try:
        values = sweep_file.read_values(folder)
        # Before all else: another version may write a file of another shape.
        _require_same_versions(folder, values, versions)
        return sweep_file.parse(folder, values)
    except BaryonError as error:
        text = str(error)
        raise BaryonError(text if BEGIN_ANEW in text else f"{text}: {BEGIN_ANEW}") from error


def plugin_versions(plugins: Plugins) -> dict[str, str]:
    """Return the distribution and version of every plugin, by its name."""
    return {plugin.name: f"{plugin.distribution} {plugin.version}" for plugin in plugins.all}


def _require_same_versions(
    folder: Path, values: Mapping[str, Any], installed: Mapping[str, str]
) -> None:
    if not fits(values, {"version": is_text, "plugins": is_mapping}):
        return  # `parse` refuses such a file
    pairs = {"baryon": (values["version"], __version__)} | {
        f"plugin {name!r}": (version, installed.get(name, "not installed"))
        for name, version in values["plugins"].items()
    }
    for what, (then, now) in pairs.items():
        # Jobs that other code computed cannot be compared with those that are still to come.
        if then != now:
            raise BaryonError(
                f"{folder} is a sweep of {what} {then}, here is {now}: install that version, or "
                f"{BEGIN_ANEW}"
            )
