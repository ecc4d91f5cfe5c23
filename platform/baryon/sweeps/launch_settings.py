"""Read the section `launch`, and make the launcher that it chooses."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from baryon.config import schemas
from baryon.config.section import section
from baryon.errors import BaryonError
from baryon.launch.mpiexec import find_mpiexec
from baryon.sweeps.launcher import Launcher
from baryon.sweeps.local import LocalLauncher
from baryon.sweeps.slurm import SlurmLauncher

if TYPE_CHECKING:
    from omegaconf import DictConfig

SCHEMAS: dict[str, type[schemas.Launch]] = {
    "here": schemas.Launch,
    "cores": schemas.LaunchOnCores,
    "slurm": schemas.LaunchBySlurm,
}


def read(composed: DictConfig) -> schemas.Launch:
    """Return the checked section; raises `BaryonError` for a wrong key or value."""
    settings: schemas.Launch = section(composed, "launch", SCHEMAS[composed.launch.where])
    return settings


def require_programs(settings: schemas.Launch) -> None:
    """Raise `BaryonError` if a program or package that starts the jobs is missing."""
    if isinstance(settings, schemas.LaunchBySlurm):
        if shutil.which("sbatch") is None:
            raise BaryonError(
                "launch=slurm needs sbatch, which is not on the PATH: start the sweep where Slurm "
                "takes jobs, such as a login node"
            )
        if importlib.util.find_spec("submitit") is None:
            raise BaryonError("launch=slurm needs submitit: pip install 'baryon[sweeps]'")
    elif settings.ranks > 1:
        find_mpiexec()


def create_launcher(settings: schemas.Launch, sweep: Path) -> Launcher:
    """Return what runs the jobs of the sweep in the folder `sweep`."""
    if isinstance(settings, schemas.LaunchBySlurm):
        return SlurmLauncher(settings, sweep)
    return LocalLauncher(settings)
