"""Compose, freeze and check the jobs of a sweep before any of them runs."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from baryon.config import config as configs
from baryon.config.errors import one_line
from baryon.errors import BaryonError
from baryon.plugins import components
from baryon.plugins.registry import KINDS, Plugins
from baryon.sweeps.identity import NOT_DECISIVE, Job

if TYPE_CHECKING:
    from hydra.core.config_loader import ConfigLoader
    from hydra.core.override_parser.types import Override
    from omegaconf import DictConfig


class Planner:
    """Makes the jobs of one command."""

    def __init__(self, loader: ConfigLoader, master: DictConfig, plugins: Plugins) -> None:
        self._loader, self._master, self.plugins = loader, master, plugins

    @property
    def seed(self) -> int:
        """Seed of the command, which a search starts from as well."""
        return int(self._master.seed)

    def parse(self, arguments: Sequence[str]) -> list[Override]:
        """Parse the arguments by Hydra's grammar.

        Raises `BaryonError` for a swept key that does not change what a job computes.
        """
        from hydra.core.override_parser.overrides_parser import OverridesParser

        overrides = OverridesParser.create(config_loader=self._loader).parse_overrides(
            list(arguments)
        )
        for override in overrides:
            key = override.get_key_element()
            if override.is_sweep_override() and f"{key}=".startswith(NOT_DECISIVE):
                raise BaryonError(
                    f"{key} cannot be swept: it does not decide what a job computes; sweep keys "
                    f"of {', '.join(KINDS)}, train, data or seed"
                )
        return overrides

    def job(self, overrides: Sequence[str], swept: Sequence[str]) -> Job:
        """Make the job of these overrides, `swept` of which are the keys that the sweep varies.

        Raises `BaryonError` for an unknown key, or a value of a wrong type or range.
        """
        from hydra.core.hydra_config import HydraConfig
        from hydra.errors import HydraException
        from omegaconf import OmegaConf
        from omegaconf.errors import OmegaConfBaseException

        try:
            composed = self._loader.load_sweep_config(self._master, list(overrides))
            HydraConfig.instance().set_config(composed)
            task = _without_hydra(composed)
            frozen, asked = configs.freeze(task), configs.asked_for(configs.plain(task))
            options = composed.hydra.runtime.choices
            choices = {key: _chosen(key, composed, options) for key in swept}
            for choice in frozen.choices.values():
                components.prepare(self.plugins, choice)
        except (HydraException, OmegaConfBaseException) as error:
            raise BaryonError(one_line(error)) from error
        plain_choices: Any = OmegaConf.to_container(OmegaConf.create(choices))
        return Job(asked, plain_choices, frozen)


def common_overrides(overrides: Sequence[Override]) -> list[str]:
    """Return the overrides that all jobs have in common, as Hydra takes them."""
    return [str(o.input_line) for o in overrides if not o.is_sweep_override()]


def single_override(key: str, value: str) -> str:
    """Return the override that gives a swept key the value of one job."""
    return f"{key}={value}"


def _without_hydra(composed: DictConfig) -> DictConfig:
    from omegaconf import open_dict, read_write

    task = copy.deepcopy(composed)
    with read_write(task), open_dict(task):
        del task["hydra"]
    return task


def _chosen(key: str, composed: DictConfig, options: Mapping[str, Any]) -> Any:
    """Return the option chosen in a group, or the value of a key with its type."""
    from omegaconf import OmegaConf

    if key in options:
        return options[key]
    return OmegaConf.select(composed, key.lstrip("+"))
