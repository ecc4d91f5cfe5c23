"""Compose a config, train with it, or sweep over several."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from baryon.api.messages import messages_shown
from baryon.api.run import Run
from baryon.api.run_list import RunList, list_runs
from baryon.api.signals import interrupting
from baryon.config import primary
from baryon.config.compose import Composer, Composition
from baryon.config.config import Config
from baryon.errors import BaryonError
from baryon.plugins.registry import checked_plugins


def compose(overrides: Sequence[str] = ()) -> Config:
    """Return the frozen config that overrides choose, as `baryon train <overrides>` has it.

    Parameters
    ----------
    overrides
        Those of the command line, such as `["experiment=hep_demo", "train.epochs=4"]`.

    Raises
    ------
    BaryonError
        If an override names no key, or has an impossible value.

    """
    return _composition(overrides).frozen()


def train(config: Config | Sequence[str]) -> Run:
    """Train and evaluate one run in this process, and return it.

    Ctrl-C (in Jupyter: interrupt the kernel) ends the step, writes a checkpoint and raises
    `KeyboardInterrupt`; `Run("runs/latest").resume()` goes on from there. Started by mpiexec, a
    parameter server's process ends here (`SystemExit`) when the workers are done.

    Parameters
    ----------
    config
        What `compose` returned, or the list of overrides itself.

    Raises
    ------
    BaryonError
        If the run cannot be built or fails, with the one line that the command would print.

    """
    if isinstance(config, Config):
        frozen, label = config, config.choices["model"].name
    else:
        composition = _composition(config)
        frozen = composition.frozen()
        label = composition.label
    # It imports PyTorch, which a wrong override need not wait for.
    from baryon.training import run as training_run

    with messages_shown(), interrupting():
        path = training_run.start(frozen, checked_plugins(), label)
    # A parameter server's process has no run to return, and nothing to do behind this call.
    if path is None:
        raise SystemExit(0)
    return Run(path)


def sweep(overrides: Sequence[str]) -> RunList:
    """Do a sweep as `baryon train -m <overrides>` does, and return its runs.

    The jobs are processes of their own. With `train.folds` all folds are judged together in the
    end, below `evaluations/` of the sweep's folder. Called again with the same overrides, it goes
    on with what is left. Ctrl-C lets the jobs write their checkpoints and raises
    `KeyboardInterrupt`.

    Parameters
    ----------
    overrides
        Those of the command line, such as `["experiment=hep_demo", "seed=1,2"]`.

    Raises
    ------
    BaryonError
        If an override is invalid, or a job failed; the other jobs' runs are in the sweep's folder.

    """
    from baryon.api.folds import evaluate_new_folds
    from baryon.sweeps import command

    _require_list(overrides)
    with messages_shown(), interrupting():
        plugins = checked_plugins()
        folder: Path = command.run(Composer(plugins), list(overrides))
        evaluate_new_folds(folder, plugins)
    return list_runs(folder)


def _composition(overrides: Sequence[str]) -> Composition:
    _require_list(overrides)
    composition = Composer(checked_plugins()).compose(primary.RUN, list(overrides))
    require_single_run(composition)
    return composition


def _require_list(overrides: Sequence[str]) -> None:
    # A string is a sequence, too: of single letters.
    if isinstance(overrides, str):
        raise BaryonError(f"overrides are a list: [{overrides!r}], not {overrides!r}")


def require_single_run(composition: Composition) -> None:
    """Raise `BaryonError` for options of sweeps that a single run would pass over."""
    launch = composition.config.launch
    if launch.launcher != "local" or launch.ranks != 1:
        raise BaryonError(
            "launch=... is where the jobs of a sweep run: add -m (in Python: baryon.sweep), or "
            "start one run with several ranks by `baryon launch ranks=<N> train ...`"
        )
