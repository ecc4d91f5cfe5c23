"""Compose, freeze and check the jobs of a sweep before any of them runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from baryon.config import primary
from baryon.config.command_line_keys import asked_for
from baryon.config.compose import Composer, Composition
from baryon.config.config import plain
from baryon.config.errors import hydra_errors
from baryon.config.schemas import MOST_FOLDS
from baryon.errors import BaryonError
from baryon.plugins import components
from baryon.plugins.registry import KINDS, Plugins
from baryon.sweeps.identity import NOT_DECISIVE, Job

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override
    from omegaconf import DictConfig


FOLDS, FOLD = "train.folds", "train.fold"


class Planner:
    """Makes the jobs of one command.

    Attributes
    ----------
    overrides
        The arguments of the command, parsed by Hydra's grammar.
    master
        The config that all jobs have in common: that of the first one.

    Raises
    ------
    BaryonError
        For an argument that is wrong, or a swept key that does not change what a job computes.

    """

    def __init__(self, composer: Composer, arguments: Sequence[str], plugins: Plugins) -> None:
        self._composer, self.plugins = composer, plugins
        self.overrides = composer.parse(arguments)
        for override in self.overrides:
            key = override.get_key_element()
            if override.is_sweep_override() and f"{key}=".startswith(NOT_DECISIVE):
                raise BaryonError(
                    f"{key} cannot be swept: it does not decide what a job computes; sweep keys "
                    f"of {', '.join(KINDS)}, train, data or seed"
                )
            if override.is_sweep_override() and key == FOLDS:
                raise BaryonError(f"{FOLDS} cannot be swept: its runs are judged together")
        first_job = [*common_overrides(self.overrides), *_first_values(self.overrides)]
        self.master: DictConfig = composer.compose(primary.RUN, first_job).config

    @property
    def folds(self) -> list[str]:
        """Values of `train.fold` that the command leaves to the sweep: those of all folds."""
        folds, fold = self.master.train.folds, self.master.train.fold
        if folds is None or fold is not None:
            return []
        # Of too many none is made: the first job is refused.
        return [str(number) for number in range(min(folds, MOST_FOLDS + 1))]

    @property
    def seed(self) -> int:
        """Seed of the command, which a search starts from as well."""
        return int(self.master.seed)

    def job(self, overrides: Sequence[str], swept: Sequence[str]) -> Job:
        """Make the job of these overrides, `swept` of which are the keys that the sweep varies.

        Raises `BaryonError` for an unknown key, or a value of a wrong type or range.
        """
        from omegaconf import OmegaConf

        composition = self._composer.compose(primary.RUN, overrides)
        frozen, asked = composition.frozen(), asked_for(plain(composition.config))
        for choice in frozen.choices.values():
            components.prepare(self.plugins, choice)
        with hydra_errors():
            values = {key: _value(key, composition) for key in swept}
            choices: Any = OmegaConf.to_container(OmegaConf.create(values))
        return Job(asked, choices, frozen)


def _first_values(overrides: Sequence[Override]) -> list[str]:
    """Return the swept keys with the first of their values; an interval has none."""
    swept = [override for override in overrides if override.is_discrete_sweep()]
    first = [(o.get_key_element(), next(iter(o.sweep_string_iterator()), None)) for o in swept]
    return [single_override(key, value) for key, value in first if value is not None]


def common_overrides(overrides: Sequence[Override]) -> list[str]:
    """Return the overrides that all jobs have in common, as Hydra takes them."""
    return [str(o.input_line) for o in overrides if not o.is_sweep_override()]


def single_override(key: str, value: str) -> str:
    """Return the override that gives a swept key the value of one job."""
    return f"{key}={value}"


def _value(key: str, composition: Composition) -> Any:
    """Return the option chosen in a group, or the value of a key with its type."""
    from omegaconf import OmegaConf

    if key in composition.chosen_options:
        return composition.chosen_options[key]
    return OmegaConf.select(composition.config, key.lstrip("+"))
