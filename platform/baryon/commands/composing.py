"""Compose the config of a command from its overrides and flags."""

from __future__ import annotations

from collections.abc import Sequence

from baryon.commands.arguments import Arguments
from baryon.config.compose import Composer, Composition, as_yaml
from baryon.plugins.registry import Plugins


def compose_or_print(
    config_name: str, arguments: Arguments, plugins: Plugins, extra: Sequence[str] = ()
) -> Composition | None:
    """Compose a primary config; under `--cfg` print it and return None.

    `extra` are overrides beside the given ones. Raises `BaryonError` for whatever is wrong.
    """
    composer = Composer(plugins, arguments["config_dir"])
    composition = composer.compose(config_name, [*arguments.overrides, *extra])
    if arguments["cfg"] is None:
        return composition
    text = as_yaml(composition.config, arguments["package"])
    print(text, end="")  # noqa: T201  to be read by programs
    return None
