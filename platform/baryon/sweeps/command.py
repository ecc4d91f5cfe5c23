"""`baryon train -m ...`: from the composed command to a sweep that has ended."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from baryon.config import schemas
from baryon.errors import BaryonError, did_you_mean
from baryon.launch.environment import cluster_environment
from baryon.plugins.registry import discover
from baryon.sweeps import folder, grid, identity, launching, local, optuna_search
from baryon.sweeps.launching import section
from baryon.sweeps.plan import Planner
from baryon.sweeps.sweep import Sweep

if TYPE_CHECKING:
    from hydra.types import HydraContext, TaskFunction
    from omegaconf import DictConfig

GRID, OPTUNA = "grid", "optuna"
SCHEMAS: dict[str, type[schemas.Sweep]] = {GRID: schemas.Sweep, OPTUNA: schemas.Optuna}


def register() -> None:
    """Let Hydra make Baryon's sweeper: it does not scan an editable install for it."""
    from hydra.core.plugins import Plugins as HydraPlugins

    from hydra_plugins.baryon import BaryonSweeper

    HydraPlugins.instance().register(BaryonSweeper)


def run(
    context: HydraContext, task: TaskFunction, master: DictConfig, arguments: Sequence[str]
) -> None:
    """Check everything, then do the sweep, or what is left of it.

    Raises `BaryonError` for what is wrong before any job, or for jobs that failed.
    """
    _require_alone()
    _require_no_other_place(master)
    settings = _settings(master)
    launching.require_programs(launching.settings(master))
    plugins = discover()
    work = _prepare(Planner(context.config_loader, master, plugins), arguments, settings)
    name = settings.name or identity.sweep_id(settings.method, arguments)
    root = Path(section(master, "run", schemas.Run).root).expanduser()
    with folder.opened(root, name, fresh=settings.fresh) as path, _stopping_in_good_order(path):
        there = launching.Launching(context, task, master, path)
        sweep = Sweep(path, settings, ["baryon", "train", *sys.argv[1:]], plugins, there)
        with sweep.told():
            work(sweep)


def _settings(master: DictConfig) -> schemas.Sweep:
    method = master.sweep.method
    if method not in SCHEMAS:
        raise BaryonError(
            f"sweep.method={method} is not known; {did_you_mean(SCHEMAS, str(method))}"
        )
    settings: schemas.Sweep = section(master, "sweep", SCHEMAS[method])
    return settings


def _prepare(
    planner: Planner, arguments: Sequence[str], settings: schemas.Sweep
) -> Callable[[Sweep], None]:
    """What does the jobs, once all that can be checked is."""
    overrides = planner.parse(arguments)
    if isinstance(settings, schemas.Optuna):
        return optuna_search.prepare(planner, overrides, settings)
    return grid.prepare(planner, overrides)


def _require_alone() -> None:
    if cluster_environment().ranks > 1:
        raise BaryonError(
            "a sweep starts the ranks of its jobs itself: `baryon train -m ... launch.ranks="
            f"{cluster_environment().ranks}`, without {cluster_environment().by}"
        )


def _require_no_other_place(master: DictConfig) -> None:
    if master.run.name is not None:
        raise BaryonError(
            f"run.name={master.run.name} names a single run: give the sweep a name by sweep.name"
        )
    for override in master.hydra.overrides.hydra:
        if override.startswith("hydra.sweep."):
            raise BaryonError(
                f"{override}: where a sweep lies is chosen by run.root and sweep.name"
            )


@contextmanager
def _stopping_in_good_order(sweep: Path) -> Iterator[None]:
    """Ctrl-C, and SIGTERM as at the end of a batch job, let jobs here write their checkpoints.

    The second one ends the sweep at once.
    """
    asked: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        del frame
        asked.append(number)
        if len(asked) == 1:
            local.stop_all(sweep)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)

    (sweep / local.STOPPING).unlink(missing_ok=True)
    caught = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, stop) for number in caught}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        (sweep / local.STOPPING).unlink(missing_ok=True)
