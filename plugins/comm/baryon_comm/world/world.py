"""The world of a run: all ranks, their hosts, and how the job ends."""

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

from baryon.errors import BaryonError, told
from baryon.launched import wait_for_turn
from baryon_comm.world.circle import Circle, FixedCircle
from baryon_comm.world.courier import FIRST, Task
from baryon_comm.world.layout import Layout
from baryon_comm.world.mpi import start_mpi, tolerates_faults
from baryon_comm.world.requests import finished, gathered
from baryon_comm.world.rest import EAGER, SPARING
from baryon_comm.world.roll_call import RollCall
from baryon_comm.world.tolerant_circle import TolerantCircle
from baryon_comm.world.watch import watched

SECONDS_UNTIL_DEATHS_ARE_KNOWN = 3.0
SECONDS_BETWEEN_LOOKS = 0.01
SECONDS_BETWEEN_ATTENDING = 0.05


class World:
    """Duplicates of the world's communicator, one for each use: a failure in one harms no other."""

    def __init__(self, deadline_s: float) -> None:
        with watched(FIRST * deadline_s):
            self._connect()
        self._circles: list[Circle] = []
        self._complete = True
        atexit.register(self._finalise)
        self._attended = 0.0
        self._neighbours = [p for host, p in self._places if host == self.hosts[self.rank]]
        crowded = len(self._neighbours) > len(os.sched_getaffinity(0))
        self.habit = SPARING if crowded else EAGER

    def _connect(self) -> None:
        self.mpi = start_mpi()
        self.comm = self.mpi.COMM_WORLD
        self.rank, self.ranks = self.comm.rank, self.comm.size
        self.tolerant = tolerates_faults()
        self.messages = self.comm.Dup()
        """Between workers and servers; never revoked."""
        self._words = self.comm.Dup()
        self._alarm = self.comm.Dup()
        self._final = self.comm.Dup()
        self.roll_call = RollCall(self.mpi, self.comm.Dup())
        self._places = self.comm.allgather((socket.gethostname(), os.getpid()))
        self.hosts = [host for host, _ in self._places]

    @contextmanager
    def said_once(self) -> Iterator[None]:
        """For what fails on all ranks alike: the first of all hosts says so."""
        try:
            yield
        except BaryonError as error:
            self.abort(f"baryon: error: {error}")
            raise

    def exchange(self, value: Any) -> Task:
        """Every rank's value on all ranks."""
        values = yield from gathered(self._final, value)
        return values

    def circle(self, comm: Any) -> Circle:
        """Of the ranks of a communicator; one that outlives them where the launcher lets it."""
        own = comm.Get_group()
        ranks = list(self.mpi.Group.Translate_ranks(own, None, self.comm.Get_group()))
        if not self.tolerant:
            return FixedCircle(comm, ranks)
        tag = len(self._circles)
        circle = TolerantCircle(self.mpi, self._words, tag, ranks, self.dead)
        self._circles.append(circle)
        return circle

    def attend(self) -> None:
        """What a rank does now and then, whatever it is busy with: answer, and end if others do."""
        now = time.monotonic()
        if now < self._attended + SECONDS_BETWEEN_ATTENDING:
            return
        self._attended = now
        if self.tolerant and self._alarm.Is_revoked():
            self._end_all()
        self.roll_call.attend()
        for circle in self._circles:
            circle.attend()

    def dead(self) -> set[int]:
        """Ranks that are known to have died."""
        if not self.tolerant:
            return set()
        failed, group = self.messages.Get_failed(), self.comm.Get_group()
        return set(self.mpi.Group.Translate_ranks(failed, None, group)) if failed.size else set()

    def died(self, rank: int) -> Task:
        """Whether it is this rank's death that is behind an error of MPI that was just seen."""
        until = time.monotonic() + SECONDS_UNTIL_DEATHS_ARE_KNOWN
        while self.tolerant and time.monotonic() < until:
            if rank in self.dead():
                return True
            yield
        return False

    def dead_soon(self) -> set[int]:
        """The dead, once there are any: another may have seen it earlier than this rank."""
        self.comes_true(lambda: bool(self.dead()))
        return self.dead()

    def comes_true(self, condition: Callable[[], bool]) -> bool:
        """Whether what follows from a death is seen here in time: errors may come first."""
        until = time.monotonic() + SECONDS_UNTIL_DEATHS_ARE_KNOWN
        while self.tolerant and not condition() and time.monotonic() < until:
            time.sleep(SECONDS_BETWEEN_LOOKS)
        return self.tolerant and condition()

    def name(self, rank: int, layout: Layout) -> str:
        """A rank as people know it."""
        return f"rank {rank} ({layout.role(rank)}, on {self.hosts[rank]})"

    def failure(self, what: str, error: Exception, layout: Layout) -> BaryonError:
        """For an error of MPI: whose death is behind it, as far as that is known."""
        dead = ", ".join(self.name(rank, layout) for rank in sorted(self.dead_soon()))
        if not dead:
            return BaryonError(f"{what} failed: {told(error)}")
        return BaryonError(
            f"{dead} died; {what} failed: start the run again, or go on with `baryon resume "
            "run=<dir>`"
        )

    def abort(self, message: str) -> None:
        """Say why, once for all ranks, and end the job with exit code 1."""
        if self.ranks == 1:
            return
        wait_for_turn()
        print(message, file=sys.stderr, flush=True)  # noqa: T201
        sys.stdout.flush()
        if self.tolerant:
            self._alarm.Revoke()
            self._end_all()
        self.comm.Abort(1)

    def _end_all(self) -> None:
        """End this process and those on its host, hung ones too.

        Where survivors are kept alive, MPI's own abort ends the calling process alone.
        """
        for process in self._neighbours:
            if process != os.getpid():
                with suppress(ProcessLookupError):  # it has gone already
                    os.kill(process, signal.SIGKILL)
        os._exit(1)

    def leave(self) -> Task:
        """The last thing of all survivors: nobody leaves while another still needs it."""
        last = self._final
        try:
            if self.tolerant:
                last = self._final.Shrink()
                self._complete = last.size == self.ranks
            yield from finished([last.Ibarrier()])
        except self.mpi.Exception:
            self._complete = False  # one more has died, in the very end: all is done

    def _finalise(self) -> None:
        """At the exit of the process. Open MPI's own end may hang when a rank has died."""
        if self._complete and not self.mpi.Is_finalized():
            self.mpi.Finalize()
