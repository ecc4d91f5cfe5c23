"""Make data in a dataset's own file format."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from baryon.commands.arguments import Arguments
from baryon.commands.composing import compose_or_print
from baryon.config import primary
from baryon.config.compose import Composition
from baryon.config.config import plain
from baryon.errors import BaryonError, did_you_mean
from baryon.plugins.components import check_arguments
from baryon.plugins.registry import Plugins, checked_plugins, load_target

if TYPE_CHECKING:
    from omegaconf import DictConfig


def run(arguments: Arguments) -> int:
    """Compose the generator's config and call the generator."""
    plugins = checked_plugins()
    option = f"generate={_generator(arguments['dataset'], plugins)}"
    composition = compose_or_print(primary.DATA_GENERATE, arguments, plugins, [option])
    if composition is not None:
        generate(composition, plugins)
    return 0


def _generator(dataset: str, plugins: Plugins) -> str:
    """Return the option of the group `generate` that is named like the dataset."""
    options = [option for plugin in plugins.all for option in plugin.options]
    known = [option.removeprefix("generate/") for option in options if "generate/" in option]
    if dataset not in known:
        raise BaryonError(
            f"no plugin generates dataset {dataset!r}; {did_you_mean(known, dataset)}"
        )
    return dataset


def generate(composition: Composition, plugins: Plugins) -> None:
    """Call the dataset's generator with the keys of its option."""
    name = composition.chosen_options["generate"]
    replace_mappings(composition.config, composition.overrides)
    component = plugins.component("dataset", name)
    owner = f"generator of dataset {name!r} (plugin {component.plugin!r})"
    generator = load_target(owner, component.load().generator)
    values = plain(composition.config.generate)
    # `name` chooses the option and is no argument of what it configures.
    settings = {key: value for key, value in values.items() if key != "name"}
    check_arguments(owner, generator, settings, runtime=())
    generator(**settings)


def replace_mappings(composed: DictConfig, overrides: Sequence[str]) -> None:
    """Let a mapping that was given whole replace the default, which Hydra merges with it.

    Of `splits={train:0.5,test:0.5}` the default's share of `val` would stay.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from omegaconf import OmegaConf, flag_override

    replaced: set[str] = set()
    with flag_override(composed, ["struct", "readonly"], False):
        for override in OverridesParser.create().parse_overrides(list(overrides)):
            key, value = override.key_or_group, override.value()
            if isinstance(value, dict):
                replaced.add(key)
            elif not any(key.startswith(f"{mapping}.") for mapping in replaced):
                continue
            # Also a key given after its mapping, or the mapping would undo it.
            OmegaConf.update(composed, key, value, merge=False)
