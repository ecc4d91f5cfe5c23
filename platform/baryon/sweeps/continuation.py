"""Go on with the sweep that a folder holds: only with the versions that have begun it."""

from __future__ import annotations

from pathlib import Path

from baryon import __version__
from baryon.errors import BaryonError
from baryon.plugins.registry import Plugins
from baryon.runs import sweep_file
from baryon.runs.sweep_file import SweepFile

BEGIN_ANEW = "begin a new sweep by sweep.fresh=true"


def read_or_new(folder: Path, plugins: Plugins) -> SweepFile:
    """Read the sweep of a folder, or make an empty one named after the folder.

    Raises `BaryonError` for one of other versions of Baryon or a plugin, or one that is damaged.
    """
    versions = plugin_versions(plugins)
    if not (folder / sweep_file.NAME).is_file():
        return SweepFile(folder.name.removeprefix("sweep-"), versions)
    try:
        sweep = sweep_file.read(folder)
    except BaryonError as error:
        raise BaryonError(f"{error}: {BEGIN_ANEW}") from error
    _require_same_versions(folder, sweep, versions)
    return sweep


def plugin_versions(plugins: Plugins) -> dict[str, str]:
    """Return every plugin with its distribution and version."""
    return {plugin.name: f"{plugin.distribution} {plugin.version}" for plugin in plugins.all}


def _require_same_versions(folder: Path, sweep: SweepFile, installed: dict[str, str]) -> None:
    pairs = {"baryon": (sweep.version, __version__)} | {
        f"plugin {name!r}": (then, installed.get(name, "not installed"))
        for name, then in sweep.plugins.items()
    }
    for what, (then, now) in pairs.items():
        # Jobs that other code computed cannot be compared with those that are still to come.
        if then != now:
            raise BaryonError(
                f"{folder} is a sweep of {what} {then}, but {now} is installed: install that "
                f"version, or {BEGIN_ANEW}"
            )
