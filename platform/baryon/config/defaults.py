"""In what a config differs from the options it was made of."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from baryon.config import config as configs
from baryon.config.flatten import NOT_SHOWN, flat
from baryon.errors import BaryonError
from baryon.plugins.registry import KINDS, Plugins, discover, host_conf


def changed(values: Mapping[str, Any], plugins: Plugins) -> dict[str, Any]:
    """Dotted keys whose value is not the default, each with its default.

    "???" where an option leaves the value to its user. Defaults are what the YAML of each chosen
    option holds when no key is given; so an experiment's values count as changes.
    Raises `BaryonError` for an option that is not installed.
    """
    defaults = _host()
    names = {kind: values[kind]["name"] for kind in KINDS}
    for kind, name in names.items():
        configs.require_option_name(kind, name)
    for kind, option in configs.options_values(names, plugins).items():
        defaults |= flat({kind: {"name": names[kind], **option}})
    here = flat(values)
    return {
        key: defaults.get(key)
        for key, value in here.items()
        if not key.startswith(NOT_SHOWN)
        and (key not in defaults or not _same(defaults[key], value))
    }


def _same(default: Any, value: Any) -> bool:
    """YAML 1.1 reads `1e-3` as a text, which the schema makes a number."""
    if isinstance(default, str) and isinstance(value, int | float):
        try:
            return float(default) == value
        except ValueError:
            return False
    return bool(default == value)


@cache
def _host_yaml() -> dict[str, Any]:
    from omegaconf import OmegaConf

    primary: Any = OmegaConf.to_container(OmegaConf.load(host_conf() / "config.yaml"))
    train: Any = OmegaConf.to_container(OmegaConf.load(host_conf() / "train" / "default.yaml"))
    sections = {key: v for key, v in primary.items() if key not in ("defaults", "hydra")}
    return flat({**sections, "train": train})


def _host() -> dict[str, Any]:
    return dict(_host_yaml())


def changed_now(values: Mapping[str, Any]) -> dict[str, Any] | str:
    """The same with the plugins that are installed here; else one line that says why not."""
    try:
        return changed(values, discover())
    except (BaryonError, KeyError, TypeError, ValueError) as error:
        return f"what differs from the defaults is not known: {error}"
