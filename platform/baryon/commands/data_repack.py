"""`baryon data repack file=<file> out=<file>`: an HDF5 file in a layout that is read fast."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from baryon.commands.arguments import HELP_FLAGS
from baryon.config import config
from baryon.plugins.registry import discover
from baryon.terminal.console import say

if TYPE_CHECKING:
    from omegaconf import DictConfig

USAGE = """\
usage: baryon data repack file=<file> out=<file> [key=value]

Write an HDF5 file anew: chunks of whole samples, of about a megabyte, compressed in the way that
suits the values. Groups, attributes and small members are kept. The copy is read back and compared
with the original before it takes its name; `out` may be the file itself.

  baryon data repack file=events.h5 out=events-fast.h5
  baryon data repack file=events.h5 out=events.h5 shuffle=true     (samples in random order)
  baryon data repack file=events.h5 out=x.h5 --cfg job             (show all keys)
"""


def run(arguments: Sequence[str]) -> int:
    """Compose the settings and write."""
    from hydra.core.config_store import ConfigStore

    from baryon.config.schemas import Repack

    if not arguments or any(argument in HELP_FLAGS for argument in arguments):
        say(USAGE)
        return 0 if arguments else 2
    ConfigStore.instance().store(name="repack_schema", node=Repack)
    config.compose("data_repack", arguments, repack, discover())
    return 0


def repack(composed: DictConfig) -> None:
    """Write, and say what was chosen."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from baryon.config.errors import one_line
    from baryon.data.hdf5 import repack as writer
    from baryon.errors import BaryonError

    config.plain(composed)  # says what is missing
    try:
        settings = OmegaConf.to_object(composed)
    except OmegaConfBaseException as error:
        raise BaryonError(one_line(error)) from error
    for name, layout in writer.repack(settings).items():  # type: ignore[arg-type]
        say(f"{name}: {layout}")
    say(f"{composed.out} is written and verified")
