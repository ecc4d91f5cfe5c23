"""Do one job of a sweep in its folder: begin it, or go on from its checkpoint.

`python -m baryon.sweeps.run_job <folder>`, alone or as one of several ranks. The folder holds the
frozen config of the job; whoever started the process learns from `job.json` how it ended.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

from baryon.config import config as configs
from baryon.errors import BaryonError, format_error
from baryon.launch.environment import cluster_environment
from baryon.plugins.registry import discover
from baryon.runs.directory import RunDirectory
from baryon.runs.sweep_file import FAILED, FINISHED, PRUNED, RUNNING, WAITING
from baryon.sweeps import job_status, launching
from baryon.sweeps.optuna_study import pruning
from baryon.system import locks
from baryon.system.process_exit import end_with_one_line
from baryon.training.stop_request import ASKED_TO_STOP


def main(arguments: list[str]) -> int:
    """The job as a process of its own."""
    if cluster_environment().rank == 0:
        threading.Thread(target=_stop_when_alone, daemon=True).start()
    return end_with_one_line(lambda: run(Path(arguments[0])), requeues=True)


def run(folder: Path) -> int:
    """This rank's part of the job; the first rank keeps its status.

    Raises `BaryonError` when the job fails, `SystemExit` when a signal has stopped it.
    """
    try:
        if cluster_environment().rank:
            _train(folder)
        else:
            _train_alone(folder)
    except SystemExit as stop:
        if stop.code != ASKED_TO_STOP:
            raise
    return 0


def _train_alone(folder: Path) -> None:
    """As soon as no other process does it; if that has done it, there is nothing left to do.

    Several ranks go on all the same, from the last step: the others do not know.
    """
    waiting = f"{folder} is still computed by {{holder}}, left by an earlier sweep: waiting for it"
    with locks.awaited(folder, waiting):
        done = job_status.read(folder).state in (FINISHED, PRUNED)
        if not done or cluster_environment().ranks > 1:
            _train_and_tell(folder)


def _train_and_tell(folder: Path) -> None:
    before = job_status.read(folder).seconds or 0.0
    started = time.monotonic()

    def tell(state: str, error: str | None = None) -> None:
        job_status.write(folder, state, before + time.monotonic() - started, error)

    tell(RUNNING)
    try:
        _train(folder)
    except BaryonError as error:
        tell(FAILED, str(error))
        raise
    except SystemExit as stop:
        tell(PRUNED if stop.code == ASKED_TO_STOP else WAITING)
        raise
    except Exception as error:
        tell(FAILED, format_error(error))
        raise
    tell(FINISHED)


def _train(folder: Path) -> None:
    run, plugins = RunDirectory(folder), discover()
    plugins.check()
    config = configs.read(run.config, asked=json.loads(os.environ.get(launching.ASKED, "{}")))

    from baryon.training import run as training_run

    training_run.start_or_resume(run, config, plugins, observe=pruning(folder, config.digest))


def _stop_when_alone() -> None:
    """Stop with a checkpoint when who started this process has died: its end of the pipe closes."""
    while os.read(sys.stdin.fileno(), 1):  # not through its buffer, which the end would wait for
        pass
    os.kill(os.getpid(), signal.SIGUSR1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
