"""Write a frozen config into a run's folder, and read it again with a few keys changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from baryon.config.command_line_keys import asked_for, obeying
from baryon.config.config import Config, thaw
from baryon.config.errors import one_line
from baryon.config.option_values import option_values
from baryon.errors import BaryonError
from baryon.launch.environment import cluster_environment
from baryon.plugins.registry import Plugins
from baryon.system.atomic import write_text
from baryon.system.plain_data import LARGEST_YAML, interpolations, read_yaml
from baryon.terminal.console import warn
from baryon.terminal.credentials import without_credentials

HOST_SECTIONS = ("train", "run", "data", "tracking")


def write(config: Config, path: Path) -> None:
    """Write the config as YAML. Raises `BaryonError` for one that `read` would not take."""
    from omegaconf import OmegaConf

    # OmegaConf's writer quotes texts that YAML would read as something else, such as `1e-3`.
    text = OmegaConf.to_yaml(OmegaConf.create(dict(config.values)))
    if len(text.encode()) > LARGEST_YAML:
        raise BaryonError(
            f"the config takes more than {LARGEST_YAML:,} bytes: give files as a pattern, not one "
            "by one"
        )
    write_text(path, text)


def read(
    path: Path,
    overrides: Sequence[str] = (),
    plugins: Plugins | None = None,
    asked: Mapping[str, Any] | None = None,
) -> Config:
    """Read a frozen config, changed by `key=value` overrides of keys that it has.

    Parameters
    ----------
    path
        The file, which may be somebody else's: nothing in it is executed or followed.
    overrides
        Changes of its keys.
    plugins
        Where given, `comm=<name>` among the overrides chooses another communicator, whose keys
        `comm.<key>=<value>` then are.
    asked
        The values of `COMMAND_LINE_KEYS` that a sweep's command gave; without it they hold if they
        are among the overrides.

    Raises
    ------
    BaryonError
        If the file is missing or not what Baryon writes, or an override names no key.

    """
    if not path.is_file():
        raise BaryonError(f"{path.parent} is not a run folder: it has no {path.name}")
    stored = _stored(path)
    comm, overrides = _another_communicator(overrides, plugins)
    values = _overridden(path, stored, overrides)
    config = thaw({**values, **comm})
    if asked is not None:
        return obeying(config, asked)
    given = {override.partition("=")[0] for override in overrides}
    _warn_of_ignored(path, asked_for(config.values), given)
    obeyed = {key: value for key, value in asked_for(values).items() if key in given}
    return obeying(replace(config, values=_recorded(config.values, stored, obeyed)), obeyed)


def _stored(path: Path) -> dict[str, Any]:
    """Return what the file holds. Raises `BaryonError` for what no frozen config has."""
    stored = read_yaml(path)
    for key in interpolations(stored):
        raise BaryonError(
            f"{path} holds '${{' in {key}, which Baryon never writes into it: put the value itself "
            "there"
        )
    for section in HOST_SECTIONS:
        if not isinstance(stored.get(section, {}), dict):
            raise BaryonError(f"{path} is not the config of a run: its {section} is not a section")
    return stored


def _overridden(path: Path, stored: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    try:
        frozen = OmegaConf.create(stored)
        OmegaConf.set_struct(frozen, True)  # an override of a key that is not there is an error
        changed = OmegaConf.merge(frozen, OmegaConf.from_dotlist(list(overrides)))
        missing = sorted(OmegaConf.missing_keys(changed))
        values: Any = OmegaConf.to_container(changed, resolve=True)
    except (OmegaConfBaseException, YAMLError, TypeError, ValueError, RecursionError) as error:
        raise BaryonError(one_line(error)) from error
    if missing:
        raise BaryonError(f"{path} has no value for {missing[0]}: it is not as Baryon wrote it")
    return dict(values)


def _another_communicator(
    overrides: Sequence[str], plugins: Plugins | None
) -> tuple[dict[str, Any], Sequence[str]]:
    """Return the section `comm` if it was chosen anew, and the overrides of other sections."""
    names = [override.partition("=")[2] for override in overrides if override.startswith("comm=")]
    if plugins is None or not names:
        return {}, overrides
    keys = [override for override in overrides if override.startswith("comm.")]
    others = [override for override in overrides if not override.startswith(("comm=", "comm."))]
    values = option_values(f"comm={names[-1]}", "comm", names[-1], plugins, keys)
    return {"comm": {"name": names[-1], **values}}, others


def _warn_of_ignored(path: Path, wanted: Mapping[str, Any], given: Iterable[str]) -> None:
    # One process says it for all.
    if cluster_environment().rank:
        return
    for key, value in wanted.items():
        if key not in given:
            warn(
                f"{path} asks for {key}={value}, which only a command line can: give it again to "
                "have it"
            )


def _recorded(
    values: Mapping[str, Any], stored: Mapping[str, Any], obeyed: Iterable[str]
) -> dict[str, Any]:
    """Return what is written down: where its reader stages and tracks is not the run's."""
    recorded = dict(values)
    for group, _, name in (key.partition(".") for key in obeyed):
        recorded[group] = {**recorded[group], name: stored.get(group, {}).get(name)}
    return without_credentials(recorded)
