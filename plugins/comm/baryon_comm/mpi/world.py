"""The world of a run: all ranks, their hosts, which of them have failed, how the job ends."""

from __future__ import annotations

import atexit
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from baryon.errors import BaryonError, format_error
from baryon.launch.failure import claim_error_line
from baryon_comm.mpi.backoff import EAGER, SPARING
from baryon_comm.mpi.layout import Layout
from baryon_comm.mpi.progress_engine import STARTUP_FACTOR, Task
from baryon_comm.mpi.requests import all_gather_object, wait_all
from baryon_comm.mpi.runtime import start_mpi, tolerates_faults
from baryon_comm.mpi.startup_watchdog import startup_watchdog

FAILURE_DETECTION_SECONDS = 3.0  # an error of MPI may be seen before the death behind it
SECONDS_BETWEEN_CHECKS = 0.01
SECONDS_BETWEEN_POLLS = 0.05


class World:
    """All ranks, over duplicates of MPI's world communicator.

    Each use has a duplicate of its own, so that a failure in one use harms no other.
    """

    def __init__(self, deadline_s: float) -> None:
        with startup_watchdog(STARTUP_FACTOR * deadline_s):
            self._connect()
        self._pollers: list[Callable[[], None]] = []
        self._gather_tags = 0
        self._complete = True
        atexit.register(self._finalize)
        self._polled_at = 0.0
        self._pids_on_host = [pid for host, pid in self._places if host == self.hosts[self.rank]]
        oversubscribed = len(self._pids_on_host) > len(os.sched_getaffinity(0))
        self.poll_policy = SPARING if oversubscribed else EAGER

    def _connect(self) -> None:
        self.mpi = start_mpi()
        self.comm = self.mpi.COMM_WORLD
        self.rank, self.ranks = self.comm.rank, self.comm.size
        self.tolerant = tolerates_faults()
        self.messages = self.comm.Dup()
        """Between workers and parameter servers; never revoked."""
        self.gather_channel = self.comm.Dup()
        """Of all fault-tolerant gathers, told apart by `new_gather_tag`."""
        self.health_channel = self.comm.Dup()
        self._alarm = self.comm.Dup()
        self._final = self.comm.Dup()
        self._places = self.comm.allgather((socket.gethostname(), os.getpid()))
        self.hosts = [host for host, _ in self._places]

    @contextmanager
    def report_once(self) -> Iterator[None]:
        """Report an error that all ranks have alike from one rank only, and end the job."""
        try:
            yield
        except BaryonError as error:
            self.abort(f"baryon: error: {error}")
            raise

    def all_gather_object(self, value: Any) -> Task:
        """Return every rank's value, servers' too, in rank order on all ranks."""
        values = yield from all_gather_object(self._final, value)
        return values

    def world_ranks(self, comm: Any) -> list[int]:
        """Return the world ranks of the members of a communicator."""
        group = self.mpi.Group
        return list(group.Translate_ranks(comm.Get_group(), None, self.comm.Get_group()))

    def new_gather_tag(self) -> int:
        """Return the next free tag of `gather_channel`; all members must ask in the same order."""
        self._gather_tags += 1
        return self._gather_tags - 1

    def add_poller(self, poll: Callable[[], None]) -> None:
        """Call `poll` at each `poll` of this world."""
        self._pollers.append(poll)

    def poll(self) -> None:
        """Answer other ranks, and end if they have aborted; call it often, busy or not."""
        now = time.monotonic()
        if now < self._polled_at + SECONDS_BETWEEN_POLLS:
            return
        self._polled_at = now
        if self.tolerant and self._alarm.Is_revoked():
            self._end_all()
        for poll in self._pollers:
            poll()

    def failed_ranks(self) -> set[int]:
        """Return the ranks that are known to have died."""
        if not self.tolerant:
            return set()
        failed, group = self.messages.Get_failed(), self.comm.Get_group()
        return set(self.mpi.Group.Translate_ranks(failed, None, group)) if failed.size else set()

    def has_failed(self, rank: int) -> Task:
        """Return whether the death of `rank` is behind an error of MPI that was just seen."""
        deadline = time.monotonic() + FAILURE_DETECTION_SECONDS
        while self.tolerant and time.monotonic() < deadline:
            if rank in self.failed_ranks():
                return True
            yield
        return False

    def wait_for_failures(self) -> set[int]:
        """Return the failed ranks once there are any: another rank may have seen them earlier."""
        self.wait_until(lambda: bool(self.failed_ranks()))
        return self.failed_ranks()

    def wait_until(self, condition: Callable[[], bool]) -> bool:
        """Return whether a consequence of a death is seen here in time: errors may come first."""
        deadline = time.monotonic() + FAILURE_DETECTION_SECONDS
        while self.tolerant and not condition() and time.monotonic() < deadline:
            time.sleep(SECONDS_BETWEEN_CHECKS)
        return self.tolerant and condition()

    def describe(self, rank: int, layout: Layout) -> str:
        """Describe a rank for people, such as "rank 3 (worker of group 1, on node7)"."""
        return f"rank {rank} ({layout.role(rank)}, on {self.hosts[rank]})"

    def communication_error(self, what: str, error: Exception, layout: Layout) -> BaryonError:
        """Return the error to raise for an error of MPI, naming the deaths behind it."""
        failed = sorted(self.wait_for_failures())
        if not failed:
            return BaryonError(f"{what} failed: {format_error(error)}")
        names = ", ".join(self.describe(rank, layout) for rank in failed)
        return BaryonError(
            f"{names} died; {what} failed: start the run again, or go on with `baryon resume "
            "run=<dir>`"
        )

    def abort(self, message: str) -> None:
        """Print `message`, once for all ranks, and end the job with exit code 1."""
        if self.ranks == 1:
            return
        if claim_error_line():
            print(message, file=sys.stderr, flush=True)  # noqa: T201
        # Neither way of ending below writes out what Python still holds.
        sys.stdout.flush()
        if self.tolerant:
            self._alarm.Revoke()
            self._end_all()
        self.comm.Abort(1)

    def _end_all(self) -> None:
        """End this process and those on its host, hung ones too.

        Where survivors are kept alive, MPI's own abort ends the calling process alone.
        """
        for pid in self._pids_on_host:
            if pid != os.getpid():
                with suppress(ProcessLookupError):  # it has ended already
                    os.kill(pid, signal.SIGKILL)
        os._exit(1)

    def leave(self) -> Task:
        """Wait for all survivors, as the last call: nobody leaves while another needs it."""
        final = self._final
        try:
            if self.tolerant:
                final = self._final.Shrink()
                self._complete = final.size == self.ranks
            yield from wait_all([final.Ibarrier()])
        except self.mpi.Exception:
            self._complete = False  # one more rank died at the very end, when all is done

    def _finalize(self) -> None:
        """Finalize MPI at the exit of the process, unless a rank died.

        Open MPI's MPI_Finalize may hang when a rank has died.
        """
        if self._complete and not self.mpi.Is_finalized():
            self.mpi.Finalize()
