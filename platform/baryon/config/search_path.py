"""Tell Hydra where the options of all plugins are, and the schema of the whole config."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from baryon.errors import BaryonError
from baryon.plugins.registry import Plugins


def register(plugins: Plugins, user_folder: str | None = None) -> None:
    """Put the plugins' conf folders behind the primary config, and store the host's schema.

    The user's own folder of options (`--config-dir`) comes last: it adds options and shadows none.
    Raises `BaryonError` if that folder does not exist.
    """
    from hydra.core.config_store import ConfigStore
    from hydra.core.plugins import Plugins as HydraPlugins

    from baryon.config.schemas import Root

    search_path = _search_path_plugin()
    search_path.plugins = plugins
    search_path.user_folder = _existing(user_folder)
    # Registered by hand: a package of the namespace hydra_plugins is not found when it is installed
    # with --editable.
    HydraPlugins.instance().register(search_path)
    ConfigStore.instance().store(name="baryon_schema", node=Root)


def _existing(folder: str | None) -> Path | None:
    if folder is None:
        return None
    path = Path(folder).absolute()
    if not path.is_dir():
        raise BaryonError(f"--config-dir {folder}: there is no folder {path}")
    return path


@cache  # Hydra keeps every plugin that is registered, and looks through the paths of each
def _search_path_plugin() -> Any:
    from hydra.core.config_search_path import ConfigSearchPath
    from hydra.plugins.search_path_plugin import SearchPathPlugin

    class PluginSearchPath(SearchPathPlugin):
        plugins: Plugins
        user_folder: Path | None

        def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
            # Hydra takes the first file of a name and says nothing of others; two plugins with the
            # same option are refused before (`Plugins.check`).
            for plugin in self.plugins.all:
                if plugin.conf is not None:
                    search_path.append(provider=plugin.name, path=f"file://{plugin.conf}")
            if self.user_folder is not None:
                search_path.append(provider="command-line", path=f"file://{self.user_folder}")

    return PluginSearchPath
