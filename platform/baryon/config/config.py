"""The frozen config of a run: plain values, checked and typed, with a hash."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from baryon.config.errors import one_line
from baryon.errors import BaryonError
from baryon.plugins.bounds import check_seed
from baryon.plugins.components import Choice
from baryon.plugins.registry import KINDS
from baryon.system.plain_data import interpolations
from baryon.terminal.credentials import without_credentials

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from baryon.config.schemas import Data, Run, Tracking, Train

OF_SWEEPS = ("sweep", "launch")
"""Sections that say what runs there are and where, not what a run is: its hash is without them."""
NOT_DECISIVE = ("run", "tracking")
"""Sections that say where results go, not what they are."""
OPTION_NAME = re.compile(r"\w[\w.+-]*")


@dataclass(frozen=True)
class Config:
    """A run's config with nothing left to resolve, the same on all ranks.

    Attributes
    ----------
    seed
        Of weights, dropout and the order of samples.
    train, run, data, tracking
        The host's own sections, typed; addresses in them have their credentials.
    choices
        Kind -> the component that is chosen, with the arguments of its factory.
    values
        All of it as plain values, to be written down: without credentials.

    """

    seed: int
    train: Train
    run: Run
    data: Data
    tracking: Tracking
    choices: Mapping[str, Choice]
    values: Mapping[str, Any]

    @property
    def decisive(self) -> dict[str, Any]:
        """Return all that decides the result: everything but where it is written."""
        return {key: value for key, value in self.values.items() if key not in NOT_DECISIVE}

    @property
    def digest(self) -> str:
        """Return the hash of all that decides the result: 12 hexadecimal digits of a SHA-256."""
        # Sorted: the order of keys differs between a composed config and one that was read again.
        text = json.dumps(self.decisive, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def freeze(composed: DictConfig, chosen_options: Mapping[str, str]) -> Config:
    """Resolve and check a composed config.

    Parameters
    ----------
    composed
        The config as Hydra composed it, without Hydra's own section.
    chosen_options
        Group -> name of the chosen option: one without a `name` is named like its component.

    Raises
    ------
    BaryonError
        For a missing or impossible value.

    """
    values = plain(composed)
    # What is written down is read by others: a later reader's environment must not change it.
    for key in interpolations(values):
        raise BaryonError(f"{key} holds '${{' after all has been resolved: give it plainly")
    of_the_run = {key: value for key, value in values.items() if key not in OF_SWEEPS}
    return thaw(of_the_run, chosen_options)


def plain(composed: DictConfig) -> dict[str, Any]:
    """Return a config as plain values. Raises `BaryonError` for one that is missing."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        # Asked before it is resolved, which fails at the first one and names no others.
        missing = sorted(OmegaConf.missing_keys(composed))
        values: Any = OmegaConf.to_container(composed, resolve=True)
    except OmegaConfBaseException as error:
        raise BaryonError(one_line(error)) from error
    if missing:
        keys = ", ".join(missing)
        raise BaryonError(f"no value for {keys}: give it as {missing[0]}=<value>")
    return dict(values)


def thaw(values: Mapping[str, Any], chosen_options: Mapping[str, str] | None = None) -> Config:
    """Make the config of plain values, as they are written into a run's folder.

    `chosen_options` name the component of a kind whose section has no `name`. Raises `BaryonError`
    for values that are not the config of a run.
    """
    values = dict(values)
    for kind in KINDS:
        if not isinstance(values.get(kind), Mapping):
            raise BaryonError(f"this is not the config of a run: it has no section {kind!r}")
        # An option without a `name` is named like its component; with it a user's overlay
        # (`defaults: [hep_cnn, _self_]`) is another option for the same one. The frozen config
        # names all, and so says by itself which components it uses.
        values[kind] = {"name": (chosen_options or {}).get(kind, ""), **values[kind]}
        require_option_name(kind, values[kind]["name"])
    seed, sections = _typed({key: value for key, value in values.items() if key not in KINDS})
    check_seed("seed", seed)
    return Config(
        seed=seed,
        choices={kind: _choice(kind, values[kind]) for kind in KINDS},
        values=without_credentials(values),
        **sections,
    )


def _typed(values: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    """Return the seed and the host's sections, held against their schema."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from baryon.config.schemas import Root

    try:
        # Composing has checked this already; a file of a run is checked here alone.
        checked: Any = OmegaConf.merge(OmegaConf.structured(Root), values)
        names = ("train", "run", "data", "tracking")
        return checked.seed, {name: OmegaConf.to_object(checked[name]) for name in names}
    except (OmegaConfBaseException, TypeError, ValueError, OverflowError) as error:
        raise BaryonError(one_line(error)) from error


def require_option_name(kind: str, name: object) -> None:
    """Raise `BaryonError` for what names no option: Hydra would look for it as for a path."""
    if not isinstance(name, str) or not OPTION_NAME.fullmatch(name):
        raise BaryonError(f"{kind}.name={name!r:.80} is not the name of a component")


def _choice(kind: str, values: Mapping[str, Any]) -> Choice:
    arguments = {key: value for key, value in values.items() if key != "name"}
    return Choice(kind, values["name"], arguments)
