"""A run is trained by one job at a time, however many were started on it."""

from __future__ import annotations

from pathlib import Path

from baryon.errors import BaryonError
from baryon.system.locks import Lock, NoLocksError
from baryon.terminal.console import warn


class RunLock:
    """Held by the process that leads a run, as long as it lives: the kernel takes it back."""

    def __init__(self) -> None:
        self._lock: Lock | None = None

    def acquire(self, run: Path) -> None:
        """Take the lock of a run's folder, unless this process has it.

        Raises `BaryonError` that names who has it. Where the file system knows no locks (some NFS
        and Lustre mounts), that is said and the run goes on without.
        """
        if self._lock is not None:
            return
        lock = Lock(run)
        try:
            free = lock.acquire()
        except NoLocksError:
            warn(f"{run} lies on a file system without locks: see to it that it is resumed once")
            free = True
        if not free:
            raise BaryonError(
                f"{run} is being trained by {lock.holder()}: wait until that has ended, or end it"
            )
        self._lock = lock

    def close(self) -> None:
        """Let others go on with the run."""
        if self._lock is not None:
            self._lock.release()
