"""Where jobs run: Hydra's launchers, set up from the section `launch`."""

from __future__ import annotations

import importlib
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from baryon.config import schemas
from baryon.errors import BaryonError, format_error
from baryon.launch.mpiexec import find_mpiexec
from baryon.sweeps.slurm_queue import Queue

if TYPE_CHECKING:
    from hydra.plugins.launcher import Launcher
    from hydra.types import HydraContext, TaskFunction
    from omegaconf import DictConfig

T = TypeVar("T")
HERE, CORES, SLURM = "here", "cores", "slurm"
SCHEMAS: dict[str, type[schemas.Launch]] = {
    HERE: schemas.Launch,
    CORES: schemas.LaunchOnCores,
    SLURM: schemas.LaunchBySlurm,
}
SECONDS_BETWEEN_LOOKS = 0.5
ASKED = "BARYON_JOB_ASKED"
"""The environment variable by which a sweep hands what its command sets of `BY_COMMAND_ALONE` to
its jobs, which read the rest from their folders."""


def settings(composed: DictConfig) -> schemas.Launch:
    """The section `launch`, checked."""
    chosen: schemas.Launch = section(composed, "launch", SCHEMAS[composed.launch.where])
    return chosen


def section(composed: DictConfig, name: str, schema: type[Any]) -> Any:
    """A section of a composed config as its dataclass. Raises `BaryonError` for what is wrong."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from baryon.config.errors import one_line

    try:
        typed = OmegaConf.create({name: OmegaConf.structured(schema)})
        values = OmegaConf.to_container(composed[name], resolve=True)
        checked: Any = OmegaConf.merge(typed, {name: values})
        return OmegaConf.to_object(checked[name])
    except OmegaConfBaseException as error:
        raise BaryonError(one_line(error)) from error


def require_programs(chosen: schemas.Launch) -> None:
    """Raise `BaryonError` if what starts the jobs is not here."""
    if chosen.where == SLURM:
        if shutil.which("sbatch") is None:
            raise BaryonError(
                "launch=slurm needs sbatch, which is not on the PATH: start the sweep where Slurm "
                "takes jobs, such as a login node"
            )
    elif chosen.ranks > 1:
        find_mpiexec()


class Launching:
    """Launches jobs of one sweep and waits for them."""

    def __init__(
        self, context: HydraContext, task: TaskFunction, master: DictConfig, folder: Path
    ) -> None:
        chosen = settings(master)
        self.where, self._folder, self._count = chosen.where, folder, 0
        self.error = ""
        self._requeues = bool(master.hydra.launcher.get("max_num_timeout"))
        """Then a job whose time is up comes back; else nothing is heard of it without accounts."""
        self.at_once = at_once(chosen)
        self._launcher = _set_up(context, task, master, folder, chosen)

    @property
    def one_by_one(self) -> bool:
        """Whether a job may use the terminal, for there is no other at that time."""
        return self.where == HERE

    def portions(self, jobs: Sequence[T]) -> list[Sequence[T]]:
        """What to launch in one go."""
        if self.one_by_one:
            return [[job] for job in jobs]
        return [jobs] if jobs else []

    def launch(
        self,
        jobs: Sequence[list[str]],
        ended: Callable[[], bool],
        left: Callable[[int, str], None],
    ) -> None:
        """Run jobs, each given by its overrides, until all have come to an end.

        `ended`: whether they have, as far as their folders tell. `left` is told the place and the
        number of a job that Slurm no longer has.
        """
        if self.where == SLURM:
            self._launch_and_watch(jobs, ended, left)
        else:
            self._launch(jobs)

    def _launch(self, jobs: Sequence[list[str]]) -> None:
        """How each job ended is in its folder; here only a launcher that broke counts."""
        first, self._count = self._count, self._count + len(jobs)
        try:
            for result in self._launcher.launch(jobs, initial_job_idx=first):
                _ = result.return_value  # which raises what a job could not tell itself
        except Exception as error:  # noqa: BLE001  a launcher may raise anything
            self.error = f"launch={self.where}: {format_error(error)}"

    def _launch_and_watch(
        self,
        jobs: Sequence[list[str]],
        ended: Callable[[], bool],
        left: Callable[[int, str], None],
    ) -> None:
        """A launcher that gives up at the first killed job must not make us leave the others.

        Raises `BaryonError` if Slurm did not take the jobs.
        """
        queue = Queue(self._folder)
        importlib.import_module("submitit")  # sets its log up: it warns where Slurm has no accounts
        logging.getLogger("submitit").setLevel(logging.ERROR)
        thread = threading.Thread(target=self._launch, args=(jobs,), daemon=True)
        thread.start()
        while (thread.is_alive() and self._requeues) or not ended():
            if self.error and not queue.taken():
                raise BaryonError(self.error)
            for number, place in queue.gone().items():
                left(place, number)
            time.sleep(SECONDS_BETWEEN_LOOKS)


def at_once(chosen: schemas.Launch) -> int:
    """Jobs at a time."""
    if isinstance(chosen, schemas.LaunchOnCores):
        return chosen.jobs or max(1, len(os.sched_getaffinity(0)) // chosen.ranks)
    return chosen.jobs if isinstance(chosen, schemas.LaunchBySlurm) else 1


def _set_up(
    context: HydraContext,
    task: TaskFunction,
    master: DictConfig,
    folder: Path,
    chosen: schemas.Launch,
) -> Launcher:
    from hydra.core.plugins import Plugins
    from omegaconf import open_dict, read_write

    with read_write(master), open_dict(master):
        master.hydra.sweep.dir = str(folder.resolve())
        launcher = master.hydra.launcher
        if isinstance(chosen, schemas.LaunchOnCores):
            launcher.n_jobs = at_once(chosen)
        elif isinstance(chosen, schemas.LaunchBySlurm):
            launcher.nodes = chosen.nodes
            launcher.tasks_per_node = chosen.ranks // chosen.nodes
            launcher.array_parallelism = chosen.jobs
    return Plugins.instance().instantiate_launcher(
        hydra_context=context, task_function=task, config=master
    )
