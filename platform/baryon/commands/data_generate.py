"""`baryon data generate dataset=<name>`: make data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from baryon.commands.arguments import HELP_FLAGS
from baryon.commands.options_help import options_help
from baryon.config import config
from baryon.errors import BaryonError, did_you_mean
from baryon.plugins.components import check_arguments
from baryon.plugins.registry import Plugins, discover, load_target

if TYPE_CHECKING:
    from omegaconf import DictConfig

USAGE = """\
usage: baryon data generate dataset=<name> [generate.key=value]

Make data in a dataset's own file format; going on where a stopped command left off. A mapping is
taken as it is given: generate.key={a:1} drops what else it holds by default.

  baryon data generate dataset=hep_images generate.out=data/hep generate.events=10000
  baryon data generate dataset=hep_images --cfg job        (show all keys)
"""


def run(arguments: Sequence[str]) -> int:
    """Compose the generator's config and call it."""
    plugins = discover()
    if not arguments or any(argument in HELP_FLAGS for argument in arguments):
        options_help(USAGE, plugins, groups=("generate",))
        return 0 if arguments else 2
    plugins.check()
    config.compose("data_generate", _as_generator(arguments, plugins), generate, plugins)
    return 0


def _as_generator(arguments: Sequence[str], plugins: Plugins) -> list[str]:
    """Replace `dataset=<name>` by the option of the group `generate` of that name."""
    options = [option for plugin in plugins.all for option in plugin.options]
    known = [option.removeprefix("generate/") for option in options if "generate/" in option]
    names = [a.removeprefix("dataset=") for a in arguments if a.startswith("dataset=")]
    if len(names) != 1:
        raise BaryonError(f"give one dataset=<name> to generate; {did_you_mean(known)}")
    if names[0] not in known:
        raise BaryonError(
            f"no plugin generates dataset {names[0]!r}; {did_you_mean(known, names[0])}"
        )
    return [f"generate={names[0]}", *(a for a in arguments if not a.startswith("dataset="))]


def generate(composed: DictConfig) -> None:
    """Call the dataset's generator with the keys of its option."""
    from hydra.core.hydra_config import HydraConfig

    name = HydraConfig.get().runtime.choices["generate"]
    replace_mappings(composed, HydraConfig.get().overrides.task)
    component = discover().component("dataset", name)
    owner = f"generator of dataset {name!r} (plugin {component.plugin!r})"
    generator = load_target(owner, component.load().generator)
    settings = {
        key: value for key, value in config.plain(composed.generate).items() if key != "name"
    }
    check_arguments(owner, generator, settings, runtime=())
    generator(**settings)


def replace_mappings(composed: DictConfig, overrides: Sequence[str]) -> None:
    """Let a mapping that was given whole replace the default.

    Hydra merges the two: of `splits={train:0.5,test:0.5}` the default's share of `val` would stay.
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
            OmegaConf.update(composed, key, value, merge=False)
