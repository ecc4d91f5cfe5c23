"""Recognise the process that trains a run, to tell later whether it still lives."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from baryon.system.plain_data import Shape, is_count, is_finite, is_text, optional

PROCESS_SHAPE: Shape = {
    "host?": is_text, "pid?": is_count, "began?": optional(is_text), "started?": is_finite,
}  # fmt: skip


@dataclass(frozen=True)
class ProcessIdentity:
    """A process as `provenance.json` names it.

    Attributes
    ----------
    host : name of its machine
    pid : its number there
    began : when it began, as `process_began` gives it
    started : seconds since the epoch at which the run's training was started or resumed

    """

    host: str = ""
    pid: int = 0
    began: str | None = None
    started: float = 0.0

    @property
    def is_on_this_host(self) -> bool:
        """Whether its machine is this one, so that `is_alive` can tell."""
        return self.host == socket.gethostname()

    @property
    def is_alive(self) -> bool:
        """Whether it still lives; only to be asked on its own host."""
        # The number alone is not enough: it may by now be another process's.
        return process_began(self.pid) == self.began


def this_process() -> ProcessIdentity:
    """Return the identity of the process that calls."""
    pid = os.getpid()
    return ProcessIdentity(socket.gethostname(), pid, process_began(pid), time.time())


def process_began(pid: int) -> str | None:
    """Return when a process of this host began, in the system's clock ticks since it was booted.

    Returns
    -------
    str or None
        None if there is no such process; "" if it lives on a system that does not tell when it
        began.

    """
    try:
        # proc_pid_stat(5): the name in parentheses may hold spaces; field 22 is the start time.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        pass
    if Path("/proc/self/stat").is_file():
        return None
    try:
        os.kill(pid, 0)  # signal 0 only asks whether the process exists
    except (OSError, OverflowError):
        return None
    return ""
