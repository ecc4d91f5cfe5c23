"""The keys and values of single options, composed without a run around them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from baryon.config.compose import Composer
from baryon.config.errors import hydra_errors
from baryon.config.primary import PRIMARY, RUN
from baryon.errors import BaryonError
from baryon.plugins.registry import KINDS, Plugins


def option_values(
    owner: str, kind: str, name: str, plugins: Plugins, overrides: Sequence[str] = ()
) -> dict[str, Any]:
    """Return an option's keys and values when it is chosen alone, overlays merged.

    Parameters
    ----------
    owner
        The subject of the message of an error.
    kind
        The group of the option: a kind of component, `generate` or `predict`.
    name
        The option's name in its group.
    plugins
        The plugins whose options there are.
    overrides
        Keys to change, as in `model.filters=8`.

    Raises
    ------
    BaryonError
        If the option cannot be composed.

    """
    config_name = PRIMARY.get(kind, RUN)
    # A run must choose one option of each kind: the other kinds are taken out.
    others = [] if kind in PRIMARY else [f"~{other}" for other in KINDS if other != kind]
    arguments = [f"{kind}={name}", *others, *overrides]
    return _sections(owner, config_name, arguments, [kind], plugins)[kind]


def options_values(names: Mapping[str, str], plugins: Plugins) -> dict[str, dict[str, Any]]:
    """Return the same for one option of each kind: Hydra takes no longer for all than for one.

    Raises `BaryonError` for an option that cannot be composed.
    """
    arguments = [f"{kind}={name}" for kind, name in names.items()]
    return _sections(" ".join(arguments), RUN, arguments, names, plugins)


def _sections(
    owner: str, config_name: str, arguments: Sequence[str], kinds: Iterable[str], plugins: Plugins
) -> dict[str, dict[str, Any]]:
    from omegaconf import OmegaConf

    try:
        config = Composer(plugins).compose(config_name, arguments).config
        with hydra_errors():
            sections: dict[str, Any]
            sections = {kind: OmegaConf.to_container(config[kind], resolve=True) for kind in kinds}
    except BaryonError as error:
        raise BaryonError(f"{owner}: {error}") from error
    return sections
