"""Read the section `launch`, and make the launcher that it chooses."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from baryon.config import schemas
from baryon.config.section import section
from baryon.errors import BaryonError, did_you_mean
from baryon.launch.mpiexec import find_mpiexec
from baryon.sweeps import job_script
from baryon.sweeps.launcher import Launcher
from baryon.sweeps.local import LocalLauncher
from baryon.sweeps.schedulers import SCHEDULERS
from baryon.sweeps.script_launcher import ScriptLauncher
from baryon.sweeps.slurm import SlurmLauncher

if TYPE_CHECKING:
    from omegaconf import DictConfig

SCHEMAS: dict[str, type[schemas.Launch]] = {
    "local": schemas.Launch,
    "cores": schemas.LaunchOnCores,
    "slurm": schemas.LaunchBySlurm,
    **dict.fromkeys(SCHEDULERS, schemas.LaunchByScript),
}


def read(composed: DictConfig) -> schemas.Launch:
    """Return the checked section; raises `BaryonError` for a wrong key or value."""
    launcher = str(composed.launch.launcher)
    if launcher not in SCHEMAS:
        raise BaryonError(
            f"launch.launcher={launcher} is not known; {did_you_mean(SCHEMAS, launcher)}"
        )
    settings: schemas.Launch = section(composed, "launch", SCHEMAS[launcher])
    return settings


def require_programs(settings: schemas.Launch) -> None:
    """Raise `BaryonError` if a program, package or file that starts the jobs is missing."""
    if isinstance(settings, schemas.LaunchBySlurm):
        _require_commands(settings, "Slurm", ["sbatch"])
        if importlib.util.find_spec("submitit") is None:
            raise BaryonError("launch=slurm needs submitit: pip install 'baryon[sweeps]'")
    elif isinstance(settings, schemas.LaunchByScript):
        scheduler = SCHEDULERS[settings.launcher]
        _require_commands(settings, scheduler.name, scheduler.programs)
        job_script.load_template(settings)
    elif settings.ranks > 1:
        find_mpiexec()


def _require_commands(settings: schemas.Launch, scheduler: str, programs: Sequence[str]) -> None:
    for program in programs:
        if shutil.which(program) is None:
            raise BaryonError(
                f"launch={settings.launcher} needs {program}, which is not on the PATH: start the "
                f"sweep where {scheduler} takes jobs, such as a login node"
            )


def create_launcher(settings: schemas.Launch, sweep: Path) -> Launcher:
    """Return what runs the jobs of the sweep in the folder `sweep`."""
    if isinstance(settings, schemas.LaunchBySlurm):
        return SlurmLauncher(settings, sweep)
    if isinstance(settings, schemas.LaunchByScript):
        return ScriptLauncher(settings, sweep, SCHEDULERS[settings.launcher]())
    return LocalLauncher(settings)
