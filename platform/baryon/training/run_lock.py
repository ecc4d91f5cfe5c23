"""Let a run be trained by one job at a time, however many were started on it."""

from __future__ import annotations

from pathlib import Path

from baryon.errors import BaryonError
from baryon.system.locks import Lock, NoLocksError
from baryon.terminal.console import warn


class RunLock:
    """The lock of a run, `<run>/.lock`, held by the process that leads it.

    It is an flock, which the kernel takes back however the process dies. If the leader dies and
    others go on, the next leader takes it with its first line of the log.
    """

    def __init__(self) -> None:
        self._lock: Lock | None = None

    def acquire(self, run: Path) -> None:
        """Take the lock of a run's folder, unless this process has it already.

        Where the file system knows no locks (some NFS and Lustre mounts), the run goes on without,
        with a warning.

        Raises
        ------
        BaryonError
            If another process has the lock; the message names it.

        """
        if self._lock is not None:
            return
        lock = Lock(run)
        try:
            is_free = lock.acquire()
        except NoLocksError:
            warn(f"{run} lies on a file system without locks: see to it that it is resumed once")
            is_free = True
        if not is_free:
            raise BaryonError(
                f"{run} is being trained by {lock.holder()}: wait until that has ended, or end it"
            )
        self._lock = lock

    def close(self) -> None:
        """Let other processes go on with the run."""
        if self._lock is not None:
            self._lock.release()
