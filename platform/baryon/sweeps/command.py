"""Run `baryon train -m ...`: from the composed command to a sweep that has ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from baryon.config import schemas
from baryon.config.compose import Composer
from baryon.config.section import section
from baryon.errors import BaryonError, did_you_mean
from baryon.launch.environment import cluster_environment
from baryon.plugins.registry import discover
from baryon.sweeps import folder, grid, identity, launch_settings, optuna_search
from baryon.sweeps.planner import Planner
from baryon.sweeps.sweep import Sweep
from baryon.system.signals import TRY_AGAIN, Terminated, stops_batch_job

if TYPE_CHECKING:
    from omegaconf import DictConfig

SCHEMAS: dict[str, type[schemas.Sweep]] = {"grid": schemas.Sweep, "optuna": schemas.Optuna}


def run(composer: Composer, arguments: Sequence[str], flags: Sequence[str] = ()) -> Path:
    """Check everything, do the sweep, or what is left of it, and return its folder.

    Parameters
    ----------
    composer
        Composes the configs of the jobs.
    arguments
        The overrides of the command; those with several values are swept.
    flags
        The flags of the command, for its record.

    Raises
    ------
    BaryonError
        For what is wrong before any job, or for jobs that failed.
    SystemExit
        When a signal has stopped it.

    """
    _require_single_process()
    plugins = discover()
    planner = Planner(composer, arguments, plugins)
    _require_no_other_place(planner.master)
    settings = _settings(planner.master)
    launch = launch_settings.read(planner.master)
    launch_settings.require_programs(launch)
    work = _prepare(planner, settings)
    name = settings.name or identity.sweep_id(settings.method, arguments)
    root = Path(section(planner.master, "run", schemas.Run).root).expanduser()
    command = ["baryon", "train", *flags, *arguments]
    with folder.opened(root, name, fresh=settings.fresh) as path:
        launcher = launch_settings.create_launcher(launch, path)
        sweep = Sweep(path, settings, command, plugins, launcher)
        try:
            with sweep.summarised():
                work(sweep)
        except Terminated as error:  # as at the end of a batch job, which may requeue itself
            code = TRY_AGAIN if stops_batch_job(error.number) else 128 + error.number
            raise SystemExit(code) from error
    return path


def _settings(master: DictConfig) -> schemas.Sweep:
    method = master.sweep.method
    if method not in SCHEMAS:
        raise BaryonError(
            f"sweep.method={method} is not known; {did_you_mean(SCHEMAS, str(method))}"
        )
    settings: schemas.Sweep = section(master, "sweep", SCHEMAS[method])
    return settings


def _prepare(planner: Planner, settings: schemas.Sweep) -> Callable[[Sweep], None]:
    """Check all jobs that can be known, and return the function that runs them in a sweep."""
    if isinstance(settings, schemas.Optuna):
        return optuna_search.prepare(planner, planner.overrides, settings)
    return grid.prepare(planner, planner.overrides)


def _require_single_process() -> None:
    environment = cluster_environment()
    if environment.ranks > 1:
        raise BaryonError(
            "a sweep starts the ranks of its jobs itself: `baryon train -m ... launch.ranks="
            f"{environment.ranks}`, without {environment.by}"
        )


def _require_no_other_place(master: DictConfig) -> None:
    if master.run.name is not None:
        raise BaryonError(
            f"run.name={master.run.name} names a single run: give the sweep a name by sweep.name"
        )
