"""Sweeps from Python."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from baryon.api.messages import messages_shown
from baryon.api.run_list import RunList, list_runs
from baryon.errors import BaryonError
from baryon.launch.child_python import child_python
from baryon.sweeps.command import sweep_folder
from baryon.terminal.console import say

ERROR = "baryon: error: "


def sweep(overrides: Sequence[str]) -> RunList:
    """Do a sweep as `baryon train -m <overrides>` does, and return its runs.

    The sweep is a process of its own, for its jobs are processes too; what it says comes through
    the logger "baryon". Called again with the same overrides, it goes on with what is left. Ctrl-C
    lets the jobs write their checkpoints and raises `KeyboardInterrupt`. Raises `BaryonError` if an
    override cannot be, or a job failed: the runs of the others are in the sweep's folder.

    Parameters
    ----------
    overrides
        Those of the command line, such as `["experiment=hep_demo", "seed=1,2"]`.

    """
    folder = sweep_folder(overrides)
    command = child_python("-m", "baryon", "train", "-m", *overrides)
    with messages_shown(), _started(command) as process:
        last = ""
        for line in process.stdout or ():
            last = line.rstrip()
            if not last.startswith(ERROR):
                say(last)
    if process.returncode:
        raise BaryonError(last.removeprefix(ERROR))
    return list_runs(folder)
