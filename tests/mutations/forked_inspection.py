"""Inspect HDF5 files, and read GRIB, in a fork of this process.

The product starts Python anew for each, which would take most of the time of a mutant. What the
process does and within which limits is the same.
"""

import math
import os
import resource
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from types import ModuleType

from baryon.data.hdf5 import inspection, inspection_process
from baryon_climate.dataset import grib_codes, grib_process


class Fork:
    """Stand in for the `subprocess.Popen` that `_start` returns."""

    def __init__(self, program: ModuleType, *, text: bool) -> None:
        requests, self._requests = os.pipe()
        self._answers, answers = os.pipe()
        self._status: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            _serve(program, requests, answers)
        os.close(requests)
        os.close(answers)
        self.stdin = os.fdopen(self._requests, "w" if text else "wb")
        self.stdout = os.fdopen(self._answers, "r" if text else "rb")

    def poll(self) -> int | None:
        """Return the exit code, the number of a signal below 0; None while it runs."""
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._status = os.waitstatus_to_exitcode(status) if pid else None
        return self._status

    def wait(self, timeout: float = math.inf) -> int:
        """Wait for the end. Raises `subprocess.TimeoutExpired`."""
        until = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired("fork", timeout)
            time.sleep(0.005)
        return code

    def kill(self) -> None:
        """End it."""
        os.kill(self.pid, signal.SIGKILL)


def _serve(program: ModuleType, requests: int, answers: int) -> None:
    """Run a program's `main` until there are no more requests. Never returns."""
    code = 1
    try:
        os.dup2(requests, 0)
        os.dup2(answers, 1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        os.closerange(3, 256)  # or the other end of the pipe of requests would never close
        sys.stdin, sys.stdout = os.fdopen(0), os.fdopen(1, "w")
        # The limit counts what this process has mapped, such as PyTorch, as well.
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        program.MEMORY_BYTES += pages * resource.getpagesize()
        program.main()
        code = 0
    finally:
        os._exit(code)


def use_forks() -> None:
    """Let every inspection of this process and its children be done by a fork."""
    inspection._start = partial(Fork, inspection_process, text=True)
    grib_process._start = partial(Fork, grib_codes, text=False)
