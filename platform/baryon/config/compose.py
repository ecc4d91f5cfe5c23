"""Compose a config out of options and overrides, with Hydra's Compose API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baryon.config import primary
from baryon.config.config import Config, freeze
from baryon.config.errors import hydra_errors
from baryon.config.option_mistakes import OptionMistakes
from baryon.config.options import Options
from baryon.config.overrides import require_readable
from baryon.config.search_path import register
from baryon.errors import BaryonError
from baryon.plugins.registry import Plugins, host_conf

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override
    from omegaconf import DictConfig


@dataclass(frozen=True)
class Composition:
    """A composed config, before it is resolved and frozen.

    Attributes
    ----------
    config
        The whole config, with the types of its schema.
    chosen_options
        Each group of options with the name of the option that is chosen.
    overrides
        What was given on the command line.

    """

    config: DictConfig
    chosen_options: Mapping[str, str]
    overrides: Sequence[str]

    @property
    def label(self) -> str:
        """Return what a run's folder is named after: the experiment, else the model's component."""
        model = self.config.model.get("name") or self.chosen_options["model"]
        return str(self.chosen_options.get("experiment") or model)

    def frozen(self) -> Config:
        """Resolve and check everything. Raises `BaryonError` as `freeze` does."""
        return freeze(self.config, self.chosen_options)


class Composer:
    """Composes configs from the options of the host, of all plugins and of a user's folder."""

    def __init__(self, plugins: Plugins, user_folder: str | None = None) -> None:
        self._plugins, self._user_folder = plugins, user_folder

    def compose(self, config_name: str, overrides: Sequence[str]) -> Composition:
        """Compose a primary config. Raises `BaryonError` with one line for whatever is wrong."""
        import hydra
        from omegaconf import flag_override

        require_readable(overrides)
        with self._explained(overrides), hydra_errors(), self._hydra():
            whole = hydra.compose(config_name, list(overrides), return_hydra_config=True)
            # `OmegaConf.masked_copy` would lose the schema, by which `to_object` makes dataclasses.
            config = deepcopy(whole)
            with flag_override(config, ["struct", "readonly"], False):
                del config["hydra"]
            options = {str(group): name for group, name in whole.hydra.runtime.choices.items()}
        return Composition(config, options, list(overrides))

    def parse(self, overrides: Sequence[str]) -> list[Override]:
        """Parse the overrides of a sweep; `glob(...)` knows the options that there are.

        Raises `BaryonError` for one that cannot be read.
        """
        from hydra.core.global_hydra import GlobalHydra
        from hydra.core.override_parser.overrides_parser import OverridesParser

        require_readable(overrides)
        with hydra_errors(), self._hydra():
            loader = GlobalHydra.instance().config_loader()
            return OverridesParser.create(config_loader=loader).parse_overrides(list(overrides))

    @contextmanager
    def _explained(self, overrides: Sequence[str]) -> Iterator[None]:
        """Let an error of Hydra name the option file that it comes from, if one is at fault."""
        try:
            yield
        except BaryonError as error:
            plugins = [plugin.conf for plugin in self._plugins.all if plugin.conf is not None]
            user = [Path(self._user_folder).absolute()] if self._user_folder else []
            groups = Options(self._plugins).groups
            mistakes = OptionMistakes([host_conf(), *plugins, *user], groups, overrides)
            raise BaryonError(mistakes.explain(str(error))) from error

    @contextmanager
    def _hydra(self) -> Iterator[None]:
        """Initialise Hydra, which is one a process, and put back afterwards what it was."""
        import hydra
        from hydra.core.global_hydra import GlobalHydra

        register(self._plugins, self._user_folder)
        # A notebook or an embedding program may have initialised Hydra for itself.
        before = GlobalHydra.instance().hydra
        GlobalHydra.instance().clear()
        try:
            with hydra.initialize_config_dir(str(host_conf()), version_base="1.3"):
                yield
        finally:
            GlobalHydra.instance().clear()
            if before is not None:
                GlobalHydra.instance().initialize(before)


def composed(overrides: Sequence[str], plugins: Plugins) -> Config:
    """Return the frozen config that `baryon train <overrides>` would run.

    Raises `BaryonError` for what is wrong with it.
    """
    return Composer(plugins).compose(primary.RUN, overrides).frozen()


def as_yaml(config: DictConfig, package: str | None = None) -> str:
    """Return a config, or the part `package` of it, as `--cfg` prints it.

    Raises `BaryonError` if there is no such part.
    """
    from omegaconf import Container, OmegaConf

    if package is None or package == "_global_":
        return OmegaConf.to_yaml(config)
    with hydra_errors():
        part: Any = OmegaConf.select(config, package)
    if part is None:
        raise BaryonError(f"--package {package}: the config has no such part")
    heading = f"# @package {package}\n"
    return heading + OmegaConf.to_yaml(part) if isinstance(part, Container) else f"{part}\n"
