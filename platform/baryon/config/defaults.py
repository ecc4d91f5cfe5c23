"""Find in what a config differs from the options that it was made of."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from baryon.config.config import require_option_name
from baryon.config.flatten import NOT_SHOWN, flat
from baryon.config.option_values import options_values
from baryon.errors import BaryonError
from baryon.plugins.registry import KINDS, Plugins, discover, host_conf


def changed(values: Mapping[str, Any], plugins: Plugins) -> dict[str, Any]:
    """Return the dotted keys whose value is not the default, each with its default.

    Defaults are what the YAML of each chosen option holds when no key is given, so an experiment's
    values count as changes; "???" is the default of a key that an option leaves to its user.
    Raises `BaryonError` for an option that is not installed.
    """
    defaults = dict(_host_defaults())
    names = {kind: values[kind]["name"] for kind in KINDS}
    for kind, name in names.items():
        require_option_name(kind, name)
    for kind, option in options_values(names, plugins).items():
        defaults |= flat({kind: {"name": names[kind], **option}})
    return {
        key: defaults.get(key)
        for key, value in flat(values).items()
        if not key.startswith(NOT_SHOWN)
        and (key not in defaults or not _same(defaults[key], value))
    }


def changed_now(values: Mapping[str, Any]) -> dict[str, Any] | str:
    """Return the same with the plugins that are installed here; else one line that says why not."""
    try:
        return changed(values, discover())
    except (BaryonError, KeyError, TypeError, ValueError) as error:
        # A report must come about whatever the run's plugins have become since.
        return f"what differs from the defaults is not known: {error}"


def _same(default: Any, value: Any) -> bool:
    # YAML 1.1 reads `1e-3` as a text, which the schema makes a number.
    if isinstance(default, str) and isinstance(value, int | float):
        try:
            return float(default) == value
        except ValueError:
            return False
    return bool(default == value)


# Cached: a sweep asks for every one of its jobs.
@cache
def _host_defaults() -> dict[str, Any]:
    from omegaconf import OmegaConf

    primary: Any = OmegaConf.to_container(OmegaConf.load(host_conf() / "config.yaml"))
    train: Any = OmegaConf.to_container(OmegaConf.load(host_conf() / "train" / "default.yaml"))
    sections = {key: value for key, value in primary.items() if key not in ("defaults", "hydra")}
    return flat({**sections, "train": train})
