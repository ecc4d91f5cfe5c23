"""Write an HDF5 file anew in a layout that is read fast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from baryon.commands.arguments import Arguments
from baryon.commands.composing import compose_or_print
from baryon.config import primary
from baryon.config.config import plain
from baryon.config.errors import hydra_errors
from baryon.plugins.registry import discover
from baryon.terminal.console import say

if TYPE_CHECKING:
    from omegaconf import DictConfig


def run(arguments: Arguments) -> int:
    """Compose the settings, write the file, and say which layout was chosen."""
    from hydra.core.config_store import ConfigStore

    from baryon.config.schemas import Repack

    # Stored here and not with the schema of runs, which no other command needs to import.
    ConfigStore.instance().store(name="repack_schema", node=Repack)
    composition = compose_or_print(primary.DATA_REPACK, arguments, discover())
    if composition is not None:
        repack(composition.config)
    return 0


def repack(composed: DictConfig) -> None:
    """Write the file. Raises `BaryonError` for settings that cannot be."""
    from omegaconf import OmegaConf

    from baryon.data.hdf5 import repack as writer

    plain(composed)  # says what is missing
    with hydra_errors():
        settings: Any = OmegaConf.to_object(composed)
    for name, layout in writer.repack(settings).items():
        say(f"{name}: {layout}")
    say(f"{composed.out} is written and verified")
