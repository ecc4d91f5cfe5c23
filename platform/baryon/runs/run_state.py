"""Tell whether a run has finished, still runs, was stopped, or broke off."""

from __future__ import annotations

import time
from collections.abc import Sequence

from baryon.runs.directory import RunDirectory
from baryon.runs.metrics_log import LogLine
from baryon.runs.process import ProcessIdentity

FINISHED, RUNNING, STOPPED, INTERRUPTED = "finished", "running", "stopped", "interrupted"

SILENT_SECONDS = 600.0
"""After so long without a new line in its log, a run on another host counts as interrupted."""


def run_state(
    directory: RunDirectory, process: ProcessIdentity, log: Sequence[LogLine], *, finished: bool
) -> str:
    """Return the state of a run, as well as its folder and this host can tell.

    Parameters
    ----------
    directory
        Folder of the run.
    process
        The process that leads it, from its provenance.
    log
        All lines of its log.
    finished
        Whether it came to its end.

    Returns
    -------
    str
        One of `FINISHED`, `RUNNING`, `STOPPED` (by a signal or its sweep, in good order) and
        `INTERRUPTED` (its process is gone).

    """
    if finished:
        return FINISHED
    log_time = directory.log.stat().st_mtime if directory.log.is_file() else None
    was_stopped = bool(log) and log[-1].get("kind") == "stopped"
    # A process that started after the line "stopped" was written has resumed the run.
    if was_stopped and log_time is not None and log_time >= process.started:
        return STOPPED
    if process.is_on_this_host:
        return RUNNING if process.is_alive else INTERRUPTED
    # Nobody can ask another host for its processes: only the log tells that a run lives.
    last_sign = log_time if log_time is not None else process.started
    return RUNNING if time.time() - last_sign < SILENT_SECONDS else INTERRUPTED
