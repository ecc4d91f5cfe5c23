"""Do one job of a sweep in its folder: begin it, or resume it from its checkpoint.

`python -m baryon.sweeps.run_job <folder>`, alone or as one of several ranks. The folder holds the
frozen config of the job; `job.json` tells whoever started the process how it ended. In a batch
system's script `--outlives-sweep` follows: else a job stops when its standard input closes.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

from baryon.config import frozen_file
from baryon.errors import BaryonError, format_error
from baryon.launch.environment import cluster_environment
from baryon.plugins.registry import discover
from baryon.runs.directory import RunDirectory
from baryon.runs.sweep_file import FAILED, FINISHED, PRUNED, RUNNING, WAITING
from baryon.sweeps import job_status
from baryon.sweeps.optuna_study import pruning
from baryon.system import locks
from baryon.system.process_exit import end_with_one_line
from baryon.system.signals import Terminated
from baryon.training.stop_request import ASKED_TO_STOP

OUTLIVES_SWEEP = "--outlives-sweep"
ASKED = "BARYON_JOB_ASKED"
"""Environment variable with the values of `BY_COMMAND_ALONE` that the command of the sweep set."""


def main(arguments: list[str]) -> int:
    """Do the job as a process of its own; return its exit code."""
    if cluster_environment().rank == 0 and OUTLIVES_SWEEP not in arguments:
        threading.Thread(target=_stop_with_parent, daemon=True).start()
    return end_with_one_line(lambda: run(Path(arguments[0])), requeues=True)


def run(folder: Path) -> int:
    """Do this rank's part of the job; the first rank writes its status.

    Raises `BaryonError` when the job fails, `SystemExit` when a signal has stopped it.
    """
    try:
        if cluster_environment().rank:
            _train(folder)
        else:
            _train_locked(folder)
    except SystemExit as stop:
        if stop.code != ASKED_TO_STOP:
            raise
    return 0


def _train_locked(folder: Path) -> None:
    """Train as soon as no other process does this job, unless that has finished it."""
    waiting = f"{folder} is still computed by {{holder}}, left by an earlier sweep: waiting for it"
    with locks.awaited(folder, waiting):
        ended = job_status.read(folder).state in (FINISHED, PRUNED)
        # Of several ranks the others do not know that it has ended: all go on, from its last step.
        if not ended or cluster_environment().ranks > 1:
            _train_with_status(folder)


def _train_with_status(folder: Path) -> None:
    before = job_status.read(folder).seconds or 0.0
    started = time.monotonic()

    def write(state: str, error: str | None = None) -> None:
        job_status.write(folder, state, before + time.monotonic() - started, error)

    write(RUNNING)
    try:
        _train(folder)
    except BaryonError as error:
        write(FAILED, str(error))
        raise
    except Terminated:  # in the start, before a signal is kept until a step is done
        write(WAITING)
        raise
    except SystemExit as stop:
        write(PRUNED if stop.code == ASKED_TO_STOP else WAITING)
        raise
    except Exception as error:
        write(FAILED, format_error(error))
        raise
    write(FINISHED)


def _train(folder: Path) -> None:
    run, plugins = RunDirectory(folder), discover()
    plugins.check()
    config = frozen_file.read(run.config, asked=json.loads(os.environ.get(ASKED, "{}")))

    from baryon.training import run as training_run

    training_run.start_or_resume(run, config, plugins, observe=pruning(folder, config.digest))


def _stop_with_parent() -> None:
    """Stop with a checkpoint when the process that started this one has died.

    Its end of the pipe that is this one's standard input closes then. So the job does not race the
    sweep that is started next, which waits for its lock.
    """
    while os.read(sys.stdin.fileno(), 1):  # not through its buffer, which the exit would wait for
        pass
    os.kill(os.getpid(), signal.SIGUSR1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
